//! Figures and bars on the terminal.

use super::{Report, Unit};
use crate::machine::Machine;

impl Report {
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
        for missing in self.missing.iter().filter(|missing| missing.part == part) {
            println!(
                "  {:<56} {:>12}   {}",
                missing.name, "MISSING", missing.reason
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
        for bar in self.judged() {
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
            missed => println!("\n{missed} of {} bars are missed.", self.judged().count()),
        }
    }
}

/// A number with its unit.
pub(crate) fn text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds if value < 10_000.0 => format!("{:.2} µs", value / 1e3),
        Unit::Nanoseconds if value < 1_000_000.0 => format!("{:.1} µs", value / 1e3),
        Unit::Nanoseconds if value < 10_000_000.0 => format!("{:.2} ms", value / 1e6),
        Unit::Nanoseconds if value < 1_000_000_000.0 => format!("{:.1} ms", value / 1e6),
        Unit::Nanoseconds => format!("{:.2} s", value / 1e9),
        Unit::CallsPerSecond if value >= 1e6 => format!("{:.2} M/s", value / 1e6),
        Unit::CallsPerSecond if value >= 1e4 => format!("{:.0} k/s", value / 1e3),
        Unit::CallsPerSecond => format!("{value:.0} /s"),
        Unit::Cpus => format!("{:.3} %", value * 100.0),
        Unit::GigabytesPerSecond => format!("{value:.1} GB/s"),
        Unit::Megabytes => format!("{value:.0} MB"),
        Unit::Number => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_their_unit() {
        assert_eq!(text(660.0, Unit::Nanoseconds), "0.66 µs");
        assert_eq!(text(46_000.0, Unit::Nanoseconds), "46.0 µs");
        assert_eq!(text(2_500_000.0, Unit::Nanoseconds), "2.50 ms");
        assert_eq!(text(25_000_000.0, Unit::Nanoseconds), "25.0 ms");
        assert_eq!(text(1_320_000_000.0, Unit::Nanoseconds), "1.32 s");
        assert_eq!(text(2_900_000.0, Unit::CallsPerSecond), "2.90 M/s");
        assert_eq!(text(0.0005, Unit::Cpus), "0.050 %");
    }
}
