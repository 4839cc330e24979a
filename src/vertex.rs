//! Vertex AI's URLs as a closed grammar: a request line is one of these routes, in its one
//! canonical spelling, or it is refused. What leaves is written from the parsed target.
//!
//! Shapes: the discovery documents of aiplatform.googleapis.com, v1 and v1beta1.

mod host;
mod query;

use std::fmt;

pub use host::host_of;
pub use query::Query;

use crate::error::Reason;

/// No name in a URL of Google's is longer.
const MAX_SEGMENT_BYTES: usize = 128;

/// The methods of publisher models that are routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// One answer.
    GenerateContent,
    /// A streamed answer.
    StreamGenerateContent,
    /// How many tokens a prompt has; free of charge.
    CountTokens,
}

impl Method {
    /// Every method.
    pub const ALL: &'static [Self] =
        &[Self::GenerateContent, Self::StreamGenerateContent, Self::CountTokens];

    /// The name in URLs, roles and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenerateContent => "generateContent",
            Self::StreamGenerateContent => "streamGenerateContent",
            Self::CountTokens => "countTokens",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name)
    }
}

/// What a request is for, each part checked against its alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'u> {
    /// `v1` or `v1beta1`.
    pub version: &'u str,
    /// The Google project's id or number.
    pub project: &'u str,
    /// The location.
    pub location: &'u str,
    /// The publisher.
    pub publisher: &'u str,
    /// The model, with `@` for its version.
    pub model: &'u str,
    /// The method.
    pub method: Method,
    /// The query.
    pub query: Query,
}

impl<'u> Target<'u> {
    /// Reads a request line's method and URL in origin form (RFC 9112 section 3.2.1).
    ///
    /// # Errors
    /// `url_not_canonical`, `route_unknown`, `query_not_allowed`.
    pub fn parse(http_method: &str, url: &'u str) -> Result<Self, Reason> {
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url, None),
        };
        if path == "/" {
            return Err(Reason::RouteUnknown);
        }
        check_canonical(path)?;
        let (version, rest) =
            path.strip_prefix('/').and_then(|p| p.split_once('/')).ok_or(Reason::RouteUnknown)?;
        if !matches!(version, "v1" | "v1beta1") || http_method != "POST" {
            return Err(Reason::RouteUnknown);
        }
        let (resource, verb) = rest.rsplit_once(':').ok_or(Reason::RouteUnknown)?;
        let mut segments = resource.split('/');
        let mut after = |collection: &str| {
            (segments.next() == Some(collection)).then(|| segments.next()).flatten()
        };
        let target = Self {
            version,
            project: after("projects").ok_or(Reason::RouteUnknown)?,
            location: after("locations").ok_or(Reason::RouteUnknown)?,
            publisher: after("publishers").ok_or(Reason::RouteUnknown)?,
            model: after("models").ok_or(Reason::RouteUnknown)?,
            method: Method::from_name(verb).ok_or(Reason::RouteUnknown)?,
            query: Query::None,
        };
        if segments.next().is_some() {
            return Err(Reason::RouteUnknown);
        }
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let model = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'@');
        let fits = |text: &str, allowed: fn(u8) -> bool| {
            (1..=MAX_SEGMENT_BYTES).contains(&text.len()) && text.bytes().all(allowed)
        };
        let names = [target.project, target.location, target.publisher];
        if !names.iter().all(|name| fits(name, lower)) || !fits(target.model, model) {
            return Err(Reason::UrlNotCanonical);
        }
        let query = query.map_or(Ok(Query::None), |query| Query::parse(query, target.method))?;
        Ok(Self { query, ..target })
    }

    /// Writes the path and query that are sent to Google.
    pub fn write_to(&self, out: &mut String) {
        let parts = [
            "/",
            self.version,
            "/projects/",
            self.project,
            "/locations/",
            self.location,
            "/publishers/",
            self.publisher,
            "/models/",
            self.model,
            ":",
            self.method.name(),
            self.query.text(),
        ];
        parts.iter().for_each(|part| out.push_str(part));
    }
}

/// The path and query that are sent to Google.
impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_to(&mut out);
        f.write_str(&out)
    }
}

/// One spelling a name: nothing encoded, no empty or dot segments, no path parameters. How
/// Google's front end reads other spellings is not documented, so none is let through.
fn check_canonical(path: &str) -> Result<(), Reason> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':' | b'@');
    let rest = path.strip_prefix('/').ok_or(Reason::UrlNotCanonical)?;
    let (mut length, mut only_dots) = (0_usize, true);
    for byte in rest.bytes().chain([b'/']) {
        match byte {
            b'/' if length == 0 || (only_dots && length <= 2) => {
                return Err(Reason::UrlNotCanonical);
            }
            b'/' => (length, only_dots) = (0, true),
            _ if plain(byte) => (length, only_dots) = (length + 1, only_dots && byte == b'.'),
            _ => return Err(Reason::UrlNotCanonical),
        }
    }
    Ok(())
}
