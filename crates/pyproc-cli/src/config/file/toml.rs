//! TOML, with the spans that its own parser gives.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::File;
use crate::config::given::{Data, Entries, Given, Name};
use crate::config::problem::{Problem, Problems};

pub(super) fn parse(file: &File<'_>) -> Result<Given, Problems> {
    let (root, errors) = DeTable::parse_recoverable(file.text);
    let problems = errors.iter().map(|error| Problem {
        source: file.place(error.span().map_or(0, |span| span.start)),
        sentence: format!("this is no TOML: {}", error.message()),
    });
    Problems::check(problems.collect())?;
    Ok(file.given(0, Data::Table(table(file, root.get_ref()))))
}

fn table(file: &File<'_>, table: &DeTable<'_>) -> Entries {
    let entries = table.iter().map(|(name, value)| {
        let name = Name {
            text: name.get_ref().to_string(),
            source: file.place(name.span().start),
        };
        (name, given(file, value))
    });
    entries.collect()
}

fn given(file: &File<'_>, value: &Spanned<DeValue<'_>>) -> Given {
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Data::Other(number.to_string()), Data::Whole),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or_else(|_| Data::Other(number.to_string()), Data::Number),
        DeValue::Boolean(truth) => Data::Truth(*truth),
        DeValue::Datetime(date) => Data::Other(format!("the date {date}")),
        DeValue::Array(list) => Data::List(list.iter().map(|value| given(file, value)).collect()),
        DeValue::Table(entries) => Data::Table(table(file, entries)),
    };
    file.given(value.span().start, data)
}
