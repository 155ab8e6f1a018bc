//! The fields of a pool's health: their meaning is what their comments say.

use anyhow::Result;

use super::{rows, source};

const FILE: &str = "health.rs";

pub(super) fn table() -> Result<String> {
    let pool = source::fields(FILE, "Health")?.into_iter();
    let workers = source::fields(FILE, "WorkerHealth")?.into_iter();
    let pool = pool
        .filter(|field| field.name != "workers")
        .map(|field| (field.name, field.paragraphs));
    let workers = workers.map(|field| (format!("workers[].{}", field.name), field.paragraphs));
    let mut table = Vec::new();
    for (name, paragraphs) in pool.chain(workers) {
        let mut meaning = paragraphs.join(" ");
        if name.ends_with(".state") {
            meaning = format!("{meaning} {}", states()?);
        }
        table.push(vec![format!("`{name}`"), meaning]);
    }
    Ok(rows(&["field", "meaning"], table))
}

/// Every state with its word in JSON.
fn states() -> Result<String> {
    let states = source::variants(FILE, "WorkerState")?;
    let states = states.iter().map(|state| {
        let meaning = state.paragraphs.join(" ");
        format!(
            "`{}`: {}.",
            state.name.to_lowercase(),
            meaning.trim_end_matches('.').to_lowercase()
        )
    });
    Ok(states.collect::<Vec<_>>().join(" "))
}
