//! Tables that are generated from the code, between two marks of a page:
//!
//! ```text
//! <!-- table: configuration -->
//! …
//! <!-- end of table -->
//! ```

mod call_errors;
mod configuration;
mod health;
mod identity;
mod source;
mod start_errors;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::root;

const END: &str = "<!-- end of table -->";

/// A page with the tables that the code gives now.
///
/// # Errors
/// When the page cannot be read, or names a table that does not exist or does not end.
pub fn renewed(page: &Path) -> Result<String> {
    let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let mut renewed = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("<!-- table: ") {
        let (before, marked) = rest.split_at(at);
        let (mark, _) = marked
            .split_once('\n')
            .context("a table's mark ends the page")?;
        let name = mark
            .trim_start_matches("<!-- table: ")
            .trim_end_matches(" -->");
        let Some(end) = marked.find(END) else {
            bail!("{}: the table {name} has no {END}", page.display());
        };
        renewed.push_str(before);
        renewed.push_str(&format!("{mark}\n\n{}\n", table(name)?));
        rest = &marked[end..];
    }
    renewed.push_str(rest);
    Ok(renewed)
}

fn table(name: &str) -> Result<String> {
    match name {
        "configuration" => configuration::table(),
        "metrics" => Ok(pyproc::metrics::metrics_table()),
        "labels" => Ok(pyproc::metrics::labels_table()),
        "health" => health::table(),
        "identity codes" => identity::table(),
        "measured" => measured(),
        "call errors" => call_errors::table(),
        "start errors" => start_errors::table("start.rs", "StartError"),
        "shutdown errors" => start_errors::table("shutdown.rs", "ShutdownError"),
        _ => bail!("there is no table {name}"),
    }
}

/// What README.md says under "Measured", without its charts, whose files lie beside it.
fn measured() -> Result<String> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let (_, section) = readme
        .split_once("\n## Measured\n")
        .context("README.md has no section \"Measured\"")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut text = String::new();
    for line in section.trim().lines() {
        let left_out = line.starts_with("![") || line.starts_with("<!--");
        if !left_out && (!line.is_empty() || !text.ends_with("\n\n")) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

/// Rows of a Markdown table under a head.
fn rows(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let mut table = line(&head) + &line(&rule);
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        table.push_str(&line(&cells));
    }
    table
}
