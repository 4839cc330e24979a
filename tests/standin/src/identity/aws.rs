//! The subject token of a machine in AWS: a `GetCallerIdentity` request whose signature (Version 4) is
//! made again with the secret that the machine was given.

use super::answer::{Facts, Fault};
use super::form::percent_decode;
use super::machine::{ACCESS_KEY_ID, REGION, ROLE, SECRET_ACCESS_KEY, SESSION_TOKEN};
use crate::keys::hex;
use ring::{digest, hmac};
use serde::Deserialize;
use serde_json::json;

pub const SUBJECT_TYPE: &str = "urn:ietf:params:aws:token-type:aws4_request";

/// How old or how far ahead a signature may be, in seconds.
const SKEW: i64 = 900;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    url: String,
    method: String,
    headers: Vec<Header>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    key: String,
    value: String,
}

impl Signed {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.key.eq_ignore_ascii_case(name));
        found.map(|header| header.value.as_str())
    }
}

fn refuse(description: impl Into<String>) -> Fault {
    Fault::new(400, "invalid_grant", description)
}

/// The role that signed, for this provider.
pub fn verify(token: &str, audience: &str, now: i64, facts: &mut Facts) -> Result<String, Fault> {
    let signed: Signed = percent_decode(token)
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or_else(|| refuse("Unable to parse the AWS request."))?;
    let host = format!("sts.{REGION}.amazonaws.com");
    let query = "Action=GetCallerIdentity&Version=2011-06-15";
    facts.insert("aws".to_owned(), json!({"url": signed.url, "method": signed.method}));
    if signed.method != "POST" || signed.url != format!("https://{host}?{query}") {
        return Err(refuse("The request is not GetCallerIdentity of the region."));
    }
    let header = |name: &str| signed.header(name).ok_or_else(|| refuse(format!("No {name}.")));
    if header("host")? != host {
        return Err(refuse("The host is another."));
    }
    let target = header("x-goog-cloud-target-resource")?;
    if target.strip_prefix("https:").unwrap_or(target) != audience {
        return Err(refuse("The target resource is another."));
    }
    if header("x-amz-security-token")? != SESSION_TOKEN {
        return Err(refuse("The security token is unknown."));
    }
    let time = header("x-amz-date")?;
    let age = now.saturating_sub(seconds(time).ok_or_else(|| refuse("No time."))?);
    if age.abs() > SKEW {
        return Err(refuse("The signature has expired."));
    }
    let authorization = header("authorization")?;
    let names = authorization
        .split("SignedHeaders=")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .ok_or_else(|| refuse("No signed headers."))?;
    if !["host", "x-amz-date"].iter().all(|name| names.split(';').any(|n| n == *name)) {
        return Err(refuse("The host and the time have to be signed."));
    }
    let mut lines = String::new();
    for name in names.split(';') {
        lines += &format!("{name}:{}\n", header(name)?.trim());
    }
    let empty = hex(digest::digest(&digest::SHA256, b"").as_ref());
    let canonical = format!("POST\n/\n{query}\n{lines}\n{names}\n{empty}");
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let day = time.get(..8).unwrap_or_default();
    let scope = format!("{day}/{REGION}/sts/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
    for part in [day, REGION, "sts", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &to_sign));
    let wanted = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, \
         Signature={signature}"
    );
    if authorization != wanted {
        return Err(refuse("The request signature we calculated does not match."));
    }
    facts.insert("signed_headers".to_owned(), json!(names));
    Ok(format!("arn:aws:sts::123456789012:assumed-role/{ROLE}"))
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

/// `20270115T080000Z` in seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    // Days from the civil date, as Howard Hinnant counts them.
    let (shifted, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (153 * month + 2) / 5 + day
            - 1
            - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(seconds("20270115T080000Z"), Some(1_800_000_000));
        assert_eq!(seconds("19700101T000000Z"), Some(0));
        assert_eq!(seconds("20000229T235959Z"), Some(951_868_799));
        assert_eq!(seconds("2027-01-15"), None);
    }

    #[test]
    fn strangers_are_refused() {
        for token in ["", "%7B%7D", "{}", "%zz"] {
            assert_eq!(verify(token, "//x", 0, &mut Facts::new()).unwrap_err().status, 400);
        }
    }
}
