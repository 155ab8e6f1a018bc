//! Whether links lead somewhere: in built pages and in Markdown files. What lies outside of the
//! repository is looked at, not fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use scraper::{Html, Selector};

/// What is wrong with the links of the built pages below `site`, one line each.
///
/// # Errors
/// When a page cannot be read.
pub fn broken_in_site(site: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    for path in html_files(site)? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        pages.insert(path, Page::of_html(&text));
    }
    let mut broken = Vec::new();
    for (path, page) in &pages {
        for link in &page.links {
            let problem = match split(link) {
                Link::Outside(address) => outside(address),
                Link::Inside { path: "", anchor } => missing_anchor(page, anchor),
                Link::Inside { path: to, anchor } => {
                    let to = resolve(path, to);
                    match pages.get(&to) {
                        Some(other) => missing_anchor(other, anchor),
                        None if to.is_file() => None,
                        None => Some("there is no such file".to_owned()),
                    }
                }
            };
            if let Some(problem) = problem {
                let page = path.strip_prefix(site).unwrap_or(path).display();
                broken.push(format!("{page}: {link}: {problem}"));
            }
        }
    }
    Ok(broken)
}

/// What is wrong with the links of a Markdown file, one line each.
///
/// # Errors
/// When it, or a file that it links to, cannot be read.
pub fn broken_in_markdown(path: &Path) -> Result<Vec<String>> {
    let page =
        Page::of_markdown(&fs::read_to_string(path).with_context(|| path.display().to_string())?);
    let mut broken = Vec::new();
    for link in &page.links {
        let problem = match split(link) {
            Link::Outside(address) => outside(address),
            Link::Inside { path: "", anchor } => missing_anchor(&page, anchor),
            Link::Inside { path: to, anchor } => {
                let to = resolve(path, to);
                if !to.exists() {
                    Some("there is no such file".to_owned())
                } else if anchor.is_some() {
                    missing_anchor(&Page::of_markdown(&fs::read_to_string(&to)?), anchor)
                } else {
                    None
                }
            }
        };
        if let Some(problem) = problem {
            broken.push(format!("{}: {link}: {problem}", path.display()));
        }
    }
    Ok(broken)
}

/// What a page links to, and what in it can be linked to.
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Page {
    fn of_html(text: &str) -> Self {
        let html = Html::parse_document(text);
        let attributes = |selector: &str, name: &str| -> Vec<String> {
            let selector = Selector::parse(selector).expect("a constant selector is a good one");
            html.select(&selector)
                .filter_map(|element| element.attr(name).map(str::to_owned))
                .collect()
        };
        let links = [("[href]", "href"), ("[src]", "src")];
        Self {
            links: links
                .into_iter()
                .flat_map(|(selector, name)| attributes(selector, name))
                .collect(),
            anchors: attributes("[id]", "id").into_iter().collect(),
        }
    }

    fn of_markdown(text: &str) -> Self {
        let mut page = Self {
            links: Vec::new(),
            anchors: BTreeSet::new(),
        };
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    page.anchors.extend(heading.take().map(anchor_of))
                }
                _ => {}
            }
        }
        page
    }
}

/// The anchor that a heading gets: lower case, dashes for blanks, nothing else but letters and digits.
fn anchor_of(heading: String) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            character if character.is_alphanumeric() => Some(character),
            _ => None,
        })
        .collect()
}

enum Link<'l> {
    /// With a scheme.
    Outside(&'l str),
    Inside {
        path: &'l str,
        anchor: Option<&'l str>,
    },
}

fn split(link: &str) -> Link<'_> {
    let scheme = link.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| !scheme.contains(['/', '#', '.'])) {
        return Link::Outside(link);
    }
    match link.split_once('#') {
        Some((path, anchor)) => Link::Inside {
            path,
            anchor: Some(anchor),
        },
        None => Link::Inside {
            path: link,
            anchor: None,
        },
    }
}

/// What is wrong with an address elsewhere, as far as its text tells.
fn outside(address: &str) -> Option<String> {
    if address.starts_with("data:") {
        return None;
    }
    let host = address
        .strip_prefix("https://")
        .map(|rest| rest.split('/').next().unwrap_or_default());
    match host {
        Some(host) if host.contains('.') && !address.contains(char::is_whitespace) => None,
        _ => Some("an address elsewhere begins with https:// and a host".to_owned()),
    }
}

fn missing_anchor(page: &Page, anchor: Option<&str>) -> Option<String> {
    let anchor = anchor.filter(|anchor| !anchor.is_empty())?;
    (!page.anchors.contains(anchor)).then(|| "there is no such anchor".to_owned())
}

/// The file that a relative link names, as seen from `from`.
fn resolve(from: &Path, link: &str) -> PathBuf {
    let link = link.split('?').next().unwrap_or_default();
    let mut path = from.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

fn html_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(html_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "html")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_broken_link_is_found() {
        let folder = std::env::temp_dir().join(format!("pyproc-book-links-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let page = "<h1 id=top>x</h1><a href='#top'>1</a><a href='#gone'>2</a><a href='other.html#here'>3</a>\
                    <a href='other.html#gone'>4</a><a href='gone.html'>5</a><a href='https://example.org/x'>6</a>\
                    <a href='http://example.org'>7</a><img src='gone.svg'>";
        fs::write(folder.join("page.html"), page).expect("a page");
        fs::write(folder.join("other.html"), "<p id=here>").expect("a page");
        let broken = broken_in_site(&folder).expect("two pages");
        let read = "# One\n\n[a](#one) [b](#two) [c](page.html) [d](gone.md)";
        fs::write(folder.join("read.md"), read).expect("a file");
        let broken_markdown = broken_in_markdown(&folder.join("read.md")).expect("a file");
        fs::remove_dir_all(&folder).expect("the folder was there");
        assert_eq!(
            broken,
            [
                "page.html: #gone: there is no such anchor",
                "page.html: other.html#gone: there is no such anchor",
                "page.html: gone.html: there is no such file",
                "page.html: http://example.org: an address elsewhere begins with https:// and a host",
                "page.html: gone.svg: there is no such file",
            ]
        );
        assert_eq!(broken_markdown.len(), 2, "{broken_markdown:?}");
    }
}
