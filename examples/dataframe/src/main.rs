//! A pandas aggregation called from Rust: `target/release/dataframe`.
//!
//! The table is sent as text, pandas groups it by a column, and what comes back is a map of structs
//! like any other value that serde knows.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::collections::BTreeMap;

use pyproc::{Pool, PoolConfig};
use serde::{Deserialize, Serialize};

/// 150 irises of three species, measured by Edgar Anderson in 1935.
const TABLE: &str = include_str!("../iris.csv");

/// `Question` in worker.py.
#[derive(Serialize)]
struct Question<'a> {
    csv: &'a str,
    by: &'a str,
    statistics: &'a [&'a str],
}

/// What was asked for of one column of one group.
#[derive(Deserialize)]
struct Statistics {
    mean: f64,
    std: f64,
    count: f64,
}

type Groups = BTreeMap<String, BTreeMap<String, Statistics>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");
    let pool = Pool::start(PoolConfig::new(worker).workers(1)).await?;
    let question = Question {
        csv: TABLE,
        by: "species",
        statistics: &["mean", "std", "count"],
    };
    let groups: Groups = pool.call("aggregate", &question).await?;
    show(&groups);
    pool.shutdown().await?;
    Ok(())
}

/// One line per column of the table, one column per group.
fn show(groups: &Groups) {
    let heading = groups.iter().map(|(name, columns)| {
        let count = columns.values().next().map_or(0.0, |first| first.count);
        format!("{:>18}", format!("{count} {name}"))
    });
    println!("{:18}{}", "mean ± deviation", heading.collect::<String>());
    let columns = groups.values().next().into_iter().flatten();
    for (column, _) in columns {
        let cells = groups.values().map(|columns| {
            let Statistics { mean, std, .. } = columns[column];
            format!("{:>18}", format!("{mean:.2} ± {std:.2}"))
        });
        println!("{column:18}{}", cells.collect::<String>());
    }
}
