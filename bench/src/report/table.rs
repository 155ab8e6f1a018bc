//! Tables, for the terminal and for the README.

use std::fmt::Write;

/// A table whose first column names the rows.
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self {
            head: head.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }

    /// Columns under each other, numbers to the right, without Markdown's stars.
    pub(crate) fn plain(&self) -> String {
        let lines: Vec<Vec<String>> = std::iter::once(&self.head)
            .chain(&self.rows)
            .map(|line| line.iter().map(|cell| cell.replace("**", "")).collect())
            .collect();
        let mut widths = vec![0; self.head.len()];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for line in &lines {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            text += format!("  {}", cells.join("   ")).trim_end();
            text.push('\n');
        }
        text
    }

    /// A table of Markdown, numbers to the right.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            for cell in cells {
                // Writing to a string cannot fail.
                let _ = write!(text, "| {cell} ");
            }
            text += "|\n";
        };
        line(&self.head);
        let rule: Vec<String> = (0..self.head.len())
            .map(|column| if column == 0 { "---" } else { "---:" }.to_owned())
            .collect();
        line(&rule);
        for row in &self.rows {
            line(row);
        }
        text
    }
}

/// A ratio with two digits.
pub(crate) fn times(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.0} ×"),
        1.0.. => format!("{ratio:.1} ×"),
        _ => format!("{ratio:.2} ×"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_have_two_digits() {
        let shown = [113.4, 44.0, 1.0, 0.42].map(times);
        assert_eq!(shown, ["113 ×", "44 ×", "1.0 ×", "0.42 ×"]);
    }

    fn table() -> Table {
        let mut table = Table::new(["", "p50"]);
        table.rows.push(vec!["**pyproc**".into(), "0.79 µs".into()]);
        table.rows.push(vec!["x".into(), "1 µs".into()]);
        table
    }

    #[test]
    fn columns_of_a_plain_table_stand_under_each_other() {
        assert_eq!(
            table().plain(),
            "               p50\n  pyproc   0.79 µs\n  x           1 µs\n"
        );
    }

    #[test]
    fn markdown_has_a_rule_under_its_head() {
        assert_eq!(
            table().markdown(),
            "|  | p50 |\n| --- | ---: |\n| **pyproc** | 0.79 µs |\n| x | 1 µs |\n"
        );
    }
}
