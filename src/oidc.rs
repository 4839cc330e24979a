//! OpenID Connect from the resource server's side: which issuer a token is from, with which of
//! its keys it was signed, whether its claims hold now. Keys come from a file, or by discovery
//! through a machine that never does I/O itself.

mod claims;
mod endpoint;
mod issuer;
mod record;
mod refresh;
mod status;

pub use claims::{Claims, LEEWAY_SECS, MAX_LIFETIME_SECS, Validity};
pub use endpoint::Endpoint;
pub use issuer::{ClaimNames, Issuer, IssuerConfig, KeySource, Keys, StoredKeys};
pub use record::Record;
pub use refresh::{Answer, Reply};
pub(crate) use refresh::{MAX_UNANSWERED, MAX_WAIT_MILLIS};
pub use status::{IssuerStatus, KeyStatus, Origin};

use std::sync::Arc;

use crate::error::Reason;
use crate::jose::{Compact, Key};
use crate::json::Json;
use crate::time::{Monotonic, Now, UnixTime};

/// What follows from a token and a key alone, whoever asks for whatever.
#[derive(Debug)]
pub struct Verified {
    /// The key that verified it; the result holds as long as the issuer publishes that key.
    pub key: Arc<Key>,
    /// Who it says that the caller is.
    pub identity: Identity,
}

/// What the claims of a token say, whoever signed it.
#[derive(Debug)]
pub struct Identity {
    /// The place of the issuer in the configuration.
    pub issuer: usize,
    /// When it is valid.
    pub validity: Validity,
    /// The issuer's subject claim.
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
        let mut token = Compact::parse(token)?;
        let payload = std::mem::replace(&mut token.payload, Json::Null);
        // Claims come before keys: a token that would be refused anyway must cause no fetch.
        let identity = self.identify(payload, now.wall)?;
        let issuer = self.issuers.get(identity.issuer).ok_or(Reason::Internal)?;
        if !issuer.config.algorithms.contains(token.header.alg) {
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
                Ok(()) => return Ok(Outcome::Valid(Verified { key, identity })),
                // With two keys of one kid, the one whose algorithm fits says more.
                Err(Reason::AlgNotAllowed) if refusal == Reason::BadSignature => {}
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }

    /// Reads the claims of a token, whose signature is another matter.
    ///
    /// # Errors
    /// `claim_missing`, `issuer_unknown`, `audience_wrong`, `token_expired`, `token_not_yet_valid`,
    /// `lifetime_too_long`, `token_malformed`.
    pub fn identify(&self, payload: Json, now: UnixTime) -> Result<Identity, Reason> {
        let claims = Claims::new(&payload);
        let iss = claims.text("iss")?.ok_or(Reason::ClaimMissing)?;
        let (index, issuer) = self
            .issuers
            .iter()
            .enumerate()
            .find(|(_, issuer)| issuer.config.issuer == iss)
            .ok_or(Reason::IssuerUnknown)?;
        let config = &issuer.config;
        claims.check_audience(&config.claims.audience, &config.audiences)?;
        let validity = claims.validity(now)?;
        validity.check(now)?;
        let subject = claims.text(&config.claims.subject)?;
        let subject = subject.filter(|s| !s.is_empty()).ok_or(Reason::ClaimMissing)?;
        let display = config.claims.display.as_ref();
        Ok(Identity {
            issuer: index,
            validity,
            subject: subject.to_owned(),
            groups: claims.texts(&config.claims.groups)?,
            display: display.map_or(Ok(None), |name| claims.text(name))?.map(str::to_owned),
            claims: payload,
        })
    }
}
