//! One finding: a code, a verdict, what was seen, why, and what to do.

use serde::Serialize;

use super::Code;
use super::remedy::quoted;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// It works, or may work; something is not as it should be.
    Warn,
    /// It does not work.
    Fail,
}

/// What was looked at, and what came of it. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub code: Code,
    /// How bad it is.
    pub verdict: Verdict,
    /// The finding in one sentence.
    pub summary: String,
    /// What was seen: claims, modes, names of variables, the provider's words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Why that is so, as far as can be told from here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// What to do, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

/// Something that can be pasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// Where it is pasted.
    pub kind: Kind,
    /// What is pasted.
    pub text: String,
}

/// Where a remedy belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Values of the chart, as YAML.
    HelmValues,
    /// The trust policy of a role, as JSON.
    TrustPolicy,
    /// A command.
    Shell,
    /// Lines of an environment.
    Environment,
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn pass(code: Code, summary: impl Into<String>) -> Self {
        Self::new(code, Verdict::Pass, summary)
    }

    /// It may not be as it should be.
    #[must_use]
    pub fn warn(code: Code, summary: impl Into<String>) -> Self {
        Self::new(code, Verdict::Warn, summary)
    }

    /// It does not work.
    #[must_use]
    pub fn fail(code: Code, summary: impl Into<String>) -> Self {
        Self::new(code, Verdict::Fail, summary)
    }

    fn new(code: Code, verdict: Verdict, summary: impl Into<String>) -> Self {
        let summary = summary.into();
        Self {
            code,
            verdict,
            summary,
            evidence: Vec::new(),
            cause: String::new(),
            remedies: Vec::new(),
        }
    }

    /// With something that was seen.
    #[must_use]
    pub fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    /// With several things that were seen.
    #[must_use]
    pub fn seen_all(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// With several things to do.
    #[must_use]
    pub fn mend_all(mut self, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        self.remedies.extend(remedies);
        self
    }

    /// With something to do.
    #[must_use]
    pub fn mend(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }
}

impl Remedy {
    /// Values of the chart.
    #[must_use]
    pub fn helm(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::HelmValues,
            text: text.into(),
        }
    }

    /// A command of these words, each quoted where a shell would read more into it: some of them are claims
    /// of a token, which anybody may have written.
    #[must_use]
    pub fn command(words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        Self {
            kind: Kind::Shell,
            text: words.join(" "),
        }
    }

    /// Lines of an environment.
    #[must_use]
    pub fn environment(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Environment,
            text: text.into(),
        }
    }

    /// A trust policy.
    #[must_use]
    pub fn trust_policy(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::TrustPolicy,
            text: text.into(),
        }
    }
}
