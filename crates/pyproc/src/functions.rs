//! The functions that the workers of a pool expose.

use std::collections::HashMap;
use std::time::Duration;

use pyproc_ipc::message;

use crate::scheduler::Nanos;

/// A function that the workers expose; from [`Pool::functions`](crate::Pool::functions).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// What callers name it by.
    pub name: String,
    /// A coroutine function: several calls of it may run at the same time in one worker.
    pub is_async: bool,
    /// Its own time limit, from `@expose(timeout=…)`; without one the pool's `timeout` holds.
    pub timeout: Option<Duration>,
    /// As Python shows it, such as `(req: Features) -> Prediction`.
    pub signature: String,
    /// Its docstring.
    pub doc: Option<String>,
    /// How a body becomes arguments, in words.
    pub body_mapping: String,
    /// JSON schema of the body, as JSON.
    pub parameters: Option<String>,
    /// JSON schema of the result, as JSON.
    pub returns: Option<String>,
}

impl FunctionInfo {
    /// What a worker has announced.
    fn new(announced: &message::FunctionInfo) -> Self {
        Self {
            name: announced.name.clone(),
            is_async: announced.is_async,
            timeout: announced.timeout_ns.map(Duration::from_nanos),
            signature: announced.signature.clone(),
            doc: announced.doc.clone(),
            body_mapping: announced.body_mapping.clone(),
            parameters: announced.parameters.clone(),
            returns: announced.returns.clone(),
        }
    }
}

/// An exposed function as the pool knows it.
pub(crate) struct Function {
    pub(crate) info: message::FunctionInfo,
    /// How long it may run.
    pub(crate) limit_ns: Nanos,
}

/// Names and numbers of the functions; fixed once the pool has started.
#[derive(Default)]
pub(crate) struct Functions {
    pub(crate) list: Vec<Function>,
    numbers: HashMap<Box<str>, usize, foldhash::fast::RandomState>,
}

impl Functions {
    pub(crate) fn new(list: Vec<Function>) -> Self {
        let numbers = list
            .iter()
            .enumerate()
            .map(|(number, function)| (function.info.name.as_str().into(), number));
        Self {
            numbers: numbers.collect(),
            list,
        }
    }

    #[inline]
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.list
            .iter()
            .map(|function| function.info.name.clone())
            .collect()
    }

    pub(crate) fn described(&self) -> Vec<FunctionInfo> {
        self.list
            .iter()
            .map(|function| FunctionInfo::new(&function.info))
            .collect()
    }
}
