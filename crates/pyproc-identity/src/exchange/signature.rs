//! AWS Signature Version 4 of one request, GetCallerIdentity: a POST to `/` with a fixed body.

use std::fmt::Write;
use std::time::SystemTime;

use ring::{digest, hmac};

use zeroize::Zeroizing;

use super::AwsKeys;
use super::endpoint::Endpoint;
use crate::http::{Request, host};
use crate::secret::Secret;
use crate::time::written;

const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";
const SIGNED: &str = "content-type;host;x-amz-date;x-amz-security-token";

/// The request, and what in it is secret.
pub(super) fn get_caller_identity(
    endpoint: &Endpoint,
    keys: &AwsKeys,
    now: SystemTime,
) -> (Request, [Secret; 1]) {
    let time = stamp(now);
    let authorization = authorization(&host(&endpoint.url), &endpoint.region, keys, &time);
    let request = Request::post(endpoint.url.as_str(), TYPE, BODY.as_bytes().to_vec())
        .header("x-amz-date", &time)
        .header("x-amz-security-token", keys.token.expose())
        .authorization("", &authorization);
    (request, [authorization])
}

fn authorization(host: &str, region: &str, keys: &AwsKeys, time: &str) -> Secret {
    let day = time.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/sts/aws4_request");
    let canonical = format!(
        "POST\n/\n\ncontent-type:{TYPE}\nhost:{host}\nx-amz-date:{time}\nx-amz-security-token:{}\n\n{SIGNED}\n{}",
        keys.token.expose(),
        hash(BODY)
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hash(&Zeroizing::new(canonical))
    );
    let first = Zeroizing::new(format!("AWS4{}", keys.secret.expose()));
    let key = chain(first.as_bytes(), &[day, region, "sts", "aws4_request"]);
    let signature = hex(sign(&key, &to_sign).as_ref());
    Secret::new(format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED}, Signature={signature}",
        keys.id.expose()
    ))
}

/// Each part signed with what came of the one before it.
fn chain(first: &[u8], parts: &[&str]) -> Zeroizing<Vec<u8>> {
    let first = Zeroizing::new(first.to_vec());
    parts.iter().fold(first, |key, part| {
        Zeroizing::new(sign(&key, part).as_ref().to_vec())
    })
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `20261124T195500Z`.
fn stamp(time: SystemTime) -> String {
    written(time)
        .chars()
        .filter(|c| !"-:".contains(*c))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_signature_is_the_one_that_botocore_makes() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let keys = AwsKeys {
            id: secret("ASIAEXAMPLE"),
            secret: secret("wJalrXUtnFEMI/K7MDENG"),
            token: secret("session+/token=="),
        };
        let time = stamp(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_548_900));
        assert_eq!(time, "20261124T193500Z");
        let made = authorization("sts.eu-west-1.amazonaws.com", "eu-west-1", &keys, &time);
        assert_eq!(made.expose(), EXPECTED);
    }

    /// What botocore 1.44 puts into `Authorization` for the same request, keys and time.
    const EXPECTED: &str = "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20261124/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=d4e0ecfeb242f2dea5990da24fec8e0fe267ef417a473a15b9cbbddce08ff811";
}
