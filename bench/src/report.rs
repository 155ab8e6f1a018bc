//! Figures, bars, and how they are shown.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::Failure;
use crate::machine::Machine;
use crate::statistics::{median, spread};

/// How a number is read.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Nanoseconds,
    CallsPerSecond,
    /// CPU seconds per second.
    Cpus,
    GigabytesPerSecond,
    /// A plain number.
    Number,
}

/// One row: what was measured, once per round.
#[derive(Serialize)]
struct Figure {
    part: &'static str,
    name: String,
    unit: Unit,
    median: f64,
    smallest: f64,
    largest: f64,
    rounds: Vec<f64>,
}

/// A promise: a measured ratio and its limit.
#[derive(Serialize)]
struct Bar {
    name: String,
    measured: f64,
    /// The measured value may be at most this, or must be at least this.
    at_most: Option<f64>,
    at_least: Option<f64>,
    kept: bool,
    rounds: Vec<f64>,
}

/// All that a run found out.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    figures: Vec<Figure>,
    bars: Vec<Bar>,
}

impl Report {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            figures: Vec::new(),
            bars: Vec::new(),
        }
    }

    pub(crate) fn figure(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        unit: Unit,
        rounds: &[f64],
    ) {
        let (smallest, largest) = spread(rounds);
        let rounds = rounds.to_vec();
        self.figures.push(Figure {
            part,
            name: name.into(),
            unit,
            median: median(&rounds),
            smallest,
            largest,
            rounds,
        });
    }

    /// The median of the rounds' ratios may be at most `limit`.
    pub(crate) fn at_most(&mut self, name: impl Into<String>, rounds: &[f64], limit: f64) {
        let measured = median(rounds);
        self.bars.push(Bar {
            name: name.into(),
            measured,
            at_most: Some(limit),
            at_least: None,
            kept: measured <= limit,
            rounds: rounds.to_vec(),
        });
    }

    /// The median of the rounds' ratios must be at least `limit`.
    pub(crate) fn at_least(&mut self, name: impl Into<String>, rounds: &[f64], limit: f64) {
        let measured = median(rounds);
        self.bars.push(Bar {
            name: name.into(),
            measured,
            at_most: None,
            at_least: Some(limit),
            kept: measured >= limit,
            rounds: rounds.to_vec(),
        });
    }

    pub(crate) fn missed(&self) -> usize {
        self.bars.iter().filter(|bar| !bar.kept).count()
    }

    pub(crate) fn print_part(&self, part: &str) {
        println!(
            "\n{:<58} {:>12}   smallest to largest",
            part.to_uppercase(),
            "median",
        );
        for figure in self.figures.iter().filter(|figure| figure.part == part) {
            let show = |value| text(value, figure.unit);
            let range = format!("{} to {}", show(figure.smallest), show(figure.largest));
            println!(
                "  {:<56} {:>12}   {range}",
                figure.name,
                show(figure.median)
            );
        }
    }

    pub(crate) fn print_bars(&self) {
        let Machine {
            cores,
            processor,
            kernel,
            python,
        } = &self.machine;
        println!("\n{cores} cores of {processor}, kernel {kernel}, {python}");
        println!("\n{:<70} {:>9}   {:<15}", "BARS", "measured", "limit");
        for bar in &self.bars {
            let limit = match (bar.at_most, bar.at_least) {
                (Some(most), _) => format!("at most {most}"),
                (_, Some(least)) => format!("at least {least}"),
                _ => String::new(),
            };
            let verdict = if bar.kept { "kept" } else { "MISSED" };
            println!(
                "  {:<68} {:>9.4}   {limit:<15} {verdict}",
                bar.name, bar.measured
            );
        }
        match self.missed() {
            0 => println!("\nNo bar is missed."),
            missed => println!("\n{missed} of {} bars are missed.", self.bars.len()),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

fn text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds if value < 10_000.0 => format!("{:.2} us", value / 1e3),
        Unit::Nanoseconds if value < 10_000_000.0 => format!("{:.1} us", value / 1e3),
        Unit::Nanoseconds => format!("{:.1} ms", value / 1e6),
        Unit::CallsPerSecond if value >= 1e6 => format!("{:.2} M/s", value / 1e6),
        Unit::CallsPerSecond if value >= 1e4 => format!("{:.0} k/s", value / 1e3),
        Unit::CallsPerSecond => format!("{value:.0} /s"),
        Unit::Cpus => format!("{:.3} %", value * 100.0),
        Unit::GigabytesPerSecond => format!("{value:.1} GB/s"),
        Unit::Number => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_judged_by_the_median_of_its_rounds() {
        let machine = Machine {
            cores: 1,
            processor: String::new(),
            kernel: String::new(),
            python: String::new(),
        };
        let mut report = Report::new(machine);
        report.at_most("time", &[0.9, 5.0, 1.0], 1.0);
        report.at_least("rate", &[0.9, 0.1, 1.0], 0.9);
        assert_eq!(report.missed(), 0);
        report.at_most("time", &[0.9, 1.1, 1.2], 1.0);
        report.at_least("nothing was measured", &[], 0.9);
        assert_eq!(report.missed(), 2);
    }

    #[test]
    fn numbers_are_shown_with_their_unit() {
        assert_eq!(text(660.0, Unit::Nanoseconds), "0.66 us");
        assert_eq!(text(46_000.0, Unit::Nanoseconds), "46.0 us");
        assert_eq!(text(25_000_000.0, Unit::Nanoseconds), "25.0 ms");
        assert_eq!(text(2_900_000.0, Unit::CallsPerSecond), "2.90 M/s");
        assert_eq!(text(0.0005, Unit::Cpus), "0.050 %");
    }
}
