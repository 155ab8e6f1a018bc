//! Who may call: bearer tokens from a file that is read again when it changes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use parking_lot::Mutex;
use subtle::{Choice, ConstantTimeEq};

use super::problem::Problem;
use crate::failure::Failure;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Bytes that a file of tokens may have: more is another file.
const FILE_MAX: u64 = 1 << 20;

/// The tokens of a file.
pub(super) struct Tokens {
    path: PathBuf,
    /// What the file was at first.
    text: Vec<u8>,
    now: Mutex<Arc<Vec<Vec<u8>>>>,
}

impl Tokens {
    /// Reads the file.
    pub(super) fn load(path: PathBuf) -> Result<Arc<Self>, Failure> {
        let read = read(&path).and_then(|text| Ok((parse(&text)?, text)));
        let (tokens, text) = read.map_err(|problem| {
            Failure::Failed(format!("`token_file` {}: {problem}", path.display()))
        })?;
        Ok(Arc::new(Self {
            path,
            text,
            now: Mutex::new(Arc::new(tokens)),
        }))
    }

    /// Reads the file again when it changes, for ever. What cannot be read changes nothing: a token
    /// that is being replaced must not shut everybody out.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut seen = Ok(self.text.clone());
        loop {
            tokio::time::sleep(LOOK).await;
            let found = read(&self.path);
            if found == seen {
                continue;
            }
            match found.as_deref().map_err(Clone::clone).and_then(parse) {
                Ok(tokens) => {
                    let count = tokens.len();
                    *self.now.lock() = Arc::new(tokens);
                    tracing::info!(tokens = count, "read {} again", self.path.display());
                }
                Err(problem) => tracing::warn!(
                    "`token_file` {}: {problem}; the tokens that were read before stay valid",
                    self.path.display()
                ),
            }
            seen = found;
        }
    }

    /// Whether a request has one of the tokens.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Err(Problem::unauthorized(
                "a token is needed: send the header `Authorization: Bearer TOKEN`",
            ));
        };
        let given = header
            .as_bytes()
            .split_at_checked(b"bearer ".len())
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
            .map(|(_, token)| token.trim_ascii());
        let Some(given) = given else {
            return Err(Problem::unauthorized(
                "the Authorization header is of another kind: send `Authorization: Bearer TOKEN`",
            ));
        };
        let tokens = Arc::clone(&self.now.lock());
        // All are compared, each in the same time: how long it takes tells nothing.
        let known = tokens.iter().fold(Choice::from(0), |known, token| {
            known | token.as_slice().ct_eq(given)
        });
        if known.into() {
            Ok(())
        } else {
            Err(Problem::unauthorized("the token is not known here"))
        }
    }
}

/// The bytes of a file that may be one of tokens.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > FILE_MAX {
        return Err(format!(
            "is longer than {FILE_MAX} bytes; a file of tokens has one per line"
        ));
    }
    Ok(text)
}

/// The tokens: one per line; empty lines and what follows a `#` at a line's start are passed over.
fn parse(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let tokens: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(<[u8]>::to_vec)
        .collect();
    if tokens.is_empty() {
        return Err("has no token; write one per line".to_owned());
    }
    let strange = |token: &&Vec<u8>| !token.iter().all(u8::is_ascii_graphic);
    if tokens.iter().any(|token| strange(&token)) {
        return Err(
            "has a token with a blank or a character that is no ASCII; write one token per line"
                .to_owned(),
        );
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn tokens(text: &str) -> Result<Arc<Tokens>, String> {
        let path = std::env::temp_dir().join(format!(
            "pyproc-tokens-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::write(&path, text).expect("a file");
        let tokens = Tokens::load(path.clone());
        fs::remove_file(&path).expect("the file");
        tokens.map_err(|failure| match failure {
            Failure::Failed(message) => message.replace(&*path.to_string_lossy(), "FILE"),
            other => format!("{other:?}"),
        })
    }

    fn check(tokens: &Tokens, header: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert(
                AUTHORIZATION,
                HeaderValue::from_str(header).expect("a header"),
            );
        }
        tokens
            .check(&headers)
            .map_err(|problem| problem.document.detail)
    }

    #[test]
    fn every_token_of_the_file_opens() {
        let tokens = tokens("# who\none\n\n  two \r\n").expect("tokens");
        assert_eq!(check(&tokens, "Bearer one"), Ok(()));
        assert_eq!(check(&tokens, "bearer  two"), Ok(()));
        for header in ["Bearer on", "Bearer onee", "Bearer ", "Bearer # who"] {
            assert_eq!(
                check(&tokens, header),
                Err("the token is not known here".to_owned()),
                "{header}"
            );
        }
        assert_eq!(
            check(&tokens, "Basic b25l"),
            Err(
                "the Authorization header is of another kind: send `Authorization: Bearer TOKEN`"
                    .to_owned()
            )
        );
        assert_eq!(
            check(&tokens, ""),
            Err("a token is needed: send the header `Authorization: Bearer TOKEN`".to_owned())
        );
    }

    #[test]
    fn a_file_without_a_good_token_is_refused() {
        assert_eq!(
            tokens("# nobody\n").err(),
            Some("`token_file` FILE: has no token; write one per line".to_owned())
        );
        assert_eq!(
            tokens("one two\n").err(),
            Some("`token_file` FILE: has a token with a blank or a character that is no ASCII; write one token per line".to_owned())
        );
        assert!(Tokens::load("/no/such/file".into()).is_err());
    }
}
