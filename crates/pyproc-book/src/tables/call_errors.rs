//! `CallError`: when each variant happens, from its comment, and what its methods answer.

use std::time::Duration;

use anyhow::{Result, ensure};
use pyproc::{CallError, Exit, OutOfMemory, Part, Phase, Retry};

use super::{rows, source};

pub(super) fn table() -> Result<String> {
    let mut table = Vec::new();
    for variant in source::variants("error/call.rs", "CallError")? {
        let examples = examples(&variant.name);
        ensure!(
            !examples.is_empty(),
            "give an example of CallError::{} in {}",
            variant.name,
            file!()
        );
        let when = variant.paragraphs.join(" ");
        let both = |answer: &dyn Fn(&CallError) -> String| one_or_each(&examples, answer);
        table.push(vec![
            format!("`{}`", variant.name),
            when,
            both(&|error| if error.may_have_run() { "yes" } else { "no" }.to_owned()),
            both(&|error| retry(error.retry())),
            both(&|error| error.http_status().to_string()),
            both(&|error| format!("`{}`", error.metric_label())),
        ]);
    }
    let head = [
        "Variant",
        "When",
        "May have run",
        "Retry",
        "HTTP",
        "Metric label",
    ];
    Ok(rows(&head, table))
}

/// The answer that all examples give, or each one's after what it is about.
fn one_or_each(examples: &[(&str, CallError)], answer: &dyn Fn(&CallError) -> String) -> String {
    let answers: Vec<(&str, String)> = examples
        .iter()
        .map(|(about, error)| (*about, answer(error)))
        .collect();
    match answers.as_slice() {
        [] => String::new(),
        [(_, first), rest @ ..] if rest.iter().all(|(_, other)| other == first) => first.clone(),
        answers => {
            let each: Vec<String> = answers
                .iter()
                .map(|(about, answer)| format!("{about}: {answer}"))
                .collect();
            each.join("; ")
        }
    }
}

fn retry(retry: Retry) -> String {
    match retry {
        Retry::Never => "`Never`",
        Retry::Safe => "`Safe`",
        Retry::IfIdempotent => "`IfIdempotent`",
        _ => "?",
    }
    .to_owned()
}

/// What a variant can be, as far as its methods tell apart.
fn examples(variant: &str) -> Vec<(&'static str, CallError)> {
    let text = String::new;
    let died = |may_have_run| CallError::WorkerDied {
        pid: 1,
        exit: Exit::Signal(9),
        out_of_memory: OutOfMemory::No,
        stderr_tail: text(),
        may_have_run,
    };
    let timeout = |phase| CallError::Timeout {
        phase,
        after: Duration::from_secs(1),
    };
    let too_large = |part| CallError::TooLarge {
        part,
        size: 2,
        limit: 1,
    };
    let only = |error| vec![("", error)];
    match variant {
        "Python" => only(CallError::Python {
            exception: text(),
            message: text(),
            traceback: text(),
        }),
        "Timeout" => vec![
            ("queue", timeout(Phase::Queue)),
            ("run", timeout(Phase::Run)),
        ],
        "WorkerDied" => vec![("not started", died(false)), ("started", died(true))],
        "Overloaded" => only(CallError::Overloaded {
            waiting: 1,
            limit: 1,
        }),
        "NoSuchFunction" => only(CallError::NoSuchFunction {
            name: text(),
            nearest: None,
            available: Vec::new(),
        }),
        "Malformed" => only(CallError::Malformed { message: text() }),
        "BadArgument" => only(CallError::BadArgument {
            path: text(),
            expected: text(),
            got: text(),
        }),
        "TooLarge" => vec![
            ("arguments", too_large(Part::Arguments)),
            ("result", too_large(Part::Result)),
        ],
        "BadResult" => only(CallError::BadResult { message: text() }),
        "Protocol" => only(CallError::Protocol { message: text() }),
        "Closed" => only(CallError::Closed),
        "Cancelled" => only(CallError::Cancelled),
        _ => Vec::new(),
    }
}
