//! `pyproc-book build` makes the book in `target/book`; `pyproc-book tables` rewrites the tables of
//! its pages from the code.

use std::fs;

use anyhow::{Result, bail, ensure};
use pyproc_book::{links, pages, root, site, tables};

#[expect(clippy::print_stdout, reason = "says where the book is")]
fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("build") => {
            let target = root().join("target/book");
            site::build(&target)?;
            let broken = links::broken_in_site(&target)?;
            ensure!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
            println!("{}", target.join("index.html").display());
        }
        Some("tables") => {
            for page in pages()? {
                let renewed = tables::renewed(&page)?;
                if renewed != fs::read_to_string(&page)? {
                    fs::write(&page, renewed)?;
                    println!("{}", page.display());
                }
            }
        }
        _ => bail!("usage: pyproc-book build|tables"),
    }
    Ok(())
}
