//! Another issuer's token, in the forms in which files and servers hold it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::fetch::{Answer, Endpoint, FieldValue, Request};
use crate::google::token::{Fault, Token};
use crate::google::{Hosts, MAX_ACCESS_TOKEN_BYTES};

/// `format` of a `credential_source`.
#[derive(Deserialize)]
pub(super) struct RawFormat {
    r#type: Option<String>,
    subject_token_field_name: Option<String>,
}

/// How a document holds the token.
pub(super) enum Format {
    Text,
    /// As this member of an object.
    Json(String),
}

/// A server that gives the token, to whoever sends these headers.
pub(super) struct SubjectServer {
    pub(super) endpoint: Endpoint,
    headers: Vec<(String, FieldValue)>,
    format: Format,
}

/// Seconds that nobody counts: the token is exchanged at once.
const ANY_SECS: i64 = 300;

/// Header fields that HAProxy writes itself.
const OWN_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Format {
    /// `at` is the pointer to the `credential_source`.
    pub(super) fn of(raw: Option<RawFormat>, at: &str) -> Result<Self, String> {
        let Some(raw) = raw else {
            return Ok(Self::Text);
        };
        match raw.r#type.as_deref() {
            None | Some("text") => Ok(Self::Text),
            Some("json") => raw.subject_token_field_name.map(Self::Json).ok_or_else(|| {
                format!(
                    "{at}/format/subject_token_field_name: missing; the member with the token is \
                     wanted"
                )
            }),
            Some(_) => Err(format!("{at}/format/type: text or json is wanted")),
        }
    }

    /// The token of a document.
    ///
    /// # Errors
    /// What the document is not.
    pub(super) fn token(&self, document: &[u8]) -> Result<Zeroizing<String>, String> {
        let text = match self {
            Self::Text => str::from_utf8(document)
                .map(|text| Zeroizing::new(text.trim().to_owned()))
                .map_err(|_| "it is no text".to_owned())?,
            Self::Json(field) => member(document, field)
                .ok_or_else(|| format!("it is no JSON with a text {field}"))?,
        };
        let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        match fits && text.len() <= MAX_ACCESS_TOKEN_BYTES {
            true => Ok(text),
            false => Err(format!("one token of at most {MAX_ACCESS_TOKEN_BYTES} bytes is wanted")),
        }
    }
}

impl SubjectServer {
    /// `at` is the pointer to the `credential_source`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(super) fn new(
        url: &str,
        headers: BTreeMap<String, Zeroizing<String>>,
        format: Format,
        at: &str,
        hosts: Hosts<'_>,
    ) -> Result<Self, String> {
        let endpoint = hosts.source(&format!("{at}/url"), url)?;
        let field = |(name, value): (String, Zeroizing<String>)| {
            let at = format!("{at}/headers/{name}");
            let name = name.to_ascii_lowercase();
            let is_name = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            if !is_name || OWN_HEADERS.contains(&name.as_str()) {
                return Err(format!("{at}: no header field that can be sent here: leave it out"));
            }
            let value = FieldValue::new(&value).ok_or_else(|| {
                format!("{at}: a text of one line, without blanks around, is wanted")
            })?;
            Ok((name, value))
        };
        let headers = headers.into_iter().map(field).collect::<Result<_, _>>()?;
        Ok(Self { endpoint, headers, format })
    }

    pub(super) fn request(&self) -> Request {
        let request = Request::get(self.endpoint.clone());
        self.headers.iter().fold(request, |request, (name, value)| {
            request.with(Cow::Owned(name.clone()), value.clone())
        })
    }

    pub(super) fn token(&self, answer: &Answer) -> Result<Token, Fault> {
        Fault::unless_ok(answer)?;
        let text = self.format.token(&answer.body);
        let text = text.map_err(|why| Fault::passing(&format!("no subject token: {why}")))?;
        Token::new(text, ANY_SECS)
    }
}

/// A text of an object in JSON.
fn member(bytes: &[u8], name: &str) -> Option<Zeroizing<String>> {
    match serde_json::from_slice::<Value>(bytes).ok()?.get_mut(name)?.take() {
        Value::String(text) => Some(Zeroizing::new(text)),
        _ => None,
    }
}
