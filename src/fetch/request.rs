//! A request as data.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

use crate::fetch::{Endpoint, FieldValue, Header};

/// An HTTP request. Values and content may be secrets: `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Whom to ask, and for what.
    pub endpoint: Endpoint,
    /// The header fields beside `Host` and `Content-Length`.
    pub headers: Vec<Header>,
    /// The content; empty for none.
    pub body: Zeroizing<Vec<u8>>,
}

/// A method (RFC 9110 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks for a document.
    Get,
    /// Hands content over to be processed.
    Post,
    /// Asks AWS for a session.
    Put,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

impl Method {
    /// The method as it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

impl Request {
    /// Asks for a document.
    #[must_use]
    pub fn get(endpoint: Endpoint) -> Self {
        Self { method: Method::Get, endpoint, headers: Vec::new(), body: Zeroizing::default() }
    }

    /// Asks for what is made anew each time, without content.
    #[must_use]
    pub fn put(endpoint: Endpoint) -> Self {
        Self { method: Method::Put, ..Self::get(endpoint) }
    }

    /// Hands over a form: names and values, as OAuth 2.0 wants them (RFC 6749 appendix B).
    #[must_use]
    pub fn post_form(endpoint: Endpoint, form: &[(&str, &str)]) -> Self {
        let mut body = Zeroizing::new(Vec::new());
        for (name, value) in form {
            if !body.is_empty() {
                body.push(b'&');
            }
            encode(name, &mut body);
            body.push(b'=');
            encode(value, &mut body);
        }
        Self::post(endpoint, FORM, body)
    }

    /// Hands over JSON.
    #[must_use]
    pub fn post_json(endpoint: Endpoint, json: &serde_json::Value) -> Self {
        Self::post(endpoint, JSON, Zeroizing::new(json.to_string().into_bytes()))
    }

    fn post(endpoint: Endpoint, media_type: &'static str, body: Zeroizing<Vec<u8>>) -> Self {
        let value = FieldValue(Zeroizing::new(media_type.to_owned()));
        let headers = vec![Header { name: "content-type".into(), value }];
        Self { method: Method::Post, endpoint, headers, body }
    }

    /// The same request with one more header field; its name is in lower case.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: FieldValue) -> Self {
        self.headers.push(Header { name: name.into(), value });
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, endpoint, headers, body } = self;
        let method = method.name();
        write!(f, "{method} {endpoint} with {headers:?} and {} bytes", body.len())
    }
}

/// The URL Standard's application/x-www-form-urlencoded serializing, which RFC 6749 refers to.
fn encode(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push(b'+'),
            b'*' | b'-' | b'.' | b'_' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend([b'%', digit(byte >> 4), digit(byte & 0xf)]),
        }
    }
}
