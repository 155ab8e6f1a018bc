//! The flags of `serve` and `config`, one for every key, made from the keys.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::given::{Data, Entries, Given, Name, Source};
use super::keys::{Key, Kind, keys};
use super::problem::Problem;
use super::read;

/// The flag that names the configuration file.
const FILE: &str = "config";

/// What the command line says.
#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) entries: Entries,
    /// The configuration file.
    pub(crate) file: Option<String>,
    pub(crate) problems: Vec<Problem>,
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .help("A configuration file: TOML, YAML or JSON by its extension [PYPROC_CONFIG]");
        keys()
            .iter()
            .fold(command.arg(file), |command, key| command.arg(argument(key)))
            .after_help(
                "Every flag but --env is a variable (--max-body: PYPROC_MAX_BODY) and a key of the configuration file \
                 (max_body) as well; ARGS are args, in PYPROC_ARGS a JSON array. Flags win over variables, \
                 variables over the file, the file over defaults; --env adds to what the file has. Paths are \
                 relative to the current folder, that of a worker script to --working-dir. `pyproc config` shows what is in force and where it came from.",
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(key: &'static Key) -> Arg {
    let argument = Arg::new(key.name)
        .help(key.summary.replace('`', ""))
        .help_heading(key.group);
    match (key.name, &key.flag) {
        ("target", _) => Arg::new(key.name)
            .value_name("TARGET")
            .help("path.py, module, or module:function"),
        ("args", _) => Arg::new(key.name)
            .value_name("ARGS")
            .help("Arguments for the script, its sys.argv[1:]")
            .num_args(0..)
            .last(true),
        (_, flag) => {
            let argument = argument.long(flag.as_deref()).value_name(value_name(key));
            match key.kind {
                Kind::TrueOrFalse => argument
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
                    .hide_possible_values(true),
                Kind::TableOfText => argument.action(ArgAction::Append),
                _ => argument,
            }
        }
    }
}

fn value_name(key: &Key) -> &'static str {
    match (key.name, &key.kind) {
        ("listen" | "metrics_listen", _) => "PLACE",
        ("python" | "token_file", _) => "FILE",
        ("working_dir", _) => "FOLDER",
        ("log_filter", _) => "FILTER",
        ("otlp_endpoint", _) => "URL",
        (_, Kind::Number { .. }) => "N",
        (_, Kind::Duration) => "DURATION",
        (_, Kind::Size) => "SIZE",
        (_, Kind::Choice(_)) => "FORMAT",
        (_, Kind::TrueOrFalse) => "true|false",
        (_, Kind::TableOfText) => "NAME=VALUE",
        (_, Kind::Text | Kind::ListOfText) => "TEXT",
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self {
            file: matches.get_one::<String>(FILE).cloned(),
            ..Self::default()
        };
        for key in keys() {
            if matches.value_source(key.name) != Some(ValueSource::CommandLine) {
                continue;
            }
            let values = matches.get_many::<String>(key.name).unwrap_or_default();
            let values: Vec<&str> = values.map(String::as_str).collect();
            flags.add(key, &values);
        }
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Flags {
    fn add(&mut self, key: &Key, values: &[&str]) {
        let source = Source::CommandLine(match key.kind {
            Kind::ListOfText => "ARGS".to_owned(),
            _ => key.on_command_line(),
        });
        let text = |text: &str| Given {
            data: Data::Text(text.to_owned()),
            source: source.clone(),
        };
        let given = match (&key.kind, values) {
            (Kind::ListOfText, list) => Given {
                data: Data::List(list.iter().copied().map(text).collect()),
                source: source.clone(),
            },
            (Kind::TableOfText, variables) => {
                let entries = variables.iter().filter_map(|variable| {
                    let pair = variable.split_once('=');
                    if pair.is_none() {
                        // It may be the value that was meant to be secret.
                        self.problems.push(Problem {
                            source: source.clone(),
                            sentence: "a value has no `=`; write NAME=VALUE".to_owned(),
                        });
                    }
                    let (name, value) = pair?;
                    let name = Name {
                        text: name.to_owned(),
                        source: source.clone(),
                    };
                    Some((name, text(value)))
                });
                Given {
                    data: Data::Table(entries.collect()),
                    source: source.clone(),
                }
            }
            (kind, [.., value]) => read::from_text(kind, value, &source),
            (_, []) => return,
        };
        let text = key.name.to_owned();
        self.entries.push((Name { text, source }, given));
    }

    /// The place that the file's name came from.
    pub(crate) fn file_source() -> Source {
        Source::CommandLine(format!("--{FILE}"))
    }
}
