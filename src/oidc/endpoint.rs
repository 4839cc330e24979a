//! An https URL of an issuer, taken apart: whom to ask and for what.

use std::fmt;

/// Where a document is fetched from. HAProxy's backend `vertex_fetch_<authority>` leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host, and port where it is not 443; lower case.
    pub authority: String,
    /// Path and query; it begins with `/`.
    pub path: String,
}

/// No issuer's URL is longer.
const MAX_URL_BYTES: usize = 1024;

impl Endpoint {
    /// Takes an https URL apart.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > MAX_URL_BYTES {
            return Err("a URL of at most 1024 bytes is wanted");
        }
        let rest =
            url.strip_prefix("https://").ok_or("a URL that begins with https:// is wanted")?;
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(":443").unwrap_or(&authority);
        let host_bytes =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'_');
        if authority.is_empty() || !authority.bytes().all(host_bytes) {
            return Err("a host name, without user or brackets, is wanted after https://");
        }
        if !path.starts_with('/')
            || path.contains('#')
            || !path.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err("a path without fragment and blanks is wanted");
        }
        Ok(Self { authority: authority.to_owned(), path: path.to_owned() })
    }

    /// The discovery document of an issuer (OpenID Connect Discovery 1.0 section 4).
    ///
    /// # Errors
    /// Says what is wrong with the issuer's URL.
    pub fn discovery(issuer: &str) -> Result<Self, &'static str> {
        if issuer.contains('?') {
            return Err("an issuer without query is wanted");
        }
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        Self::parse(&format!("{base}/.well-known/openid-configuration"))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority, self.path)
    }
}
