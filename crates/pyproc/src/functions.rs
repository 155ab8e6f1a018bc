//! The functions that the workers of a pool expose.

use std::collections::HashMap;

use pyproc_ipc::message::FunctionInfo;

use crate::scheduler::Nanos;

/// An exposed function as the pool knows it.
pub(crate) struct Function {
    pub(crate) info: FunctionInfo,
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
}
