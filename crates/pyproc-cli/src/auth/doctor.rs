//! `pyproc auth doctor`: findings as text or as JSON.

use pyproc_identity::Pod;
use pyproc_identity::doctor::{Diagnosis, Finding, Kind, Verdict, examine};
use serde::Serialize;

use super::{DoctorArguments, ended, packages};
use crate::failure::Failure;
use crate::output;

/// What `--json` prints. Fields are added, never renamed; codes keep their meaning.
#[derive(Serialize)]
struct Report<'a> {
    /// Whether anything says that this pod should have an identity.
    expected: bool,
    /// The mechanism that counts.
    mechanism: Option<&'static str>,
    /// Whether tokens were exchanged.
    online: bool,
    /// The worst verdict.
    verdict: Verdict,
    /// Everything that was looked at, the worst first.
    findings: &'a [Finding],
}

pub(super) async fn run(pod: Pod, arguments: &DoctorArguments) -> Result<(), Failure> {
    let pod = packages::with_packages(pod).await;
    let diagnosis = examine(&pod, arguments.online).await;
    if arguments.json {
        output::json(&Report {
            expected: diagnosis.expected,
            mechanism: diagnosis
                .identity
                .as_ref()
                .map(|seen| seen.mechanism.name()),
            online: arguments.online,
            verdict: diagnosis.worst(),
            findings: &diagnosis.findings,
        })?;
    } else {
        output::text(&text(&diagnosis, arguments.online))?;
    }
    ended(diagnosis.status(arguments.strict))
}

fn text(diagnosis: &Diagnosis, online: bool) -> String {
    let mut text = match diagnosis.identity.as_ref().map(|seen| &seen.mechanism) {
        Some(mechanism) => match mechanism.principal() {
            Some(principal) => format!("{}, as {principal}\n\n", mechanism.title()),
            None => format!("{}\n\n", mechanism.title()),
        },
        None if diagnosis.absent => "The pod has no identity, and should have one.\n\n".to_owned(),
        None if diagnosis.expected => {
            "The pod may have an identity that cannot be looked at here.\n\n".to_owned()
        }
        None => "Nothing here expects a cloud identity.\n".to_owned(),
    };
    for finding in &diagnosis.findings {
        text.push_str(&paragraph(finding));
    }
    if diagnosis.expected && !online {
        text.push_str(
            "\nNothing was exchanged; `pyproc auth doctor --online` asks the cloud too.\n",
        );
    }
    text
}

fn paragraph(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    };
    let mut text = format!("{verdict} {}: {}\n", finding.code.name(), finding.summary);
    if finding.verdict == Verdict::Pass {
        return text;
    }
    for evidence in &finding.evidence {
        text.push_str(&format!("  seen: {evidence}\n"));
    }
    if !finding.cause.is_empty() {
        text.push_str(&format!("  why:  {}\n", finding.cause));
    }
    for remedy in &finding.remedies {
        let place = match remedy.kind {
            Kind::HelmValues => "in the chart's values",
            Kind::TrustPolicy => "as the role's trust policy, trust-policy.json",
            Kind::Shell => "as a command",
            Kind::Environment => "in the environment",
        };
        text.push_str(&format!("  do, {place}:\n"));
        for line in remedy.text.lines() {
            text.push_str(&format!("      {line}\n"));
        }
    }
    text.push('\n');
    text
}
