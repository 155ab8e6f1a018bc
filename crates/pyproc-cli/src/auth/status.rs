//! `pyproc auth status`: which identity, whose, until when.

use std::time::{Duration, UNIX_EPOCH};

use pyproc_identity::doctor::{Diagnosis, Verdict, examine};
use pyproc_identity::{Pod, written};
use serde::Serialize;

use super::{StatusArguments, ended};
use crate::failure::Failure;
use crate::output;

/// What `--json` prints. Fields are added, never renamed.
#[derive(Serialize)]
struct Status {
    /// Whether anything says that this pod should have an identity.
    expected: bool,
    /// The provider of the pod's template.
    expected_provider: Option<&'static str>,
    /// The identity of the pod's template.
    expected_principal: Option<String>,
    /// The mechanism that counts.
    mechanism: Option<&'static str>,
    /// All mechanisms that are set up.
    mechanisms: Vec<&'static str>,
    /// Whom the pod acts as; with `--online`, whom the cloud sees.
    principal: Option<String>,
    /// Until when the credential is good; only with `--online`.
    expires: Option<String>,
    /// Until when the mounted token is good.
    token_expires: Option<String>,
    /// Whether the exchange went well; only with `--online`.
    exchanged: Option<bool>,
    /// Where stored keys lie.
    static_keys: Vec<String>,
    /// What is broken, as `pyproc auth doctor` says it at length.
    broken: Vec<Broken>,
}

#[derive(Serialize)]
struct Broken {
    code: String,
    summary: String,
}

pub(super) async fn run(pod: &Pod, arguments: &StatusArguments) -> Result<(), Failure> {
    let diagnosis = examine(pod, arguments.online).await;
    let status = Status::of(&diagnosis);
    if arguments.json {
        output::json(&status)?;
    } else {
        output::text(&text(&status, &diagnosis))?;
    }
    ended(diagnosis.status(false))
}

impl Status {
    fn of(diagnosis: &Diagnosis) -> Self {
        let (detection, identity) = (&diagnosis.detection, diagnosis.identity.as_ref());
        let mechanism = identity.map(|seen| &seen.mechanism);
        let named = || {
            mechanism
                .and_then(|mechanism| mechanism.principal())
                .map(str::to_owned)
        };
        Self {
            expected: diagnosis.expected,
            expected_provider: detection
                .expected
                .provider()
                .map(|provider| provider.name()),
            expected_principal: detection.expected.principal.clone(),
            mechanism: mechanism.map(|mechanism| mechanism.name()),
            mechanisms: detection
                .mechanisms
                .iter()
                .map(|mechanism| mechanism.name())
                .collect(),
            principal: identity
                .and_then(|seen| seen.principal.clone())
                .or_else(named),
            expires: identity.and_then(|seen| seen.expires).map(written),
            token_expires: identity
                .and_then(|seen| seen.token_expires)
                .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
                .map(written),
            exchanged: identity.and_then(|seen| seen.exchanged),
            static_keys: detection
                .static_keys
                .iter()
                .map(|key| key.place.clone())
                .collect(),
            broken: diagnosis
                .troubles()
                .filter(|finding| finding.verdict == Verdict::Fail)
                .map(|finding| Broken {
                    code: finding.code.name().to_owned(),
                    summary: finding.summary.clone(),
                })
                .collect(),
        }
    }
}

fn text(status: &Status, diagnosis: &Diagnosis) -> String {
    let mut lines = Vec::new();
    match diagnosis.identity.as_ref() {
        Some(seen) => lines.push(format!("mechanism      {}", seen.mechanism.title())),
        None if diagnosis.absent => {
            lines.push("mechanism      none, and one is expected".to_owned())
        }
        None if diagnosis.expected => {
            lines.push("mechanism      none that can be looked at here".to_owned())
        }
        None => lines.push("mechanism      none, and nothing here expects one".to_owned()),
    }
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            lines.push(format!("{name:<15}{value}"));
        }
    };
    line("expected", status.expected_provider);
    line("expected as", status.expected_principal.as_deref());
    line("acts as", status.principal.as_deref());
    line("token until", status.token_expires.as_deref());
    line("until", status.expires.as_deref());
    for key in &status.static_keys {
        line("stored key", Some(key));
    }
    for broken in &status.broken {
        line(
            "broken",
            Some(&format!("{}: {}", broken.code, broken.summary)),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}
