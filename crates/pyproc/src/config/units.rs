//! Durations and sizes as text with units.

use std::time::Duration;

/// Reads `250ms`, `1m`, `1h 30m`. A number alone is refused, zero included: it says too little.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if text.trim().bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    humantime::parse_duration(text.trim()).ok()
}

/// Reads `64MiB`, `1.5 GB`, `100B`. A number alone is refused.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    if !text
        .trim()
        .ends_with(|last: char| last.is_ascii_alphabetic())
    {
        return None;
    }
    text.trim()
        .parse::<bytesize::ByteSize>()
        .ok()
        .map(|size| size.as_u64())
}

/// Writes a duration so that [`parse_duration`] reads the same: `1m 30s`.
pub(crate) fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Writes a size so that [`parse_size`] reads the same: the largest unit that leaves a whole number.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.trailing_zeros() as usize / 10).min(UNITS.len() - 1);
    if bytes == 0 {
        return "0B".to_owned();
    }
    format!("{}{}", bytes >> (10 * unit), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_need_a_unit() {
        for text in ["", "0", "60", "1.5", "-1s", "soon"] {
            assert_eq!(parse_duration(text), None, "{text}");
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(parse_duration("0s"), Some(Duration::ZERO));
        assert_eq!(parse_duration("1m"), Some(Duration::from_secs(60)));
        assert_eq!(parse_size("0B"), Some(0));
        assert_eq!(parse_size("64 MiB"), Some(64 << 20));
        assert_eq!(parse_size("1GB"), Some(1_000_000_000));
        assert_eq!(parse_size("1ZB"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(nanoseconds: u64, size in 0u64..1 << 50, shift in 0u32..50) {
            let span = Duration::from_nanos(nanoseconds);
            prop_assert_eq!(parse_duration(&duration(span)), Some(span));
            let size = size >> shift << shift;
            prop_assert_eq!(parse_size(&bytes(size)), Some(size));
        }
    }
}
