//! JSON. serde_json gives pieces of the text itself, and where a piece stands says its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::File;
use crate::config::given::{Data, Entries, Given, Name, Source};
use crate::config::problem::{Problem, Problems};

/// Deeper than any key goes: what is below is not looked at.
const DEPTH: usize = 3;

pub(super) fn parse(file: &File<'_>) -> Result<Given, Problems> {
    let root: &RawValue = serde_json::from_str(file.text).map_err(|error| Problem {
        source: file.at(error.line(), error.column().max(1)),
        sentence: no_json(&error),
    })?;
    given(file, root, 0)
}

fn no_json(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    format!("this is no JSON: {message}")
}

/// The members of an object, names and values as they stand in the text.
struct Members<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'t> Visitor<'t> for All {
            type Value = Members<'t>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}

fn given(file: &File<'_>, raw: &RawValue, depth: usize) -> Result<Given, Problems> {
    let text = raw.get();
    let data = match text.as_bytes().first() {
        Some(b'{') if depth < DEPTH => Data::Table(table(file, read(file, raw)?, depth)?),
        Some(b'{') => Data::Table(Entries::new()),
        Some(b'[') if depth < DEPTH => {
            let list: Vec<&RawValue> = read(file, raw)?;
            let list = list.into_iter().map(|raw| given(file, raw, depth + 1));
            Data::List(list.collect::<Result<_, _>>()?)
        }
        Some(b'[') => Data::List(Vec::new()),
        Some(b'"') => Data::Text(read(file, raw)?),
        Some(b't' | b'f') => Data::Truth(text == "true"),
        Some(b'n') => Data::Nothing,
        _ => match (text.parse(), text.parse()) {
            (Ok(whole), _) => Data::Whole(whole),
            (_, Ok(number)) => Data::Number(number),
            _ => Data::Other(text.to_owned()),
        },
    };
    let source = place(file, raw);
    Ok(Given { data, source })
}

fn table(
    file: &File<'_>,
    Members(members): Members<'_>,
    depth: usize,
) -> Result<Entries, Problems> {
    let mut entries = Entries::new();
    for (name, value) in members {
        let (text, source) = (read::<String>(file, name)?, place(file, name));
        if let Some((first, _)) = entries.iter().find(|(name, _)| name.text == text) {
            let message = format!("is given twice, first at {}", first.source);
            return Err(Problem::of(&text, &source, message).into());
        }
        entries.push((Name { text, source }, given(file, value, depth + 1)?));
    }
    Ok(entries)
}

/// A part of the text as what it is. It was found to be JSON before, but escapes are read only now.
fn read<'t, T: Deserialize<'t>>(file: &File<'_>, raw: &'t RawValue) -> Result<T, Problems> {
    serde_json::from_str(raw.get()).map_err(|error| {
        Problem {
            source: place(file, raw),
            sentence: no_json(&error),
        }
        .into()
    })
}

fn place(file: &File<'_>, raw: &RawValue) -> Source {
    // Both are parts of one text.
    file.place((raw.get().as_ptr() as usize).saturating_sub(file.text.as_ptr() as usize))
}
