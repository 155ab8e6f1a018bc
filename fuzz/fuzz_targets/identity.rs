//! What the clouds, the kubelet and whoever mounts files can put before the parsers of pyproc-identity.
#![no_main]

use std::path::Path;
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use pyproc_identity::claims::Claims;
use pyproc_identity::exchange::{agent, aws, entra, google, metadata};
use pyproc_identity::external_account::{ExternalAccount, credentials_type};
use pyproc_identity::http::NoProxy;
use pyproc_identity::{Secret, expected, scrubbed, written};

fuzz_target!(|input: &[u8]| {
    // The first byte chooses the parser, so that each has its own part of the corpus.
    let Some((which, input)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(input);
    match which % 8 {
        0 => {
            let _ = aws::parse_session(&text);
            let _ = aws::parse_error(&text);
            let _ = aws::parse_caller(&text);
        }
        1 => {
            // A provider may name any time.
            if let Ok(token) = entra::parse(input) {
                let expires = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(token.expires_in));
                let _ = expires.map(written);
            }
            let _ = entra::parse_error(input);
        }
        2 => {
            let _ = google::parse_impersonation(input);
            let (code, _) = google::parse_error(input);
            assert!(!code.is_empty() && code.len() <= 80);
        }
        3 => {
            let line = metadata::parse_text(input);
            assert!(line.is_none_or(|line| !line.is_empty() && !line.contains('\n')));
            let _ = expected::parse(&text);
        }
        4 => {
            if let Ok(claims) = Claims::parse(&text) {
                let _ = (claims.service_account(), claims.lifetime());
            }
        }
        5 => {
            let _ = ExternalAccount::parse(input, Path::new("/c"));
            let _ = credentials_type(input);
        }
        6 => {
            let _ = agent::parse(input);
            let _ = agent::parse_error(&text);
            let _ = agent::is_allowed(&text);
        }
        _ => {
            let (first, rest) = text.split_at(text.floor_char_boundary(text.len() / 2));
            let _ = NoProxy::parse(first).covers(rest, 80);
            let secret = Secret::new(first.to_owned());
            let clean = scrubbed(&format!("{first}{rest}"), &[&secret]);
            // What stands in a secret's place cannot make up a word of letters and digits with what is around it.
            let word = first.len() > 8 && first.bytes().all(|byte| byte.is_ascii_alphanumeric());
            assert!(!word || !clean.contains(first), "a secret came through");
        }
    }
});
