//! AWS Signature Version 4 of the one request that is signed here, and its form as a token for
//! Google: percent-encoded JSON of method, URL and headers, as google-auth writes it.

use std::fmt::Write as _;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::google::aws::Keys;
use crate::jose::{digest, hex, hmac};
use crate::time::UnixTime;

/// `GetCallerIdentity` of AWS' Security Token Service, for a provider of Google's.
pub(super) struct Identify {
    /// With `{region}` in it.
    host: String,
    /// As it is sent, `?` included.
    query: String,
    /// Sorted, as it is signed.
    canonical_query: String,
    audience: String,
}

/// The token as JSON; its members are sorted.
#[derive(Serialize)]
struct SignedRequest<'r> {
    headers: Vec<SignedHeader<'r>>,
    method: &'static str,
    url: String,
}

#[derive(Serialize)]
struct SignedHeader<'r> {
    key: &'static str,
    value: &'r str,
}

const REGION: &str = "{region}";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const METHOD: &str = "POST";

/// SHA-256 of no bytes: the request has no body.
const EMPTY_DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Identify {
    pub(super) const USUAL: &'static str =
        "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";

    /// For the `regional_cred_verification_url` of a file, and the audience of its provider.
    ///
    /// # Errors
    /// What would be right: a signature must serve for nothing but to say who signed.
    pub(super) fn new(url: &str, audience: &str) -> Result<Self, String> {
        let wanted = || format!("{} is wanted", Self::USUAL);
        let (host, query) = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once('?'))
            .ok_or_else(wanted)?;
        let host = host.strip_suffix('/').unwrap_or(host);
        let name = host.replace(REGION, "region");
        let is_name = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
        let is_of_aws = name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn");
        let is_sts = name.starts_with("sts.") || name.starts_with("sts-fips.");
        // Then no character of it has a second way to be written.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
        let mut pairs: Vec<&str> = query.split('&').collect();
        let is_pair = |pair: &&str| {
            let parts = pair.split_once('=');
            parts.is_some_and(|(name, value)| {
                !name.is_empty()
                    && !value.is_empty()
                    && (name.bytes().chain(value.bytes())).all(plain)
            })
        };
        let identifies = pairs.iter().filter(|pair| pair.starts_with("Action=")).count() == 1
            && pairs.contains(&"Action=GetCallerIdentity");
        if !(is_name && is_of_aws && is_sts && pairs.iter().all(is_pair) && identifies) {
            return Err(wanted());
        }
        if audience.is_empty() || !audience.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the audience cannot be sent in a header".to_owned());
        }
        pairs.sort_unstable();
        Ok(Self {
            host: host.to_owned(),
            query: url.get(url.find('?').unwrap_or(url.len())..).unwrap_or_default().to_owned(),
            canonical_query: pairs.join("&"),
            audience: audience.to_owned(),
        })
    }

    pub(super) fn token(&self, region: &str, keys: &Keys, now: UnixTime) -> Zeroizing<String> {
        let host = self.host.replace(REGION, region);
        let time = basic_time(now);
        let day = time.split('T').next().unwrap_or_default().to_owned();
        // In the order of their names, as they are signed.
        let mut signed = vec![("host", &*host), ("x-amz-date", &*time)];
        signed.extend(keys.session.as_deref().map(|s| ("x-amz-security-token", s.as_str())));
        signed.push(("x-goog-cloud-target-resource", &*self.audience));
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let scope = format!("{day}/{region}/sts/aws4_request");
        let signature = {
            let lines =
                signed.iter().fold(Zeroizing::new(String::new()), |mut lines, (n, value)| {
                    let _ = writeln!(lines, "{n}:{value}");
                    lines
                });
            let canonical = Zeroizing::new(format!(
                "{METHOD}\n/\n{}\n{}\n{names}\n{EMPTY_DIGEST}",
                self.canonical_query, *lines
            ));
            let digest = hex(&digest(canonical.as_bytes()));
            let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{digest}");
            hex(&hmac(signing_key(keys, &day, region).as_slice(), to_sign.as_bytes()))
        };
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            keys.id
        );
        let all = std::iter::once(("Authorization", &*authorization)).chain(signed);
        let request = SignedRequest {
            headers: all.map(|(key, value)| SignedHeader { key, value }).collect(),
            method: METHOD,
            url: format!("https://{host}{}", self.query),
        };
        // Texts alone: this cannot fail.
        let json = Zeroizing::new(serde_json::to_string(&request).unwrap_or_default());
        quoted(&json)
    }
}

/// Whether a text can be a region: it becomes part of a host.
pub(super) fn is_region(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

fn signing_key(keys: &Keys, day: &str, region: &str) -> Zeroizing<[u8; 32]> {
    let secret = Zeroizing::new(format!("AWS4{}", *keys.secret));
    let key = Zeroizing::new(hmac(secret.as_bytes(), day.as_bytes()));
    [region, "sts", "aws4_request"]
        .iter()
        .fold(key, |key, part| Zeroizing::new(hmac(key.as_slice(), part.as_bytes())))
}

/// `20270115T080000Z`
fn basic_time(now: UnixTime) -> String {
    now.rfc3339().replace(['-', ':'], "")
}

/// Percent-encodes, as Google's libraries do within a form before the form's own encoding.
pub(in crate::google) fn quoted(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::new());
    for byte in text.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => quoted.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => quoted.push(char::from(byte)),
            _ => drop(write!(quoted, "%{byte:02X}")),
        }
    }
    quoted
}
