//! A URL, taken apart: whom to ask and for what.

use std::fmt;

/// Where a request goes. HAProxy's backend `vertex_fetch_<authority>` leads there, and its servers say
/// whether by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The scheme.
    pub scheme: Scheme,
    /// Host, and port where it is not the scheme's own; lower case.
    pub authority: String,
    /// Path and query; it begins with `/`.
    pub path: String,
}

/// A URI's scheme (RFC 9110 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// By TLS.
    Https,
    /// In clear text, for a server that a network of its own protects, as a cloud's metadata server.
    Http,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    const fn wants_host(self) -> &'static str {
        match self {
            Self::Https => "a host name, without user or brackets, is wanted after https://",
            Self::Http => "a host name, without user or brackets, is wanted after http://",
        }
    }

    const fn port(self) -> &'static str {
        match self {
            Self::Https => ":443",
            Self::Http => ":80",
        }
    }
}

/// No URL that is fetched is longer.
const MAX_URL_BYTES: usize = 1024;

impl Endpoint {
    /// Takes an https URL apart.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        check_length(url)?;
        let rest =
            url.strip_prefix("https://").ok_or("a URL that begins with https:// is wanted")?;
        Self::split(Scheme::Https, rest)
    }

    /// Takes an http URL apart.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn parse_http(url: &str) -> Result<Self, &'static str> {
        check_length(url)?;
        let rest = url.strip_prefix("http://").ok_or("a URL that begins with http:// is wanted")?;
        Self::split(Scheme::Http, rest)
    }

    /// Takes apart what stands behind the scheme.
    fn split(scheme: Scheme, rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(scheme.port()).unwrap_or(&authority);
        let host_bytes =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'_');
        if authority.is_empty() || !authority.bytes().all(host_bytes) {
            return Err(scheme.wants_host());
        }
        if !path.starts_with('/')
            || path.contains('#')
            || !path.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err("a path without fragment and blanks is wanted");
        }
        Ok(Self { scheme, authority: authority.to_owned(), path: path.to_owned() })
    }
}

fn check_length(url: &str) -> Result<(), &'static str> {
    match url.len() <= MAX_URL_BYTES {
        true => Ok(()),
        false => Err("a URL of at most 1024 bytes is wanted"),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority, self.path)
    }
}
