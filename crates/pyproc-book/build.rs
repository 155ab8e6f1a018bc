//! Makes a module of every Rust block of the book and of README.md, for `src/programs.rs`.

#[expect(
    dead_code,
    unreachable_pub,
    reason = "this file is a module of the library, too, which uses and exports all of it"
)]
#[path = "src/markdown.rs"]
mod markdown;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let root = here.join("../..");
    let docs = root.join("docs");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/markdown.rs");
    println!("cargo::rerun-if-changed={}", docs.display());

    let mut pages = vec![root.join("README.md")];
    for entry in fs::read_dir(&docs)? {
        pages.push(entry?.path());
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();

    let mut modules = String::new();
    let mut arms = String::new();
    for page in &pages {
        println!("cargo::rerun-if-changed={}", page.display());
        let stem = page
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        for block in markdown::blocks(&fs::read_to_string(page)?) {
            if block.language != "rust" || block.value("not-run").is_some() {
                continue;
            }
            let module = block.module(stem);
            let file = out.join(format!("{module}.rs"));
            fs::write(&file, source(&block, page))?;
            // Writing to a string cannot fail.
            let _ = writeln!(modules, "#[path = {file:?}]\nmod {module};");
            if block.is_program() {
                let _ = writeln!(arms, "        {module:?} => {module}::run(),");
            }
        }
    }
    let run = format!(
        "{modules}\n/// Runs the program of this name.\npub(crate) fn run(name: &str) -> std::process::ExitCode {{\n    \
         match name {{\n{arms}        _ => std::process::ExitCode::from(70),\n    }}\n}}\n"
    );
    fs::write(out.join("programs.rs"), run)
}

/// The block as a module; a program's `main` can be called from outside.
fn source(block: &markdown::Block, page: &Path) -> String {
    let mut source = format!("// {}:{}\n{}", page.display(), block.line, block.text);
    if block.is_program() {
        source.push_str(
            "\npub(crate) fn run() -> std::process::ExitCode {\n    \
             std::process::Termination::report(main())\n}\n",
        );
    }
    source
}
