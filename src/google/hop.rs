//! The requests that lead to an access token: one, or one after the other.

use crate::fetch::{Answer, Endpoint, FieldValue, Request};
use crate::google::token::{Fault, Token};
use crate::time::UnixTime;

/// A request for a token, whose answer the next one may need.
pub(super) enum Hop {
    /// To the metadata server of the machine.
    Metadata(Endpoint),
}

/// Only the metadata server answers with this header; a proxy or a portal does not.
const METADATA_FLAVOR: &str = "metadata-flavor";

impl Hop {
    /// To the metadata server, for a service account of the machine.
    pub(super) fn metadata(account: &str, scopes: &[String]) -> Result<Self, &'static str> {
        let query = match scopes {
            [] => String::new(),
            scopes => format!("?scopes={}", scopes.join(",")),
        };
        let url = format!(
            "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/\
             {account}/token{query}"
        );
        Endpoint::parse_http(&url).map(Self::Metadata)
    }

    /// Whom it asks.
    pub(super) const fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Metadata(endpoint) => endpoint,
        }
    }

    /// The request; `former` is the token that the hop before brought.
    pub(super) fn request(
        &self,
        _former: Option<&Token>,
        _now: UnixTime,
    ) -> Result<Request, Fault> {
        match self {
            Self::Metadata(endpoint) => {
                let flavor = FieldValue::new("Google").ok_or_else(Fault::internal)?;
                Ok(Request::get(endpoint.clone()).with(METADATA_FLAVOR, flavor))
            }
        }
    }

    /// Reads the answer.
    pub(super) fn token(&self, answer: &Answer, _now: UnixTime) -> Result<Token, Fault> {
        match self {
            Self::Metadata(_) => {
                if answer.headers.first(METADATA_FLAVOR) != Some("Google") {
                    let why = format!(
                        "status {} without `Metadata-Flavor: Google`: it is no metadata server",
                        answer.status
                    );
                    return Err(Fault::passing(&why));
                }
                Token::of_oauth(answer)
            }
        }
    }
}
