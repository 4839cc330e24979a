//! The claims of RFC 7519 section 4.1, read in three states: absent, of the wrong type, there.

use crate::error::{Reason, Refusal};
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

    /// A claim that is text and must be there.
    ///
    /// # Errors
    /// `claim_missing`, `token_malformed`.
    pub fn required_text(&self, name: &str) -> Result<&'t str, Refusal> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A claim that is text, by its name or JSON pointer.
    ///
    /// # Errors
    /// `token_malformed` for a claim of another type.
    pub fn text(&self, name: &str) -> Result<Option<&'t str>, Refusal> {
        match self.0.at(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(mistyped(name, "text")),
        }
    }

    /// A claim that is a text or an array of texts, by its name or JSON pointer; absent is empty.
    ///
    /// # Errors
    /// `token_malformed` for anything else.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let text = |json: &Json| {
            json.as_str()
                .map(str::to_owned)
                .ok_or_else(|| mistyped(name, "text or a list of texts"))
        };
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
    pub fn check_audience(&self, name: &str, audiences: &[String]) -> Result<(), Refusal> {
        if self.0.get(name).is_none() {
            return Err(missing(name));
        }
        match self.texts(name)?.iter().any(|named| audiences.contains(named)) {
            true => Ok(()),
            false => Err(Reason::AudienceWrong.into()),
        }
    }

    /// When the token is valid. Its lifetime counts from `iat`, from now without one.
    ///
    /// # Errors
    /// `claim_missing`, `token_malformed`, `lifetime_too_long`.
    pub fn validity(&self, now: UnixTime) -> Result<Validity, Refusal> {
        let expires = self.date("exp")?.ok_or_else(|| missing("exp"))?;
        let issued = self.date("iat")?;
        if expires - issued.unwrap_or(now) > MAX_LIFETIME_SECS {
            return Err(Reason::LifetimeTooLong.into());
        }
        let not_before = self.date("nbf")?.max(issued).unwrap_or(UnixTime(i64::MIN));
        Ok(Validity { not_before, expires })
    }

    /// Whether the issuer put a reference in place of the claim `name`: OpenID Connect Core 1.0
    /// section 5.6.2, and what Entra does where a caller has too many groups.
    #[must_use]
    pub fn leaves_out(&self, name: &str) -> bool {
        let is_referred_to =
            self.0.get("_claim_names").is_some_and(|names| names.get(name).is_some());
        let has_groups = matches!(self.0.get("hasgroups"), Some(Json::Bool(true)));
        self.0.get(name).is_none() && (is_referred_to || has_groups)
    }

    fn date(&self, name: &str) -> Result<Option<UnixTime>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(json) => match json.as_numeric_date() {
                Some(secs) => Ok(Some(UnixTime(secs))),
                None => Err(mistyped(name, "a number of seconds")),
            },
        }
    }
}

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::detailed(Reason::ClaimMissing, name)
}

fn mistyped(name: &str, wanted: &str) -> Refusal {
    Refusal::detailed(Reason::TokenMalformed, &format!("the claim {name} must be {wanted}"))
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
