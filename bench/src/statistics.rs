//! Medians and percentiles, always of sorted samples.

/// The value below which `share` of the samples lie. Sorts.
pub(crate) fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    match samples.len() {
        0 => f64::NAN,
        len => samples[((len - 1) as f64 * share).round() as usize],
    }
}

/// The middle value; of two middle ones their mean.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
    }
}

/// The smallest and the largest value.
pub(crate) fn spread(samples: &[f64]) -> (f64, f64) {
    samples.iter().fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(low, high), &sample| (low.min(sample), high.max(sample)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_do_not_depend_on_the_order_of_the_samples() {
        let mut shuffled: Vec<f64> = (0..101)
            .map(|number| f64::from(number * 37 % 101))
            .collect();
        assert_eq!(percentile(&mut shuffled, 0.5), 50.0);
        assert_eq!(percentile(&mut shuffled, 0.99), 99.0);
        assert_eq!(percentile(&mut shuffled, 1.0), 100.0);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_spread_is_both_ends() {
        assert_eq!(spread(&[2.0, 7.0, 1.0]), (1.0, 7.0));
    }
}
