//! Checks of the mounted token: can it be read, is it one, is it valid now and tomorrow.

use std::time::{Duration, UNIX_EPOCH};

use super::observation::{Observation, Seen};
use super::{Code, Finding, Remedy, remedy};
use crate::claims::Claims;
use crate::token_file::{Facts, TokenFileError};

/// What clocks may differ by.
const SKEW: u64 = 60;

pub(super) fn check(observation: &Observation<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for seen in &observation.seen {
        match &seen.token {
            None => {}
            Some(Err(error)) => findings.push(unusable(observation, error)),
            Some(Ok((claims, facts))) => findings.extend(usable(observation, seen, claims, facts)),
        }
    }
    findings
}

fn unusable(observation: &Observation<'_>, error: &TokenFileError) -> Finding {
    let sentence = error.to_string();
    match error {
        TokenFileError::Missing { .. } => Finding::fail(Code::TokenMissing, sentence)
            .because("the variable names a path at which nothing is mounted")
            .mend(remedy::restart(observation)),
        TokenFileError::Denied { gid, .. } => Finding::fail(Code::TokenUnreadable, sentence)
            .because("the kubelet wrote the token for another user, and the pod has no fsGroup")
            .mend(Remedy::helm(format!(
                "podSecurityContext:\n  fsGroup: {}\n",
                if *gid == 0 { 65532 } else { *gid }
            ))),
        TokenFileError::NotAFile { .. } => Finding::fail(Code::TokenMalformed, sentence).because(
            "the path is that of the volume, or the volume is mounted over the token's own name",
        )
        .mend(remedy::mounts(observation)),
        TokenFileError::Empty { .. }
        | TokenFileError::TooLarge { .. }
        | TokenFileError::Malformed { .. } => Finding::fail(Code::TokenMalformed, sentence)
            .because("something else than the projected token lies there")
            .mend(remedy::mounts(observation)),
        TokenFileError::Other { .. } => {
            Finding::fail(Code::TokenMalformed, sentence).mend(remedy::mounts(observation))
        }
    }
}

fn usable(
    observation: &Observation<'_>,
    seen: &Seen,
    claims: &Claims,
    facts: &Facts,
) -> Vec<Finding> {
    let path = facts.path.display();
    let now = observation
        .pod
        .now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut findings = vec![
        Finding::pass(Code::TokenUnreadable, format!("{path} can be read")).seen(format!(
            "mode {:04o}, owner {}:{}",
            facts.mode, facts.owner, facts.group
        )),
        Finding::pass(Code::TokenMissing, format!("{path} is there")),
    ];
    let wants_header = matches!(
        seen.mechanism,
        crate::mechanism::Mechanism::EksPodIdentity(_)
    );
    findings.push(if facts.line_break && wants_header {
        Finding::fail(Code::TokenMalformed, format!("{path} ends with a line break"))
            .because("SDKs send the file as it is in a header, which cannot carry one; the kubelet writes none")
            .mend(remedy::mounts(observation))
    } else {
        Finding::pass(Code::TokenMalformed, format!("{path} is a token")).seen_all(super::observation::claims_lines(claims))
    });
    findings.push(expiry(observation, claims, facts, now));
    findings.push(frozen(observation, claims, facts, now));
    findings.push(from_the_future(claims, now));
    findings.push(lifetime(claims));
    findings
}

fn expiry(observation: &Observation<'_>, claims: &Claims, facts: &Facts, now: u64) -> Finding {
    let path = facts.path.display();
    match claims.expires {
        Some(expires) if expires <= now => {
            let ago = Duration::from_secs(now - expires);
            Finding::fail(Code::TokenExpired, format!("{path} expired {} ago", humantime::format_duration(ago)))
                .seen(format!("exp {expires}, now {now}"))
                .because("the kubelet has not renewed it: it is copied or frozen, the node was suspended, or a clock is wrong")
                .mend(remedy::restart(observation))
        }
        Some(expires) => Finding::pass(
            Code::TokenExpired,
            format!(
                "{path} is valid for {}",
                humantime::format_duration(Duration::from_secs(expires - now))
            ),
        ),
        None => Finding::warn(
            Code::TokenExpired,
            format!("{path} does not say when it expires"),
        ),
    }
}

fn frozen(observation: &Observation<'_>, claims: &Claims, facts: &Facts, now: u64) -> Finding {
    let path = facts.path.display();
    if facts.replaceable {
        return Finding::pass(
            Code::Subpath,
            format!("{path} can be replaced by the kubelet"),
        );
    }
    let written = facts
        .modified
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|time| time.as_secs());
    let due = claims
        .lifetime()
        .zip(written)
        .is_some_and(|(lifetime, written)| written + lifetime / 5 * 4 < now);
    let summary = format!("{path} is no file of a volume that the kubelet replaces");
    let finding = if due {
        Finding::fail(Code::Subpath, summary).seen("it is older than 80 % of the token's time")
    } else {
        Finding::warn(Code::Subpath, summary)
    };
    finding
        .seen("there is no ..data beside it")
        .because("a subPath mount and a copy keep the first token for ever")
        .mend(remedy::mounts(observation))
}

fn from_the_future(claims: &Claims, now: u64) -> Finding {
    let from = claims.not_before.max(claims.issued).unwrap_or(0);
    if from > now + SKEW {
        return Finding::fail(
            Code::ClockSkew,
            format!("the token is valid from {} s in the future", from - now),
        )
        .seen(format!("nbf or iat {from}, now {now}"))
        .because("the clock of this node is behind that of the Kubernetes API server")
        .mend(remedy::set_clock());
    }
    Finding::pass(Code::ClockSkew, "the token is not from the future")
}

fn lifetime(claims: &Claims) -> Finding {
    match claims.lifetime() {
        Some(lifetime) => Finding::pass(
            Code::TokenLifetime,
            format!(
                "tokens are valid for {}",
                humantime::format_duration(Duration::from_secs(lifetime))
            ),
        ),
        None => Finding::pass(
            Code::TokenLifetime,
            "the token does not say for how long it is valid",
        ),
    }
}
