//! OpenID Connect from the resource server's side: which issuer a token is from, with which of
//! its keys it was signed, whether its claims hold now. Keys come from a file, or by discovery
//! through a machine that never does I/O itself.

mod claims;
mod endpoint;
mod issuer;
mod refresh;

pub use claims::{Claims, LEEWAY_SECS, MAX_LIFETIME_SECS, Validity};
pub use endpoint::Endpoint;
pub use issuer::{ClaimNames, Issuer, IssuerConfig, KeySource, Keys, StoredKeys};
pub use refresh::{Answer, Reply};
pub(crate) use refresh::{MAX_UNANSWERED, MAX_WAIT_MILLIS};

use std::sync::Arc;

use crate::error::Reason;
use crate::jose::{Compact, Key};
use crate::json::Json;
use crate::time::{Monotonic, Now};

/// What follows from a token and a key alone, whoever asks for whatever.
#[derive(Debug)]
pub struct Verified {
    /// The place of the issuer in the configuration.
    pub issuer: usize,
    /// The key that verified it; the result holds as long as the issuer publishes that key.
    pub key: Arc<Key>,
    /// When it is valid.
    pub validity: Validity,
    /// `sub`.
    pub subject: String,
    /// The issuer's groups claim.
    pub groups: Vec<String>,
    /// The issuer's display claim.
    pub display: Option<String>,
    /// All claims.
    pub claims: Json,
}

/// The end of a verification.
#[derive(Debug)]
pub enum Outcome {
    /// Signature and claims hold.
    Valid(Verified),
    /// They do not.
    Refuse(Reason),
    /// Nobody can tell before the issuer's keys have been fetched; the reason is what to say if
    /// they do not come.
    Wait(Reason),
}

/// Every issuer that is trusted.
#[derive(Debug)]
pub struct Verifier {
    issuers: Vec<Issuer>,
}

impl Verifier {
    /// A verifier of the issuers in the order of the configuration.
    #[must_use]
    pub fn new(issuers: Vec<Issuer>) -> Self {
        Self { issuers }
    }

    /// The issuers, in the order of the configuration.
    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Verifies a token. `since` is when its request came: a key that the issuer did not publish
    /// in an answer that came after that is unknown, and no longer awaited.
    pub fn verify(&self, token: &str, now: Now, since: Monotonic) -> Outcome {
        self.try_verify(token, now, since).unwrap_or_else(Outcome::Refuse)
    }

    fn try_verify(&self, token: &str, now: Now, since: Monotonic) -> Result<Outcome, Reason> {
        let token = Compact::parse(token)?;
        let claims = Claims::new(&token.payload);
        let iss = claims.text("iss")?.ok_or(Reason::ClaimMissing)?;
        let (index, issuer) = self
            .issuers
            .iter()
            .enumerate()
            .find(|(_, issuer)| issuer.config.issuer == iss)
            .ok_or(Reason::IssuerUnknown)?;
        // Claims come before keys: a token that would be refused anyway must cause no fetch.
        let config = &issuer.config;
        claims.check_audience(&config.claims.audience, &config.audiences)?;
        let validity = claims.validity(now.wall)?;
        validity.check(now.wall)?;
        let subject = claims.text("sub")?.filter(|s| !s.is_empty()).ok_or(Reason::ClaimMissing)?;
        if !config.algorithms.contains(token.header.alg) {
            return Err(Reason::AlgNotAllowed);
        }
        let kid = token.header.kid.as_deref().ok_or(Reason::KeyUnknown)?;
        let keys = match issuer.keys(kid, now, since) {
            Keys::Found(keys) => keys,
            Keys::Await(reason) => return Ok(Outcome::Wait(reason)),
            Keys::Unknown(reason) => return Err(reason),
        };
        let mut refusal = Reason::KeyUnknown;
        for key in keys {
            match key.verify(&token) {
                Ok(()) => {
                    let display = config.claims.display.as_ref();
                    return Ok(Outcome::Valid(Verified {
                        issuer: index,
                        key,
                        validity,
                        subject: subject.to_owned(),
                        groups: claims.texts(&config.claims.groups)?,
                        display: display
                            .map_or(Ok(None), |name| claims.text(name))?
                            .map(str::to_owned),
                        claims: token.payload,
                    }));
                }
                // With two keys of one kid, the one whose algorithm fits says more.
                Err(Reason::AlgNotAllowed) if refusal == Reason::BadSignature => {}
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }
}
