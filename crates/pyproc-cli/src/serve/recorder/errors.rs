//! The last errors, bounded however fast they come.

use std::collections::VecDeque;

use serde::Serialize;

use crate::serve::problem::Problem;

/// Errors that are kept of each kind.
const KEPT: usize = 20;

/// Bytes of a sentence that are kept.
const LONGEST: usize = 500;

/// An error as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::serve) struct Failed {
    /// When it last came, in seconds since 1970.
    time: f64,
    /// How often it has come in a row.
    count: u64,
    function: Option<String>,
    status: u16,
    code: &'static str,
    detail: String,
    /// Of the last request that had it.
    request_id: String,
}

impl Failed {
    pub(super) fn new(problem: &Problem, request_id: &str, time: f64) -> Self {
        let document = &problem.document;
        Self {
            time,
            count: 1,
            function: document.function.as_deref().map(cut),
            status: problem.status().as_u16(),
            code: document.code,
            detail: cut(&document.detail),
            request_id: request_id.to_owned(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.status, self.code, &self.function, &self.detail)
            == (other.status, other.code, &other.function, &other.detail)
    }
}

/// What clients did wrong pushes out nothing that went wrong here.
#[derive(Debug, Default)]
pub(super) struct Errors {
    refused: VecDeque<Failed>,
    failed: VecDeque<Failed>,
}

impl Errors {
    pub(super) fn push(&mut self, mut failed: Failed) {
        let kept = if failed.status >= 500 {
            &mut self.failed
        } else {
            &mut self.refused
        };
        if let Some(last) = kept.back_mut()
            && last.is_same(&failed)
        {
            failed.count += last.count;
            *last = failed;
            return;
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(failed);
    }

    pub(super) fn newest_first(&self) -> Vec<Failed> {
        let mut all: Vec<Failed> = self.refused.iter().chain(&self.failed).cloned().collect();
        all.sort_by(|one, other| other.time.total_cmp(&one.time));
        all
    }
}

fn cut(sentence: &str) -> String {
    if sentence.len() <= LONGEST {
        return sentence.to_owned();
    }
    format!("{}…", &sentence[..sentence.floor_char_boundary(LONGEST)])
}
