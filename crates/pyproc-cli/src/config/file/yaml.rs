//! YAML 1.2, with saphyr's marks. `on`, `off`, `yes` and `no` are text there.

use saphyr::{LoadableYamlNode, MarkedYaml, Marker, Scalar, YamlData};

use super::File;
use crate::config::given::{Data, Given, Name, Source};
use crate::config::problem::{Problem, Problems};

pub(super) fn parse(file: &File<'_>) -> Result<Given, Problems> {
    let documents = MarkedYaml::load_from_str(file.text).map_err(|error| Problem {
        source: place(file, error.marker()),
        sentence: format!("this is no YAML: {}", error.info()),
    })?;
    match documents.as_slice() {
        [] => Ok(file.given(0, Data::Nothing)),
        [only] => given(file, only),
        [_, second, ..] => Err(Problem {
            source: place(file, &second.span.start),
            sentence: "a second document begins here, and a configuration is one".to_owned(),
        }
        .into()),
    }
}

fn place(file: &File<'_>, mark: &Marker) -> Source {
    file.at(mark.line(), mark.col() + 1)
}

fn given(file: &File<'_>, node: &MarkedYaml<'_>) -> Result<Given, Problems> {
    let data = match &node.data {
        YamlData::Value(scalar) => self::scalar(scalar),
        YamlData::Sequence(list) => {
            let list: Result<Vec<_>, _> = list.iter().map(|node| given(file, node)).collect();
            Data::List(list?)
        }
        YamlData::Mapping(table) => {
            let entries = table.iter().map(|(name, value)| {
                let source = place(file, &name.span.start);
                let text = match &name.data {
                    YamlData::Value(Scalar::String(text)) => text.to_string(),
                    YamlData::Value(other) => self::scalar(other).to_string(),
                    _ => {
                        let sentence = "a key must be text".to_owned();
                        return Err(Problem { source, sentence }.into());
                    }
                };
                Ok((Name { text, source }, given(file, value)?))
            });
            Data::Table(entries.collect::<Result<_, Problems>>()?)
        }
        YamlData::Tagged(..) => Data::Other("a value with a tag".to_owned()),
        YamlData::BadValue => match node.span.is_empty() {
            true => Data::Nothing,
            false => Data::Other("a value that does not fit its tag".to_owned()),
        },
        // What is not looked at until it is asked for; `load_from_str` looks at everything.
        YamlData::Representation(text, ..) => Data::Text(text.to_string()),
        YamlData::Alias(_) => Data::Other("an alias".to_owned()),
    };
    let source = place(file, &node.span.start);
    Ok(Given { data, source })
}

fn scalar(scalar: &Scalar<'_>) -> Data {
    match scalar {
        Scalar::Null => Data::Nothing,
        Scalar::Boolean(truth) => Data::Truth(*truth),
        Scalar::Integer(number) => Data::Whole((*number).into()),
        Scalar::FloatingPoint(number) => Data::Number(number.into_inner()),
        Scalar::String(text) => Data::Text(text.to_string()),
    }
}
