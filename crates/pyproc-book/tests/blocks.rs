//! Runs every code block of the book and of README.md, page by page, in the order of the page.
//!
//! - `rust`: a program is run with the page's files beside it, and what has no `main` is compiled.
//!   `no_run` programs are compiled only; README's are run, since its `no_run` is for rustdoc.
//! - `python,file:NAME`: loaded by a pool, or imported if it exposes nothing.
//! - `sh` is run; `console` too, and what each command prints is compared. `in:checkout` runs them
//!   in the repository; those of a page that are marked
//!   `gateway` talk to the one that the first of them starts with `pyproc serve`.
//! - `text,output`: what the program before it prints.
//! - `toml` and `json`: a `PoolConfig`, unless they are another file or marked `value`.
//! - `project`: run by tests/newcomer.rs, in the project that the page has built.
//! - `not-run:REASON`: not run; `BLOCKS_NOT_RUN` counts them.
//!
//! The pages about deployment need Helm, Kustomize and a cluster: deploy/tests tries what stands there.

#![expect(clippy::panic, reason = "tests say what went wrong by panicking")]

mod support;

use std::path::Path;

use pyproc::{Pool, PoolConfig};
use pyproc_book::markdown::Block;
use pyproc_book::{name_of, pages, root};
use support::gateway::Gateway;
use support::{assert_shown, blocks_of, command, commands, fresh, programs, shell, write};

/// How many blocks of the book and of README.md say that they cannot be run, and why.
const BLOCKS_NOT_RUN: usize = 9;

/// One test per page.
macro_rules! page_tests {
    ($($test:ident $page:literal)*) => {
        const TESTED: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $test() {
                run_page($page);
            }
        )*
    };
}

page_tests! {
    readme "README.md"
    introduction "introduction.md"
    getting_started "getting-started.md"
    workers "workers.md"
    calling "calling.md"
    service "service.md"
    tools "tools.md"
    errors "errors.md"
    observability "observability.md"
    performance "performance.md"
    configuration "configuration.md"
    program "program.md"
    identity_codes "identity-codes.md"
    gateway "gateway.md"
    security "security.md"
    architecture "architecture.md"
    from_go "from-go.md"
    alternatives "alternatives.md"
}

#[test]
fn every_page_is_run() {
    for page in pages().expect("pages") {
        let name = name_of(&page);
        assert!(
            name.starts_with("deployment/") || TESTED.contains(&name.as_str()),
            "add {name} to page_tests"
        );
    }
}

#[test]
fn blocks_that_are_not_run_say_why_and_are_counted() {
    let mut reasons = Vec::new();
    for page in TESTED {
        for block in blocks_of(page) {
            if let Some(reason) = block.value("not-run") {
                assert!(
                    reason.contains('-'),
                    "{page}:{}: say why, not {reason:?}",
                    block.line
                );
                reasons.push(format!(
                    "{page}:{}: {}: {reason}",
                    block.line, block.language
                ));
            }
        }
    }
    assert_eq!(
        reasons.len(),
        BLOCKS_NOT_RUN,
        "not run:\n{}",
        reasons.join("\n")
    );
}

fn run_page(page: &str) {
    let folder = fresh(&format!("page-{page}"));
    let mut printed = None;
    let mut gateway = None;
    for block in blocks_of(page) {
        let at = format!("{page}:{}", block.line);
        write(&block, &folder);
        if block.value("not-run").is_some() || block.has("project") {
            continue;
        }
        match block.language.as_str() {
            "rust" if block.is_program() && (page == "README.md" || !block.has("no_run")) => {
                printed = Some(run_program(
                    &at,
                    &block.module(page.trim_end_matches(".md")),
                    &folder,
                ));
            }
            "rust" => {}
            "python" => load(&at, &block, &folder),
            "sh" => run_shell(&at, &block, &folder),
            "console" => run_console(&at, &block, &folder, &mut gateway),
            "toml" if block.value("file") == Some("Cargo.toml") => {
                toml::from_str::<toml::Table>(&block.text).expect(&at);
            }
            "toml" => check_config(&at, toml::from_str(&block.text).expect(&at)),
            "json" if block.has("value") => {
                serde_json::from_str::<serde_json::Value>(&block.text).expect(&at);
            }
            "json" => check_config(&at, serde_json::from_str(&block.text).expect(&at)),
            // Whether it is right says the command that reads it.
            "yaml" if block.value("file").is_some() => {}
            "text" if block.has("output") => {
                let printed = printed
                    .as_deref()
                    .unwrap_or_else(|| panic!("{at}: no program is before it"));
                assert_shown(&at, &block.text, printed);
            }
            "text" => {}
            other => panic!("{at}: no test knows what to do with {other:?}"),
        }
    }
}

fn run_program(at: &str, name: &str, folder: &Path) -> String {
    let program = programs().join("book-programs");
    let output = command(&program, folder)
        .env("BOOK_PROGRAM", name)
        .output()
        .expect("a program");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{at}: {}\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

fn folder_of<'f>(block: &Block, folder: &'f Path, checkout: &'f Path) -> &'f Path {
    if block.value("in") == Some("checkout") {
        checkout
    } else {
        folder
    }
}

fn run_shell(at: &str, block: &Block, folder: &Path) {
    let output = shell(&block.text, folder_of(block, folder, &root()));
    assert!(
        output.status.success(),
        "{at}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn run_console(at: &str, block: &Block, folder: &Path, gateway: &mut Option<Gateway>) {
    for (line, shown) in commands(&block.text) {
        let line = match gateway {
            _ if !block.has("gateway") => line,
            None => {
                *gateway = Some(Gateway::start(at, &line, &shown, folder));
                continue;
            }
            Some(gateway) => gateway.command(&line),
        };
        let output = shell(
            &format!("exec 2>&1\n{line}"),
            folder_of(block, folder, &root()),
        );
        assert_shown(
            &format!("{at}: {line}"),
            &shown,
            &String::from_utf8_lossy(&output.stdout),
        );
    }
}

fn check_config(at: &str, config: PoolConfig) {
    config.resolve().expect(at);
}

/// A worker or a module, loaded by the installed package.
fn load(at: &str, block: &Block, folder: &Path) {
    let file = block
        .value("file")
        .unwrap_or_else(|| panic!("{at}: name the file of a Python block"));
    let module = file.trim_end_matches(".py").replace('/', ".");
    let target = match block.text.as_str() {
        text if text.contains("run_worker()") => file.to_owned(),
        text if text.contains("@expose") => module,
        _ => {
            let import = format!("python -W error -c 'import {module}'");
            let output = shell(&import, folder);
            assert!(
                output.status.success(),
                "{at}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            return;
        }
    };
    let config = PoolConfig::new(target)
        .python(root().join(".venv/bin/python"))
        .working_dir(folder)
        .workers(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let pool = Pool::start(config)
            .await
            .unwrap_or_else(|error| panic!("{at}: {error}"));
        assert!(!pool.functions().is_empty());
        pool.shutdown().await.expect(at);
    });
}
