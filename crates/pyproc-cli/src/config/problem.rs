//! What is wrong with a configuration, all of it, each with its place.

use std::fmt;

use super::given::Source;
use crate::failure::Failure;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) source: Source,
    /// The whole sentence, with the key if there is one.
    pub(crate) sentence: String,
}

impl Problem {
    /// A problem of a key, whose message goes on after the key.
    pub(crate) fn of(key: &str, source: &Source, message: impl fmt::Display) -> Self {
        Self {
            source: source.clone(),
            sentence: format!("`{key}` {message}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source != Source::Default {
            write!(formatter, "{}: ", self.source)?;
        }
        formatter.write_str(&self.sentence)
    }
}

/// Everything that is wrong: in the order of the file, then that of the other sources.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// `Err` with the problems, if there are any.
    pub(crate) fn check(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|one, other| one.source.cmp(&other.source));
        Err(Self(problems))
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Usage(problems.to_string())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => only.fmt(formatter),
            problems => {
                let count = problems.len();
                write!(formatter, "the configuration has {count} problems:")?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(formatter, "\n  {problem}"))
            }
        }
    }
}
