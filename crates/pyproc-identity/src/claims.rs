//! What a ServiceAccount token says about itself. Nothing is verified: whoever receives the token does that.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;

/// Base64 of the URL alphabet, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The claims that decide. None of them is secret; the token's signature is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `iss`: who signed it.
    pub issuer: String,
    /// `sub`: `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: String,
    /// `aud`: whom it is for.
    pub audiences: Vec<String>,
    /// `exp`, in seconds since 1970.
    pub expires: Option<u64>,
    /// `iat`, in seconds since 1970.
    pub issued: Option<u64>,
    /// `nbf`, in seconds since 1970.
    pub not_before: Option<u64>,
    /// The pod that it was made for.
    pub pod: Option<String>,
    /// `oid`, `appid` and `tid` of a token of Microsoft Entra.
    pub entra: Option<Entra>,
}

/// Who a token of Microsoft Entra is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entra {
    /// The client id.
    pub application: String,
    /// The object id of the identity.
    pub object: String,
    /// The tenant.
    pub tenant: String,
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It has not the form of a JWT.
    #[error("it has not the three parts of a token, separated by dots")]
    Parts,
    /// A part of it has another alphabet.
    #[error("its part {0} is not base64url")]
    Base64(u8),
    /// Its claims cannot be read.
    #[error("its part {0} is not a JSON object with the claims of a token")]
    Json(u8),
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    aud: Audiences,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    appid: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    oid: Option<String>,
    #[serde(default)]
    tid: Option<String>,
    #[serde(default, rename = "kubernetes.io")]
    kubernetes: Value,
}

#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
    #[default]
    None,
}

impl Claims {
    /// Reads the claims of a JWT.
    ///
    /// # Errors
    /// When the text has not the form of one.
    pub fn parse(token: &str) -> Result<Self, Malformed> {
        let parts: Vec<&str> = token.split('.').collect();
        let [head, claims, signature] = parts.as_slice() else {
            return Err(Malformed::Parts);
        };
        if head.is_empty() || claims.is_empty() {
            return Err(Malformed::Parts);
        }
        let head = BASE64.decode(head).map_err(|_| Malformed::Base64(1))?;
        let claims = BASE64.decode(claims).map_err(|_| Malformed::Base64(2))?;
        BASE64.decode(signature).map_err(|_| Malformed::Base64(3))?;
        serde_json::from_slice::<serde_json::Map<String, Value>>(&head)
            .map_err(|_| Malformed::Json(1))?;
        // Serde would take an array for a struct.
        let claims = claims.trim_ascii_start();
        let raw: Raw = match claims.first() {
            Some(b'{') => serde_json::from_slice(claims).map_err(|_| Malformed::Json(2))?,
            _ => return Err(Malformed::Json(2)),
        };
        Ok(raw.into())
    }

    /// Namespace and name of the ServiceAccount, from the subject.
    #[must_use]
    pub fn service_account(&self) -> Option<(&str, &str)> {
        let names = self.subject.strip_prefix("system:serviceaccount:")?;
        names
            .split_once(':')
            .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
    }

    /// For how many seconds it is valid in all.
    #[must_use]
    pub fn lifetime(&self) -> Option<u64> {
        self.expires?.checked_sub(self.issued.or(self.not_before)?)
    }

    /// Whether it is for this audience.
    #[must_use]
    pub fn is_for(&self, audience: &str) -> bool {
        self.audiences.iter().any(|one| one == audience)
    }
}

impl From<Raw> for Claims {
    fn from(raw: Raw) -> Self {
        let audiences = match raw.aud {
            Audiences::One(one) => vec![one],
            Audiences::Many(many) => many,
            Audiences::None => Vec::new(),
        };
        let application = raw.appid.or(raw.azp);
        let entra = match (application, raw.oid, raw.tid) {
            (Some(application), object, Some(tenant)) => Some(Entra {
                application,
                object: object.unwrap_or_default(),
                tenant,
            }),
            _ => None,
        };
        let pod = raw
            .kubernetes
            .pointer("/pod/name")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Self {
            issuer: raw.iss.unwrap_or_default(),
            subject: raw.sub.unwrap_or_default(),
            audiences,
            expires: seconds(raw.exp),
            issued: seconds(raw.iat),
            not_before: seconds(raw.nbf),
            pod,
            entra,
        }
    }
}

/// A time that can be one: neither negative nor beyond what a `u64` says exactly.
fn seconds(time: Option<f64>) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let time = time.filter(|time| (0.0..EXACT).contains(time))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "looked at just before"
    )]
    let seconds = time as u64;
    Some(seconds)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A token with these claims and a signature of nobody.
    pub(crate) fn token(claims: &Value) -> String {
        let part = |text: &str| BASE64.encode(text).trim_end_matches('=').to_owned();
        format!(
            "{}.{}.{}",
            part(r#"{"alg":"RS256","kid":"1"}"#),
            part(&claims.to_string()),
            part("signature")
        )
    }

    #[test]
    fn the_claims_of_a_kubernetes_token_are_read() {
        let token = token(&serde_json::json!({
            "aud": ["sts.amazonaws.com"], "exp": 1_790_000_000, "iat": 1_789_996_400, "nbf": 1_789_996_400,
            "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC", "jti": "x",
            "kubernetes.io": {"namespace": "shop", "pod": {"name": "pyproc-1", "uid": "u"},
                              "serviceaccount": {"name": "pyproc", "uid": "v"}, "warnafter": 1},
            "sub": "system:serviceaccount:shop:pyproc"
        }));
        let claims = Claims::parse(&token).unwrap();
        assert_eq!(claims.service_account(), Some(("shop", "pyproc")));
        assert_eq!(claims.lifetime(), Some(3600));
        assert_eq!(claims.pod.as_deref(), Some("pyproc-1"));
        assert!(claims.is_for("sts.amazonaws.com"));
    }

    #[test]
    fn what_is_no_token_is_told_apart() {
        assert_eq!(Claims::parse(""), Err(Malformed::Parts));
        assert_eq!(Claims::parse("a.b"), Err(Malformed::Parts));
        assert_eq!(Claims::parse("e30.!.x"), Err(Malformed::Base64(2)));
        assert_eq!(Claims::parse("e30.W10.e30"), Err(Malformed::Json(2)));
        assert_eq!(Claims::parse("W10.e30.e30"), Err(Malformed::Json(1)));
        assert_eq!(Claims::parse("e30.e30."), Ok(Claims::default()));
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,200}") {
            let _ = Claims::parse(&text);
        }

        #[test]
        fn claims_come_back(issuer in "[a-z:/.]{0,40}", subject in "\\PC{0,40}", expires in 0u64..9_000_000_000_000_000,
                            audiences in proptest::collection::vec("[a-z.]{1,20}", 0..4)) {
            let token = token(&serde_json::json!({"iss": issuer, "sub": subject, "exp": expires, "aud": audiences}));
            let claims = Claims::parse(&token).unwrap();
            prop_assert_eq!((claims.issuer, claims.subject, claims.expires, claims.audiences),
                            (issuer, subject, Some(expires), audiences));
        }
    }
}
