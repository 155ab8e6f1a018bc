//! Values as they were given, each with the place that it came from.

use std::fmt;
use std::rc::Rc;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A place in the file, from line and column 1.
    File {
        path: Rc<str>,
        line: usize,
        column: usize,
    },
    /// An environment variable.
    Variable(String),
    /// The command line: the flag with its dashes, or what stands there without one.
    CommandLine(String),
    /// Nobody gave it.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(formatter, "{path}:{line}:{column}"),
            Self::Variable(name) => formatter.write_str(name),
            Self::CommandLine(argument) => formatter.write_str(argument),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) data: Data,
    pub(crate) source: Source,
}

/// What any of the formats can say.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    Nothing,
    Truth(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Given>),
    Table(Entries),
    /// What no key can be, as it is called in a message: `a date`.
    Other(String),
}

/// Names and values, in the order in which they were given.
pub(crate) type Entries = Vec<(Name, Given)>;

/// A key, or a name in a table.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) source: Source,
}

impl fmt::Display for Data {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("nothing"),
            Self::Truth(truth) => truth.fmt(formatter),
            Self::Whole(number) => number.fmt(formatter),
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::List(_) => formatter.write_str("a list"),
            Self::Table(_) => formatter.write_str("a table"),
            Self::Other(other) => formatter.write_str(other),
        }
    }
}
