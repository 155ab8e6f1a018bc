//! From values to places.

/// A logarithmic scale between two places.
pub(super) struct Log {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Log {
    /// Covers values from `low` to `high`.
    pub(super) fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (low, high) = (low.log10(), high.log10());
        Self {
            low,
            high,
            from,
            to,
        }
    }

    /// Covers all of the values, from one power of ten to another. What is not above zero has no
    /// place on such a scale and is not looked at.
    pub(super) fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite() && *value > 0.0)
            .map(f64::log10)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        // A little room, so that nothing lies on the frame.
        let (low, high) = ((low - 0.02).floor(), (high + 0.02).ceil());
        if low.is_finite() && low < high {
            Self {
                low,
                high,
                from,
                to,
            }
        } else {
            Self::new(1.0, 10.0, from, to)
        }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// The powers of ten that it covers.
    pub(super) fn powers(&self) -> impl Iterator<Item = f64> {
        (self.low.ceil() as i32..=self.high.floor() as i32).map(|power| 10_f64.powi(power))
    }
}

/// Moves labels apart that would lie over each other: at least `gap` between two, in their order, and
/// none beyond `end`.
pub(super) fn apart(places: &[f64], gap: f64, end: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|one, other| places[*one].total_cmp(&places[*other]));
    let mut moved = places.to_vec();
    let mut least = f64::NEG_INFINITY;
    for &index in &order {
        moved[index] = moved[index].max(least);
        least = moved[index] + gap;
    }
    let mut most = end;
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(most);
        most = moved[index] - gap;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_are_equally_far_apart() {
        let scale = Log::around([0.3, 40.0, 700.0].into_iter(), 100.0, 500.0);
        assert_eq!(
            scale.powers().collect::<Vec<_>>(),
            [0.1, 1.0, 10.0, 100.0, 1000.0]
        );
        let places: Vec<f64> = scale.powers().map(|power| scale.place(power)).collect();
        for (place, expected) in places.iter().zip([100.0, 200.0, 300.0, 400.0, 500.0]) {
            assert!((place - expected).abs() < 1e-9, "{places:?}");
        }
    }

    #[test]
    fn larger_values_lie_higher_when_the_scale_is_upright() {
        let scale = Log::new(1.0, 256.0, 300.0, 0.0);
        assert!((scale.place(1.0) - 300.0).abs() < 1e-9);
        assert!((scale.place(16.0) - 150.0).abs() < 1e-9);
        assert!(scale.place(256.0).abs() < 1e-9);
    }

    #[test]
    fn a_scale_of_nothing_or_of_one_value_is_still_one() {
        for values in [vec![], vec![0.0, f64::NAN, -1.0], vec![5.0], vec![10.0]] {
            let scale = Log::around(values.into_iter(), 0.0, 100.0);
            assert!(scale.place(5.0).is_finite());
            assert!(scale.powers().count() >= 2);
        }
    }

    #[test]
    fn labels_do_not_lie_over_each_other() {
        let moved = apart(&[50.0, 48.0, 49.0, 99.0, 10.0], 14.0, 100.0);
        assert_eq!(moved[4], 10.0);
        let mut sorted = [moved[4], moved[1], moved[2], moved[0], moved[3]];
        assert!(sorted.is_sorted(), "{moved:?}");
        sorted.sort_by(f64::total_cmp);
        for pair in sorted.windows(2) {
            assert!(pair[1] - pair[0] >= 14.0 - 1e-9, "{moved:?}");
        }
        assert!(sorted[4] <= 100.0);
    }
}
