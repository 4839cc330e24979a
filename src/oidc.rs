//! OpenID Connect from the resource server's side: which issuer a token is from, with which of
//! its keys it was signed, whether its claims hold now. Keys come from a file, or by discovery
//! through a machine that never does I/O itself.

mod claims;
mod discovery;
mod issuer;
mod refresh;
mod status;
mod token_header;

pub use claims::{Claims, LEEWAY_SECS, MAX_LIFETIME_SECS, Validity};
pub use discovery::discovery;
pub use issuer::{
    ClaimNames, Issuer, IssuerConfig, KeySource, STORED_FORMAT, Signature, StoredKeys,
};
pub(crate) use refresh::MAX_WAIT_MILLIS;
pub use status::{IssuerStatus, KeyStatus, Origin};
pub use token_header::{TokenHeader, TokenHeaders};

use std::sync::Arc;

use crate::error::{Reason, Refusal};
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
    /// Whether the issuer left that claim out, as there are too many.
    pub lacks_groups: bool,
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
    Refuse(Refusal),
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

    /// Verifies a token. `since` is when its request came: keys that its issuer was asked for
    /// before that are no reason to refuse it.
    pub fn verify(&self, token: &str, now: Now, since: Monotonic) -> Outcome {
        self.try_verify(token, now, since).unwrap_or_else(Outcome::Refuse)
    }

    fn try_verify(&self, token: &str, now: Now, since: Monotonic) -> Result<Outcome, Refusal> {
        let mut token = Compact::parse(token)?;
        let payload = std::mem::replace(&mut token.payload, Json::Null);
        // Claims come before keys: a token that would be refused anyway must cause no fetch.
        let identity = self.identify(payload, now.wall)?;
        let issuer = self.issuers.get(identity.issuer).ok_or(Reason::Internal)?;
        if !issuer.config.algorithms.contains(token.header.alg) {
            return Err(Reason::AlgNotAllowed.into());
        }
        match issuer.verify(&token, now, since) {
            Signature::Holds(key) => Ok(Outcome::Valid(Verified { key, identity })),
            Signature::Refused(refusal) => Err(refusal),
            Signature::Awaited => Ok(Outcome::Wait(Reason::KeysUnavailable)),
        }
    }

    /// Reads the claims of a token, whose signature is another matter.
    ///
    /// # Errors
    /// `claim_missing`, `issuer_unknown`, `audience_wrong`, `token_expired`, `token_not_yet_valid`,
    /// `lifetime_too_long`, `token_malformed`.
    pub fn identify(&self, payload: Json, now: UnixTime) -> Result<Identity, Refusal> {
        let claims = Claims::new(&payload);
        let iss = claims.required_text("iss")?;
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
        let subject = claims.required_text(&config.claims.subject)?;
        if subject.is_empty() {
            return Err(claims::missing(&config.claims.subject));
        }
        let display = config.claims.display.as_ref();
        Ok(Identity {
            issuer: index,
            validity,
            subject: subject.to_owned(),
            groups: claims.texts(&config.claims.groups)?,
            lacks_groups: claims.leaves_out(&config.claims.groups),
            display: display.map_or(Ok(None), |name| claims.text(name))?.map(str::to_owned),
            claims: payload,
        })
    }
}
