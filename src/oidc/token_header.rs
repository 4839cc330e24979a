//! The request headers that can carry a caller's token: that of RFC 6750 section 2.1, and those in
//! which clients send API keys.

use serde::Deserialize;

/// A header that can carry a caller's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenHeader {
    /// `authorization`, with the scheme `Bearer`.
    Authorization,
    /// `x-api-key`
    XApiKey,
    /// `x-goog-api-key`
    XGoogApiKey,
}

impl TokenHeader {
    /// Every header.
    pub const ALL: [Self; 3] = [Self::Authorization, Self::XApiKey, Self::XGoogApiKey];

    /// The name in a request and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::XApiKey => "x-api-key",
            Self::XGoogApiKey => "x-goog-api-key",
        }
    }
}

/// The headers that are read for tokens, in the order of [`TokenHeader::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHeaders(Vec<TokenHeader>);

impl Default for TokenHeaders {
    fn default() -> Self {
        Self(TokenHeader::ALL.to_vec())
    }
}

impl TokenHeaders {
    /// These headers, whatever their order.
    #[must_use]
    pub fn listed(listed: &[TokenHeader]) -> Self {
        Self(TokenHeader::ALL.into_iter().filter(|header| listed.contains(header)).collect())
    }

    /// The headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = TokenHeader> {
        self.0.iter().copied()
    }
}
