//! The value of an `Authorization` header.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// What stands before the token.
pub(super) const BEARER: &str = "Bearer ";

/// The value of an `Authorization` header that carries a bearer. All clones are one text, whose bytes
/// are overwritten when the last of them goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(Arc<Zeroizing<String>>);

impl Authorization {
    /// The value for this token.
    pub(super) fn of(token: &str) -> Self {
        // A text that grew would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(BEARER.len() + token.len()));
        text.push_str(BEARER);
        text.push_str(token);
        Self(Arc::new(text))
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
        assert_eq!(format!("{value:?}"), "Authorization");
    }
}
