//! A model in a file, run by ONNX Runtime for a Rust program: `target/release/onnx-model`.
//!
//! The model tells from a chemical analysis which of three growers a wine is from. The analyses of
//! 89 wines that it has never seen are written into shared memory, where NumPy finds them.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

use pyproc::{ContentType, Pool, PoolConfig};
use serde::Deserialize;

/// A heading, then 13 measurements and the grower per line.
const HELD_OUT: &str = include_str!("../held_out.csv");

/// What `classify(rows)` in worker.py returns.
#[derive(Deserialize)]
struct Classified {
    labels: Vec<u8>,
    certainty: Vec<f32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (measurements, growers) = read(HELD_OUT)?;
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");
    let pool = Pool::start(PoolConfig::new(worker).workers(1)).await?;

    let mut rows = pool.allocate(measurements.len() * size_of::<f32>())?;
    for (place, measurement) in rows.chunks_exact_mut(size_of::<f32>()).zip(measurements) {
        place.copy_from_slice(&measurement.to_le_bytes());
    }
    let request = pool
        .request("classify")
        .body(rows.into_body(ContentType::Raw));
    let Classified { labels, certainty } = request.send().await?.decode()?;

    let right = labels
        .iter()
        .zip(&growers)
        .filter(|(label, grower)| label == grower);
    println!("{} of {} wines recognised", right.count(), growers.len());
    for (wine, ((label, grower), certainty)) in
        (1..).zip(labels.iter().zip(&growers).zip(&certainty))
    {
        if label != grower {
            let certainty = 100.0 * certainty;
            println!(
                "  wine {wine} is from grower {grower}, taken for {label} ({certainty:.0} % sure)"
            );
        }
    }
    pool.shutdown().await?;
    Ok(())
}

/// The measurements of all wines one after another, and their growers.
fn read(table: &str) -> Result<(Vec<f32>, Vec<u8>), Box<dyn std::error::Error>> {
    let (mut measurements, mut growers) = (Vec::new(), Vec::new());
    for line in table.lines().skip(1) {
        let (row, grower) = line.rsplit_once(',').ok_or("a line without a comma")?;
        for measurement in row.split(',') {
            measurements.push(measurement.parse()?);
        }
        growers.push(grower.parse()?);
    }
    Ok((measurements, growers))
}
