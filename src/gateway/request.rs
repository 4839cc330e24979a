//! What HAProxy hands over of a request: a fixed number of fields, each on a line of its own. No
//! field can hold a line feed: HAProxy refuses such a header or URL.

use std::fmt;

use crate::error::Reason;
use crate::vertex::Target;

/// Between the fields.
pub(super) const SEPARATOR: u8 = b'\n';

/// The headers that can carry the caller's token.
const CREDENTIAL_HEADERS: [&str; 3] = ["authorization", "x-goog-api-key", "x-api-key"];

/// Headers that change what a request means, behind the back of whoever decided on it.
const FORBIDDEN_HEADERS: [&str; 6] = [
    "content-encoding",
    "upgrade",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "http2-settings",
];

/// What Google's own tokens and API keys begin with.
const GOOGLE_TOKENS: [&str; 2] = ["ya29.", "AIza"];

/// The fields, in their order on the wire.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    /// `req.ver`: `1.1`, `2.0`.
    pub(super) version: &'r str,
    /// The method.
    pub(super) method: &'r str,
    /// `url`: in origin form, over HTTP/2 with scheme and authority before it.
    pub(super) url: &'r str,
    /// `req.hdr_names`: lower-case names, each as often as it came, with commas between.
    header_names: &'r str,
    /// The values of the credential headers; `-` where there is none.
    credentials: [&'r str; 3],
}

/// Not the fields that `decide` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'r> Request<'r> {
    /// Takes the fields apart. One that is not UTF-8 is read as a character that no URL and no
    /// token can hold.
    ///
    /// # Errors
    /// Any other number of fields.
    pub(super) fn parse(bytes: &'r [u8]) -> Result<Self, Malformed> {
        let mut fields = bytes.split(|byte| *byte == SEPARATOR);
        let mut next = || {
            let field = fields.next().ok_or(Malformed)?;
            Ok(str::from_utf8(field).unwrap_or("\u{fffd}"))
        };
        let request = Self {
            version: next()?,
            method: next()?,
            url: next()?,
            header_names: next()?,
            credentials: [next()?, next()?, next()?],
        };
        match fields.next() {
            None => Ok(request),
            Some(_) => Err(Malformed),
        }
    }

    /// The caller's token, from the one header that carries it.
    ///
    /// # Errors
    /// `token_missing`, `token_duplicate`, `token_malformed`, `google_token_not_accepted`.
    pub(super) fn token(&self) -> Result<&'r str, Reason> {
        let mut found: Option<usize> = None;
        for name in self.header_names.split(',') {
            let Some(index) = CREDENTIAL_HEADERS.iter().position(|header| *header == name) else {
                continue;
            };
            if found.replace(index).is_some() {
                return Err(Reason::TokenDuplicate);
            }
        }
        let index = found.ok_or(Reason::TokenMissing)?;
        let value = self.credentials.get(index).copied().ok_or(Reason::Internal)?;
        let token = match index {
            0 => bearer(value).ok_or(Reason::TokenMalformed)?,
            _ => value,
        };
        if GOOGLE_TOKENS.iter().any(|prefix| token.starts_with(prefix)) {
            return Err(Reason::GoogleTokenNotAccepted);
        }
        Ok(token)
    }

    /// What the request is for.
    ///
    /// # Errors
    /// Those of `Target::parse`; `url_not_canonical` for the absolute form over HTTP/1.
    pub(super) fn target(&self) -> Result<Target<'r>, Reason> {
        Target::parse(self.method, self.origin_form().ok_or(Reason::UrlNotCanonical)?)
    }

    /// The path for the log: what stands before the query.
    #[must_use]
    pub(super) fn path(&self) -> &'r str {
        let url = self.origin_form().unwrap_or(self.url);
        url.split(['?', '#']).next().unwrap_or(url)
    }

    /// The reason to refuse the request for one of its headers.
    #[must_use]
    pub(super) fn forbidden_header(&self) -> Option<Reason> {
        self.header_names
            .split(',')
            .any(|name| FORBIDDEN_HEADERS.contains(&name))
            .then_some(Reason::HeaderNotAllowed)
    }

    /// HAProxy shows a request over HTTP/2 or 3 with scheme and authority; over HTTP/1 only a
    /// client that means another host sends them.
    fn origin_form(&self) -> Option<&'r str> {
        if self.url.starts_with('/') {
            return Some(self.url);
        }
        let rest =
            self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"))?;
        match self.version {
            "2.0" | "3.0" => rest.find('/').and_then(|at| rest.get(at..)),
            _ => None,
        }
    }
}

/// Without the caller's token.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request {{ {} {} }}", self.method, self.path())
    }
}

/// RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}
