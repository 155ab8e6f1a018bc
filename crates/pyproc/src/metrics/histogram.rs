//! How many values of which size: counted in a nanosecond or two, handed on in bulk.

/// Buckets per power of two: a value is known to within a sixteenth of itself.
const PARTS: u64 = 8;
const PART_BITS: u32 = PARTS.ilog2();

/// What is smaller counts as this much.
const LEAST: u64 = 1 << LEAST_BITS;
const LEAST_BITS: u32 = 5;

/// What is larger (about 39 hours) counts as this much.
const MOST: u64 = (1 << MOST_BITS) - 1;
const MOST_BITS: u32 = 47;

const BUCKETS: usize = ((MOST_BITS - LEAST_BITS) as u64 * PARTS) as usize;

/// Values handed on at a time. Most recorders keep every single one until they are scraped, so that
/// a million calls a second would cost more than the calls; of more values a sample is handed on.
const SAMPLE: u64 = 4096;

/// Nanoseconds by size.
pub(crate) struct Histogram {
    buckets: [u32; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
        }
    }
}

impl Histogram {
    /// Counts a value.
    #[inline]
    pub(crate) fn add(&mut self, nanoseconds: u64) {
        let bucket = &mut self.buckets[bucket(nanoseconds)];
        *bucket = bucket.saturating_add(1);
    }

    /// Hands on `(seconds, how often)` for every bucket, the middle for all of its values, and forgets
    /// them. Of more than [`SAMPLE`] values every so manieth is handed on.
    pub(crate) fn drain(&mut self, mut hand_on: impl FnMut(f64, usize)) {
        let total: u64 = self.buckets.iter().map(|&count| u64::from(count)).sum();
        let step = total.div_ceil(SAMPLE).max(1);
        let mut passed = step / 2;
        for (index, count) in self.buckets.iter_mut().enumerate() {
            let before = passed / step;
            passed += u64::from(std::mem::take(count));
            let times = passed / step - before;
            if times > 0 {
                hand_on(middle(index), times as usize);
            }
        }
    }
}

#[inline]
fn bucket(nanoseconds: u64) -> usize {
    let value = nanoseconds.clamp(LEAST, MOST);
    let power = value.ilog2();
    let part = (value >> (power - PART_BITS)) & (PARTS - 1);
    ((power - LEAST_BITS) as u64 * PARTS + part) as usize
}

/// The middle of a bucket, in seconds.
fn middle(index: usize) -> f64 {
    let power = index as u64 / PARTS + u64::from(LEAST_BITS);
    let part = index as u64 % PARTS;
    let width = 1u64 << (power - u64::from(PART_BITS));
    ((1u64 << power) + part * width) as f64 / 1e9 + width as f64 / 2e9
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drained(histogram: &mut Histogram) -> Vec<(f64, usize)> {
        let mut all = Vec::new();
        histogram.drain(|value, times| all.push((value, times)));
        all
    }

    proptest! {
        #[test]
        fn a_value_comes_back_within_a_sixteenth(nanoseconds in LEAST..=MOST) {
            let mut histogram = Histogram::default();
            histogram.add(nanoseconds);
            let all = drained(&mut histogram);
            prop_assert_eq!(all.len(), 1);
            let error = (all[0].0 * 1e9 - nanoseconds as f64).abs() / nanoseconds as f64;
            prop_assert!(error <= 1.0 / 16.0, "{} for {}", all[0].0, nanoseconds);
            prop_assert!(drained(&mut histogram).is_empty());
        }
    }

    #[test]
    fn nothing_is_too_small_or_too_large() {
        let mut histogram = Histogram::default();
        for value in [0, 1, LEAST - 1, MOST + 1, u64::MAX] {
            histogram.add(value);
        }
        let all = drained(&mut histogram);
        assert_eq!(
            all.iter().map(|&(_, times)| times).collect::<Vec<_>>(),
            [3, 2]
        );
    }

    #[test]
    fn up_to_the_sample_every_value_is_handed_on_and_beyond_it_the_shape() {
        let mut histogram = Histogram::default();
        for at in 0..SAMPLE {
            histogram.add(100 + at * 1000);
        }
        let times = |all: &[(f64, usize)]| all.iter().map(|&(_, times)| times as u64).sum::<u64>();
        assert_eq!(times(&drained(&mut histogram)), SAMPLE);
        for _ in 0..900_000 {
            histogram.add(1_000);
        }
        for _ in 0..100_000 {
            histogram.add(1_000_000);
        }
        let all = drained(&mut histogram);
        assert!(times(&all) <= SAMPLE && times(&all) > SAMPLE * 9 / 10);
        let share = all[1].1 as f64 / times(&all) as f64;
        assert!((share - 0.1).abs() < 0.001, "{share}");
    }
}
