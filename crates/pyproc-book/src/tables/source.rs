//! Documentation comments, read from the library's source.

use std::fs;

use anyhow::{Context, Result};
use syn::{Attribute, Expr, Fields, Item, Lit, Meta};

use crate::root;

/// A field or a variant, and what its comment says.
pub(super) struct Documented {
    pub(super) name: String,
    /// Paragraphs, each on one line.
    pub(super) paragraphs: Vec<String>,
}

/// The fields of a struct in a file below `crates/pyproc/src`.
pub(super) fn fields(file: &str, name: &str) -> Result<Vec<Documented>> {
    for item in items(file)? {
        if let Item::Struct(item) = item
            && item.ident == name
            && let Fields::Named(fields) = item.fields
        {
            let fields = fields.named.into_iter().map(|field| Documented {
                name: field
                    .ident
                    .map(|ident| ident.to_string())
                    .unwrap_or_default(),
                paragraphs: paragraphs(&field.attrs),
            });
            return Ok(fields.collect());
        }
    }
    anyhow::bail!("{file} has no struct {name}")
}

/// The variants of an enum in a file below `crates/pyproc/src`.
pub(super) fn variants(file: &str, name: &str) -> Result<Vec<Documented>> {
    for item in items(file)? {
        if let Item::Enum(item) = item
            && item.ident == name
        {
            let variants = item.variants.into_iter().map(|variant| Documented {
                name: variant.ident.to_string(),
                paragraphs: paragraphs(&variant.attrs),
            });
            return Ok(variants.collect());
        }
    }
    anyhow::bail!("{file} has no enum {name}")
}

fn items(file: &str) -> Result<Vec<Item>> {
    let path = root().join("crates/pyproc/src").join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(syn::parse_file(&text)?.items)
}

fn paragraphs(attributes: &[Attribute]) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in attributes.iter().filter_map(doc_line) {
        let line = line.trim();
        match paragraphs.last_mut() {
            Some(last) if !line.is_empty() => {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
            _ => paragraphs.push(String::new()),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
        .iter()
        .map(|paragraph| without_links(paragraph))
        .collect()
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Links of rustdoc as their text: ``[`CallError`](crate::CallError)`` is `` `CallError` `` in the book.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((name, after)) = link.split_once("`]") else {
            rest = link;
            plain.push_str("[`");
            continue;
        };
        plain.push_str(&format!("`{name}`"));
        rest = match after
            .strip_prefix('(')
            .and_then(|target| target.split_once(')'))
        {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}
