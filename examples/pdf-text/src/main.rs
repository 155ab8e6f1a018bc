//! Text from PDF files by pypdf: `target/release/pdf-text [FILE.pdf …]`.
//!
//! A file's bytes go to Python as they are. Without a name it reads `licence.pdf`, beside this crate.
#![expect(clippy::print_stdout, reason = "this program's output is its purpose")]

use pyproc::{Body, Pool, PoolConfig};
use serde::Deserialize;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/licence.pdf");

/// What `text(pdf)` in worker.py returns.
#[derive(Deserialize)]
struct Text {
    title: Option<String>,
    pages: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        files.push(SAMPLE.to_owned());
    }
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");
    let pool = Pool::start(PoolConfig::new(worker).workers(1)).await?;
    for file in files {
        let pdf = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
        let request = pool.request("text").body(Body::raw(pdf));
        // A file that is none is an exception in Python, and an error like any other here.
        let reply = request.send().await;
        let text: Text = reply
            .and_then(|reply| reply.decode())
            .map_err(|error| format!("{file}: {error}"))?;
        show(&text);
    }
    pool.shutdown().await?;
    Ok(())
}

/// The title, and of each page how much there is and how it begins.
fn show(text: &Text) {
    let title = text.title.as_deref().unwrap_or("(without a title)");
    println!("{title}, {} pages", text.pages.len());
    for (number, page) in (1..).zip(&text.pages) {
        let words: Vec<&str> = page.split_whitespace().collect();
        let beginning = words[..words.len().min(9)].join(" ");
        println!("  {number}: {} words: {beginning} …", words.len());
    }
}
