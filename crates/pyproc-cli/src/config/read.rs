//! Whether a value is of its key's kind, and what it is as plain data.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::given::{Data, Entries, Given, Source};
use super::keys::{Key, Kind};
use super::problem::Problem;

/// Reads the value of a key; the places of its parts go to `sources`.
pub(super) fn read(
    key: &Key,
    given: Given,
    sources: &mut BTreeMap<String, Source>,
) -> Result<Value, Vec<Problem>> {
    let name = key.name;
    sources.insert(name.to_owned(), given.source.clone());
    let wrong = |message: String| Err(vec![Problem::of(name, &given.source, message)]);
    let shown = given.data.to_string();
    match (&key.kind, given.data) {
        (_, Data::Nothing) => {
            wrong("has no value: give it one, or leave the key out for its default".to_owned())
        }
        (Kind::Number { least, most }, data) => match whole(&data) {
            Some(number) => match u32::try_from(number) {
                Ok(number) => Ok(number.into()),
                Err(_) => wrong(format!("is {shown}; it must be from {least} to {most}")),
            },
            None => wrong(format!("is {shown}, which is not a whole number")),
        },
        (Kind::TrueOrFalse, Data::Truth(truth)) => Ok(truth.into()),
        (Kind::TrueOrFalse, _) => wrong(format!("is {shown}; it must be true or false")),
        (Kind::Choice(words), Data::Text(text)) if words.contains(&text) => Ok(text.into()),
        (Kind::Choice(words), _) => {
            let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            let hint = match name {
                "log" => "; `log_filter` chooses what is shown",
                _ => "",
            };
            wrong(format!(
                "is {shown}; it must be {}{hint}",
                words.join(" or ")
            ))
        }
        (Kind::Text | Kind::Duration | Kind::Size, Data::Text(text)) => Ok(text.into()),
        // The pool says the same of its own.
        (Kind::Duration, _) => wrong(format!(
            "is {shown}, which is not a duration: write text with a unit, such as \"250ms\", \"10s\" or \"5m\""
        )),
        (Kind::Size, _) => wrong(format!(
            "is {shown}, which is not a size: write text with a unit, such as \"512KiB\", \"64MiB\" or \"1GiB\""
        )),
        (Kind::Text, _) => wrong(not_text(&shown)),
        (Kind::ListOfText, Data::List(list)) => read_list(name, list, sources),
        (Kind::ListOfText, _) => wrong(format!(
            "is {shown}, which is not a list: write one such as [\"--model\", \"small\"]"
        )),
        (Kind::TableOfText, Data::Table(entries)) => read_table(name, entries, sources),
        (Kind::TableOfText, _) => wrong(format!("is {shown}, which is not a table")),
    }
}

/// Helm writes large numbers as floating point.
fn whole(data: &Data) -> Option<i128> {
    match data {
        Data::Whole(number) => Some(*number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "within the bounds of the comparison"
        )]
        Data::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Some(*number as i128)
        }
        _ => None,
    }
}

fn not_text(shown: &str) -> String {
    format!("is {shown}, which is not text: put it in quotes")
}

fn read_list(
    key: &str,
    list: Vec<Given>,
    sources: &mut BTreeMap<String, Source>,
) -> Result<Value, Vec<Problem>> {
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    for (index, given) in list.into_iter().enumerate() {
        let place = format!("{key}[{index}]");
        sources.insert(place.clone(), given.source.clone());
        match given.data {
            Data::Text(text) => texts.push(Value::from(text)),
            other => problems.push(Problem::of(
                &place,
                &given.source,
                not_text(&other.to_string()),
            )),
        }
    }
    if problems.is_empty() {
        Ok(texts.into())
    } else {
        Err(problems)
    }
}

/// Values may be secret: they are not shown.
fn read_table(
    key: &str,
    entries: Entries,
    sources: &mut BTreeMap<String, Source>,
) -> Result<Value, Vec<Problem>> {
    let (mut texts, mut problems) = (Map::new(), Vec::new());
    for (name, given) in entries {
        let place = format!("{key}.{}", name.text);
        sources.insert(place.clone(), given.source.clone());
        match given.data {
            Data::Text(text) => {
                texts.insert(name.text, text.into());
            }
            _ => problems.push(Problem::of(
                &place,
                &given.source,
                "is not text: put it in quotes",
            )),
        }
    }
    if problems.is_empty() {
        Ok(texts.into())
    } else {
        Err(problems)
    }
}

/// What stands in a variable or on the command line, as a file would say it.
pub(super) fn from_text(kind: &Kind, text: &str, source: &Source) -> Given {
    let given = |data| Given {
        data,
        source: source.clone(),
    };
    let data = match kind {
        Kind::Number { .. } => text.trim().parse().ok().map(Data::Whole),
        Kind::TrueOrFalse => text.trim().parse().ok().map(Data::Truth),
        Kind::ListOfText => serde_json::from_str::<Vec<String>>(text)
            .ok()
            .map(|list| Data::List(list.into_iter().map(Data::Text).map(given).collect())),
        _ => None,
    };
    given(data.unwrap_or_else(|| Data::Text(text.to_owned())))
}
