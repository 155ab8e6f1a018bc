//! Source code in colour, by Pygments: `target/release/highlight FILE …`.
//!
//! A program without an async runtime: it calls Python from plain threads, one per file. Without a
//! name it shows its own worker.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::fs;
use std::thread;

use pyproc::PoolConfig;
use pyproc::blocking::Pool;

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        files.push(WORKER.to_owned());
    }
    let pool = Pool::start(PoolConfig::new(WORKER).workers(2))?;
    thread::scope(|threads| {
        let pool = &pool;
        let calls: Vec<_> = files
            .iter()
            .map(|file| threads.spawn(move || highlight(pool, file)))
            .collect();
        for call in calls {
            print!("{}", call.join().map_err(|_| "a thread panicked")??);
        }
        Ok::<_, Failure>(())
    })?;
    pool.shutdown()?;
    Ok(())
}

fn highlight(pool: &Pool, file: &str) -> Result<String, Failure> {
    let code = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    Ok(pool.call("highlight", &(file, &code))?)
}
