//! The book builds without a warning, its tables are those of the code, its links lead somewhere.

use std::fs;
use std::path::Path;

use pyproc_book::{links, name_of, pages, root, site, tables};

#[test]
fn the_book_builds_without_a_warning_and_its_links_lead_somewhere() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("site");
    site::build(&target).expect("a good book");
    let broken = links::broken_in_site(&target).expect("built pages");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn links_of_the_markdown_files_lead_somewhere() {
    for file in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "python/README.md",
        "charts/pyproc/README.md",
        "deploy/kustomize/README.md",
        "examples/helm-secrets-store-csi/README.md",
    ] {
        let broken = links::broken_in_markdown(&root().join(file)).expect(file);
        assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    }
    for page in pages().expect("pages") {
        let broken = links::broken_in_markdown(&page).expect("a page");
        assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("a summary");
    for page in pages().expect("pages") {
        let name = name_of(&page);
        assert!(
            summary.contains(&format!("({name})")),
            "{name} is not in SUMMARY.md"
        );
    }
}

#[test]
fn the_tables_are_those_of_the_code() {
    for page in pages().expect("pages") {
        let renewed = tables::renewed(&page).expect("good tables");
        let text = fs::read_to_string(&page).expect("a page");
        assert!(
            renewed == text,
            "{} differs from the code: run `make tables`",
            page.display()
        );
    }
}
