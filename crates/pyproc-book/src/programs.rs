//! Every Rust block of the book and of README.md: `BOOK_PROGRAM=calling_42 book-programs` runs the
//! program at line 42 of `calling.md`. Blocks without a `main` are only compiled.

#![expect(
    clippy::print_stdout,
    clippy::unit_arg,
    reason = "programs of the book print, and some of their `main`s give nothing"
)]

use std::process::ExitCode;

include!(concat!(env!("OUT_DIR"), "/programs.rs"));

fn main() -> ExitCode {
    run(&std::env::var("BOOK_PROGRAM").unwrap_or_default())
}
