//! What HAProxy hands over of a request: HTTP version, method and URL, each on a line of its own, then
//! the headers as they came, up to and with the empty line. No field can hold a line feed: HAProxy
//! refuses such a header or URL.

use std::fmt;

use crate::error::Reason;
use crate::vertex::Target;

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

/// A request, read once.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    /// `req.ver`: `1.1`, `2.0`.
    pub(super) version: &'r str,
    /// The method.
    pub(super) method: &'r str,
    /// `url`: in origin form, over HTTP/2 with scheme and authority before it.
    pub(super) url: &'r str,
    credential: Credential<'r>,
    has_forbidden_header: bool,
}

#[derive(Clone, Copy)]
enum Credential<'r> {
    None,
    One { header: &'r str, value: &'r str },
    Several,
}

/// Not what `decide` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'r> Request<'r> {
    /// Takes the text apart.
    ///
    /// # Errors
    /// A line that is missing, or headers without their end: HAProxy 2.6 lets a NUL into a header
    /// and cuts the text there.
    pub(super) fn parse(text: &'r str) -> Result<Self, Malformed> {
        let (version, rest) = text.split_once('\n').ok_or(Malformed)?;
        let (method, rest) = rest.split_once('\n').ok_or(Malformed)?;
        let (url, headers) = rest.split_once('\n').ok_or(Malformed)?;
        let mut request = Self {
            version,
            method,
            url,
            credential: Credential::None,
            has_forbidden_header: false,
        };
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', headers.as_bytes()) {
            let line = headers.get(start..end).and_then(|line| line.strip_suffix('\r'));
            start = end + 1;
            match line.ok_or(Malformed)? {
                // Behind the empty line nothing follows.
                "" if start == headers.len() => return Ok(request),
                line => {
                    let colon = memchr::memchr(b':', line.as_bytes()).ok_or(Malformed)?;
                    let (name, value) = line.split_at_checked(colon).ok_or(Malformed)?;
                    let value = value.strip_prefix(':').unwrap_or(value);
                    request.read_header(name, value.trim_start_matches(' '));
                }
            }
        }
        Err(Malformed)
    }

    fn read_header(&mut self, name: &'r str, value: &'r str) {
        if CREDENTIAL_HEADERS.contains(&name) {
            self.credential = match self.credential {
                Credential::None => Credential::One { header: name, value },
                _ => Credential::Several,
            };
        }
        self.has_forbidden_header |= FORBIDDEN_HEADERS.contains(&name);
    }

    /// The caller's token, from the one header that carries it.
    ///
    /// # Errors
    /// `token_missing`, `token_duplicate`, `token_malformed`, `google_token_not_accepted`.
    pub(super) fn token(&self) -> Result<&'r str, Reason> {
        let token = match self.credential {
            Credential::None => return Err(Reason::TokenMissing),
            Credential::Several => return Err(Reason::TokenDuplicate),
            Credential::One { header: "authorization", value } => {
                bearer(value).ok_or(Reason::TokenMalformed)?
            }
            Credential::One { value, .. } => value,
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
    pub(super) fn path(&self) -> &'r str {
        let url = self.origin_form().unwrap_or(self.url);
        url.split(['?', '#']).next().unwrap_or(url)
    }

    /// The reason to refuse the request for one of its headers.
    pub(super) fn forbidden_header(&self) -> Option<Reason> {
        self.has_forbidden_header.then_some(Reason::HeaderNotAllowed)
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
