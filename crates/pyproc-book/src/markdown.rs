//! The code blocks of a page. Also compiled into the build script, which needs nothing else.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A fenced code block of a page.
#[derive(Debug, Clone)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// The first word of its info string: `rust`, `python`, `sh`, ….
    pub language: String,
    /// The other words: `no_run`, `file=worker.py`, `not-run=needs-the-network`.
    pub marks: Vec<String>,
    /// What stands in it.
    pub text: String,
}

impl Block {
    /// Whether it has this mark.
    pub fn has(&self, mark: &str) -> bool {
        self.marks.iter().any(|known| known == mark)
    }

    /// The value of a mark, such as the name in `file=worker.py`.
    pub fn value(&self, mark: &str) -> Option<&str> {
        self.marks
            .iter()
            .find_map(|known| known.strip_prefix(mark)?.strip_prefix('='))
    }

    /// Whether this is a Rust program, which has a `main`, and not a part of one.
    pub fn is_program(&self) -> bool {
        self.language == "rust" && self.text.contains("fn main()")
    }

    /// The name of a Rust block's module, from its page's name without `.md`.
    pub fn module(&self, page: &str) -> String {
        let page = page.to_lowercase().replace(['-', '/', '.'], "_");
        format!("{page}_{}", self.line)
    }
}

/// The fenced code blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (event, range) in Parser::new_ext(page, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let mut words = info.split([',', ' ']).map(str::trim);
                open = Some(Block {
                    line: page[..range.start].lines().count() + 1,
                    language: words.next().unwrap_or_default().to_owned(),
                    marks: words
                        .filter(|word| !word.is_empty())
                        .map(str::to_owned)
                        .collect(),
                    text: String::new(),
                });
            }
            Event::Text(text) => {
                if let Some(block) = &mut open {
                    block.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    blocks
}
