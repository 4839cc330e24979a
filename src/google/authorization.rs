//! The value of an `Authorization` header. An API key has a header of its own; until it is there, it stands
//! in one of a scheme that Google does not know.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// What stands before the token.
pub(super) const BEARER: &str = "Bearer ";

/// What stands before an API key. The rules of vertex.cfg know it.
const API_KEY: &str = "ApiKey ";

/// The value of an `Authorization` header that carries a bearer, or an API key. All clones are one text,
/// whose bytes are overwritten when the last of them goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(Arc<Zeroizing<String>>);

impl Authorization {
    /// The value for this token.
    pub(super) fn of(token: &str) -> Self {
        Self::with_scheme(BEARER, token)
    }

    /// The value for this API key.
    pub(super) fn of_api_key(key: &str) -> Self {
        Self::with_scheme(API_KEY, key)
    }

    fn with_scheme(scheme: &str, secret: &str) -> Self {
        // A text that grew would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(scheme.len() + secret.len()));
        text.push_str(scheme);
        text.push_str(secret);
        Self(Arc::new(text))
    }

    /// The header that Google wants it in, and that header's value.
    #[must_use]
    pub fn header(&self) -> (&'static str, &str) {
        match self.0.strip_prefix(API_KEY) {
            Some(key) => ("x-goog-api-key", key),
            None => ("authorization", &self.0),
        }
    }

    /// The value, to be sent and not to be told.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_its_token_to_who_asks_and_to_nobody_else() {
        let value = Authorization::of("ya29.secret");
        assert_eq!(value.as_str(), "Bearer ya29.secret");
        assert_eq!(value.0.capacity(), value.as_str().len(), "it never grew");
        assert_eq!(value.header(), ("authorization", "Bearer ya29.secret"));
        assert_eq!(format!("{value:?}"), "Authorization");
        let key = Authorization::of_api_key("AIza.secret");
        assert_eq!(
            (key.as_str(), key.header()),
            ("ApiKey AIza.secret", ("x-goog-api-key", "AIza.secret"))
        );
    }
}
