//! What came back from a fetch.

use std::fmt;

use zeroize::Zeroizing;

use crate::fetch::Headers;

/// The end of a fetch.
#[derive(Debug)]
pub enum Reply {
    /// An answer of the server that was asked.
    Answer(Answer),
    /// No answer; the text says why, for the log.
    Failure(String),
}

/// An HTTP answer (RFC 9110 section 3.4). Its body may be a secret: `Debug` shows the length alone.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All header fields.
    pub headers: Headers,
    /// The whole content.
    pub body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// The status of the answer; nothing where there was none.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer) => Some(answer.status),
            Self::Failure(_) => None,
        }
    }
}

impl Answer {
    /// An answer with these header fields and this content.
    #[must_use]
    pub fn new(status: u16, headers: Headers, body: Vec<u8>) -> Self {
        Self { status, headers, body: Zeroizing::new(body) }
    }

    /// Seconds until the answer is stale (RFC 9111 section 4.2: `max-age` less `Age`), which may be
    /// negative; 0 for one that must not be stored or not be used again; nothing where it does not say.
    #[must_use]
    pub fn fresh_secs(&self) -> Option<i64> {
        let cache_control = self.headers.combined("cache-control").unwrap_or_default();
        let directives = || cache_control.split(',').map(|d| d.trim().to_ascii_lowercase());
        if directives().any(|d| d == "no-store" || d == "no-cache") {
            return Some(0);
        }
        // A max-age that is no number makes an answer stale (section 4.2.1).
        let max_age = directives().find_map(|directive| {
            let value = directive.strip_prefix("max-age=")?;
            Some(delta_seconds(value.trim_matches('"')).unwrap_or(0))
        })?;
        // Of a list the first member counts (section 5.1).
        let age = self.headers.first("age").and_then(|age| age.split(',').next());
        let age = age.and_then(|age| delta_seconds(age.trim())).unwrap_or(0);
        Some(max_age.saturating_sub(age))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer {} of {} bytes", self.status, self.body.len())
    }
}

/// RFC 9111 section 1.2.2; more than fits is a very long time.
fn delta_seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}
