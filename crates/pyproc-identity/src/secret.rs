//! Text that only its receiver may see.

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A token or a key: neither printed nor compared, wiped from memory when it is dropped.
///
/// It has no `Debug` and no `Display`, and so nothing that contains one can derive them:
///
/// ```compile_fail
/// let key = pyproc_identity::Secret::new("key".to_owned());
/// println!("{key:?}");
/// ```
///
/// ```compile_fail
/// let key = pyproc_identity::Secret::new("key".to_owned());
/// println!("{key}");
/// ```
///
/// What the operating system and the libraries for HTTP, TLS and XML had in their buffers meanwhile is not
/// wiped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text; other copies of it are the caller's to wipe.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, to be sent to whom it is for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// What a provider said, without the tokens that it may have repeated: `secrets` and whatever looks
/// like a token are left out, control characters too, and the text is cut after 600 bytes.
#[must_use]
pub fn scrubbed(text: &str, secrets: &[&Secret]) -> String {
    const LONGEST: usize = 600;
    let mut text = text.to_owned();
    for secret in secrets {
        if !secret.expose().is_empty() {
            text = text.replace(secret.expose(), "[secret]");
        }
    }
    // An equals sign ends a word: `client_assertion=eyJ…` is a name and a token.
    let words =
        text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-_.+/~".contains(c)));
    let mut clean = String::with_capacity(text.len());
    for word in words {
        if is_token(word) {
            clean.push_str("[secret]");
            clean.extend(word.chars().next_back().filter(|c| {
                c.is_whitespace() || c.is_ascii_punctuation() && !".-_+/~".contains(*c)
            }));
        } else {
            clean.push_str(word);
        }
    }
    let clean: String = clean
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let end = clean.floor_char_boundary(LONGEST);
    clean[..end].trim().to_owned()
}

/// A URL for messages: without user, password and query, which may hold keys. Other text is returned as it is.
#[must_use]
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = &rest[..end];
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// A JWT, or an access token as Google, AWS and Microsoft write them.
fn is_token(word: &str) -> bool {
    let jwt = word.starts_with("eyJ") && word.len() > 40;
    jwt || word.starts_with("ya29.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_and_a_url_lose_what_is_secret() {
        let token = format!("eyJ{}.eyJ{}.sig", "a".repeat(30), "b".repeat(30));
        assert_eq!(
            scrubbed(&format!("client_assertion={token}&scope=x"), &[]),
            "client_assertion=[secret]&scope=x"
        );
        assert_eq!(shown("https://u:p@ss@host:1/a?key=k#f"), "https://host:1/a");
        assert_eq!(shown("https://host?key=k"), "https://host");
        assert_eq!(shown("eu-west-1"), "eu-west-1");
    }

    #[test]
    fn a_message_loses_what_looks_like_a_token() {
        let token = format!("eyJ{}.eyJ{}.sig", "a".repeat(30), "b".repeat(30));
        let said = format!("the token '{token}' is bad, so is ya29.abc\nand key");
        let key = Secret::new("key".to_owned());
        assert_eq!(
            scrubbed(&said, &[&key]),
            "the token '[secret]' is bad, so is [secret] and [secret]"
        );
        assert_eq!(scrubbed(&"x".repeat(1000), &[]).len(), 600);
    }
}
