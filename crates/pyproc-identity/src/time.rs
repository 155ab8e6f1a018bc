//! Times as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time as RFC 3339 writes it. Providers and files may name any time: one before 1970 or after the year
/// 9999, which cannot be written, is written as the nearest that can be.
#[must_use]
pub fn written(time: SystemTime) -> String {
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_seconds(time.clamp(UNIX_EPOCH, last)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_can_be_written() {
        let far = UNIX_EPOCH + Duration::from_secs(999_999_999_999);
        assert_eq!(written(far), "9999-12-31T23:59:59Z");
        let early = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(written(early), "1970-01-01T00:00:00Z");
        assert_eq!(
            written(UNIX_EPOCH + Duration::from_secs(1_795_548_900)),
            "2026-11-24T19:35:00Z"
        );
    }
}
