//! Finds the caller's token among the headers that can carry it. The same value in several of them,
//! or several times in one, is one token; an empty one is none.

use crate::error::{Reason, Refusal};
use crate::oidc::{TokenHeader, TokenHeaders};
use crate::test_switches::{Check, on};

/// Prefixes of Google's own tokens and API keys.
const GOOGLE_TOKENS: [&str; 2] = ["ya29.", "AIza"];

/// The values of a request's token headers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenValues<'r> {
    authorization: Given<'r>,
    x_api_key: Given<'r>,
    x_goog_api_key: Given<'r>,
}

/// The value of one header.
#[derive(Clone, Copy, Debug, Default)]
enum Given<'r> {
    #[default]
    None,
    One(&'r str),
    /// It stands more than once, with different values.
    Differing,
}

impl<'r> TokenValues<'r> {
    /// Adds a header line.
    pub(super) fn add(&mut self, header: TokenHeader, value: &'r str) {
        if value.is_empty() {
            return;
        }
        let given = match header {
            TokenHeader::Authorization => &mut self.authorization,
            TokenHeader::XApiKey => &mut self.x_api_key,
            TokenHeader::XGoogApiKey => &mut self.x_goog_api_key,
        };
        *given = match *given {
            Given::None => Given::One(value),
            Given::One(former) if differ((header, former), (header, value)) => Given::Differing,
            former => former,
        };
    }

    const fn of(&self, header: TokenHeader) -> Given<'r> {
        match header {
            TokenHeader::Authorization => self.authorization,
            TokenHeader::XApiKey => self.x_api_key,
            TokenHeader::XGoogApiKey => self.x_goog_api_key,
        }
    }

    /// The token in the headers that are `read`.
    ///
    /// # Errors
    /// `token_missing`, `token_duplicate`, `token_malformed`, `google_token_not_accepted`.
    pub(super) fn token(&self, read: &TokenHeaders) -> Result<&'r str, Refusal> {
        let mut found = None;
        for header in read.iter() {
            let value = match self.of(header) {
                Given::None => continue,
                Given::One(value) => value,
                Given::Differing => {
                    let twice = format!("{} stands twice, with two values", header.name());
                    return Err(Refusal::detailed(Reason::TokenDuplicate, &twice));
                }
            };
            let (first, former) = *found.get_or_insert((header, value));
            if differ((first, former), (header, value)) {
                let both = format!("{} and {} differ", first.name(), header.name());
                return Err(Refusal::detailed(Reason::TokenDuplicate, &both));
            }
        }
        let (header, value) = found.ok_or(Reason::TokenMissing)?;
        let token = carried(header, value).ok_or(Reason::TokenMalformed)?;
        if GOOGLE_TOKENS.iter().any(|prefix| token.starts_with(prefix)) {
            return Err(Reason::GoogleTokenNotAccepted.into());
        }
        Ok(token)
    }
}

/// Whether two header lines carry different tokens.
fn differ(one: (TokenHeader, &str), other: (TokenHeader, &str)) -> bool {
    let token = |(header, value)| carried(header, value).unwrap_or(value);
    on(Check::OneCredential) && token(one) != token(other)
}

/// The token in a header's value; `None` for an `Authorization` of another scheme than `Bearer`
/// (RFC 6750 section 2.1), whose name is case-insensitive (RFC 9110 section 11.1).
fn carried(header: TokenHeader, value: &str) -> Option<&str> {
    if header != TokenHeader::Authorization {
        return Some(value);
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}
