//! What a run found out: figures, bars and what could not be measured. Kept as JSON, to which a run
//! of single parts adds: of the same machine, the parts that it did not measure stay.

pub(crate) mod print;
pub(crate) mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::machine::Machine;
use crate::statistics::{median, spread};

/// How a number is read.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Nanoseconds,
    CallsPerSecond,
    /// CPU seconds per second.
    Cpus,
    GigabytesPerSecond,
    Megabytes,
    /// A plain number.
    Number,
}

/// One row: what was measured, once per round.
#[derive(Deserialize, Serialize)]
pub(crate) struct Figure {
    part: String,
    name: String,
    unit: Unit,
    median: f64,
    smallest: f64,
    largest: f64,
    rounds: Vec<f64>,
}

/// A promise: a measured ratio and its limit.
#[derive(Deserialize, Serialize)]
struct Bar {
    part: String,
    name: String,
    measured: f64,
    /// The measured value may be at most this, or must be at least this.
    at_most: Option<f64>,
    at_least: Option<f64>,
    kept: bool,
    rounds: Vec<f64>,
}

/// What pyproc should have been compared with, and why it was not.
#[derive(Deserialize, Serialize)]
pub(crate) struct Missing {
    part: String,
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// All that is known about this machine.
#[derive(Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Versions of the peers' packages.
    pub(crate) packages: BTreeMap<String, String>,
    figures: Vec<Figure>,
    bars: Vec<Bar>,
    pub(crate) missing: Vec<Missing>,
    /// The parts that this run measures.
    #[serde(skip)]
    measured: BTreeSet<String>,
}

impl Report {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            packages: BTreeMap::new(),
            figures: Vec::new(),
            bars: Vec::new(),
            missing: Vec::new(),
            measured: BTreeSet::new(),
        }
    }

    /// What earlier runs on the same machine found out; empty if there are none.
    pub(crate) fn resume(path: &Path, machine: Machine) -> Self {
        match Self::read(path) {
            Ok(earlier) if earlier.machine == machine => earlier,
            _ => Self::new(machine),
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text)
            .map_err(|error| format!("{} is not a report: {error}", path.display()))?)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// A part is about to be measured: what was known about it is forgotten.
    pub(crate) fn begin(&mut self, part: &str) {
        self.figures.retain(|figure| figure.part != part);
        self.bars.retain(|bar| bar.part != part);
        self.missing.retain(|missing| missing.part != part);
        self.measured.insert(part.to_owned());
    }

    /// Puts the parts into this order, whenever they were measured.
    pub(crate) fn order(&mut self, parts: &[&str]) {
        let place = |part: &String| parts.iter().position(|name| name == part);
        self.figures.sort_by_key(|figure| place(&figure.part));
        self.bars.sort_by_key(|bar| place(&bar.part));
        self.missing.sort_by_key(|missing| place(&missing.part));
    }

    pub(crate) fn figure(
        &mut self,
        part: &str,
        name: impl Into<String>,
        unit: Unit,
        rounds: &[f64],
    ) {
        let (smallest, largest) = spread(rounds);
        self.figures.push(Figure {
            part: part.to_owned(),
            name: name.into(),
            unit,
            median: median(rounds),
            smallest,
            largest,
            rounds: rounds.to_vec(),
        });
    }

    /// The median of the rounds' ratios may be at most `limit`.
    pub(crate) fn at_most(
        &mut self,
        part: &str,
        name: impl Into<String>,
        rounds: &[f64],
        limit: f64,
    ) {
        let measured = median(rounds);
        self.bars.push(Bar {
            part: part.to_owned(),
            name: name.into(),
            measured,
            at_most: Some(limit),
            at_least: None,
            kept: measured <= limit,
            rounds: rounds.to_vec(),
        });
    }

    /// The median of the rounds' ratios must be at least `limit`.
    pub(crate) fn at_least(
        &mut self,
        part: &str,
        name: impl Into<String>,
        rounds: &[f64],
        limit: f64,
    ) {
        let measured = median(rounds);
        self.bars.push(Bar {
            part: part.to_owned(),
            name: name.into(),
            measured,
            at_most: None,
            at_least: Some(limit),
            kept: measured >= limit,
            rounds: rounds.to_vec(),
        });
    }

    pub(crate) fn missing(
        &mut self,
        part: &str,
        name: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.missing.push(Missing {
            part: part.to_owned(),
            name: name.into(),
            reason: reason.into(),
        });
    }

    /// What was measured under this name.
    pub(crate) fn find(&self, part: &str, name: &str) -> Option<&Figure> {
        self.figures
            .iter()
            .find(|figure| figure.part == part && figure.name == name)
    }

    /// Its median.
    pub(crate) fn median(&self, part: &str, name: &str) -> Option<f64> {
        self.find(part, name).map(|figure| figure.median)
    }

    /// How often each figure of a part was measured.
    pub(crate) fn rounds(&self, part: &str) -> usize {
        let of_part = self.figures.iter().filter(|figure| figure.part == part);
        of_part.map(|figure| figure.rounds.len()).max().unwrap_or(0)
    }

    /// How many bars of the parts that this run measured were missed.
    pub(crate) fn missed(&self) -> usize {
        self.judged().filter(|bar| !bar.kept).count()
    }

    /// The bars of the parts that this run measured.
    fn judged(&self) -> impl Iterator<Item = &Bar> {
        self.bars
            .iter()
            .filter(|bar| self.measured.contains(&bar.part))
    }
}

#[cfg(test)]
mod tests;
