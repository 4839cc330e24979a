//! The claims of RFC 7519 section 4.1, read in three states: absent, of the wrong type, there.

use crate::error::Reason;
use crate::json::Json;
use crate::time::UnixTime;

/// How far the clocks of an issuer and this gateway may be apart.
pub const LEEWAY_SECS: i64 = 30;

/// The longest a token may live.
pub const MAX_LIFETIME_SECS: i64 = 24 * 3600;

/// A token's payload.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'t>(&'t Json);

/// From when until when a token is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The later of `nbf` and `iat`; without both, always.
    pub not_before: UnixTime,
    /// `exp`.
    pub expires: UnixTime,
}

impl<'t> Claims<'t> {
    /// The claims in a payload.
    #[must_use]
    pub fn new(payload: &'t Json) -> Self {
        Self(payload)
    }

    /// A claim that is text, by its name or JSON pointer.
    ///
    /// # Errors
    /// `token_malformed` for a claim of another type.
    pub fn text(&self, name: &str) -> Result<Option<&'t str>, Reason> {
        match self.0.at(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(Reason::TokenMalformed),
        }
    }

    /// A claim that is a text or an array of texts, by its name or JSON pointer; absent is empty.
    ///
    /// # Errors
    /// `token_malformed` for anything else.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Reason> {
        let text = |json: &Json| json.as_str().map(str::to_owned).ok_or(Reason::TokenMalformed);
        match self.0.at(name) {
            None => Ok(Vec::new()),
            Some(Json::Array(elements)) => elements.iter().map(text).collect(),
            Some(other) => Ok(vec![text(other)?]),
        }
    }

    /// Checks that the claim `name` is or holds one of `audiences` (RFC 7519 section 4.1.3).
    ///
    /// # Errors
    /// `claim_missing`, `audience_wrong`, `token_malformed`.
    pub fn check_audience(&self, name: &str, audiences: &[String]) -> Result<(), Reason> {
        if self.0.get(name).is_none() {
            return Err(Reason::ClaimMissing);
        }
        match self.texts(name)?.iter().any(|named| audiences.contains(named)) {
            true => Ok(()),
            false => Err(Reason::AudienceWrong),
        }
    }

    /// When the token is valid. Its lifetime counts from `iat`, from now without one.
    ///
    /// # Errors
    /// `claim_missing`, `token_malformed`, `lifetime_too_long`.
    pub fn validity(&self, now: UnixTime) -> Result<Validity, Reason> {
        let expires = self.date("exp")?.ok_or(Reason::ClaimMissing)?;
        let issued = self.date("iat")?;
        if expires - issued.unwrap_or(now) > MAX_LIFETIME_SECS {
            return Err(Reason::LifetimeTooLong);
        }
        let not_before = self.date("nbf")?.max(issued).unwrap_or(UnixTime(i64::MIN));
        Ok(Validity { not_before, expires })
    }

    fn date(&self, name: &str) -> Result<Option<UnixTime>, Reason> {
        match self.0.get(name) {
            None => Ok(None),
            Some(json) => match json.as_numeric_date() {
                Some(secs) => Ok(Some(UnixTime(secs))),
                None => Err(Reason::TokenMalformed),
            },
        }
    }
}

impl Validity {
    /// Whether the token is valid at `now`, give or take the leeway.
    ///
    /// # Errors
    /// `token_expired`, `token_not_yet_valid`.
    pub fn check(&self, now: UnixTime) -> Result<(), Reason> {
        if now >= self.expires + LEEWAY_SECS {
            return Err(Reason::TokenExpired);
        }
        if now + LEEWAY_SECS < self.not_before {
            return Err(Reason::TokenNotYetValid);
        }
        Ok(())
    }
}
