//! Where tokens are fetched that Google's own endpoints give.

use std::fmt;
use std::sync::Arc;

use crate::fetch::Endpoint;
use crate::google::hop::Hop;
use crate::google::self_signed::SCOPE;
use crate::google::{Hosts, MAX_ACCESS_TOKEN_BYTES, ServiceAccount};

/// Google says 2048 of its own tokens; the metadata server of GKE may give longer ones.
const USUAL_TOKEN_BYTES: usize = 4096;

/// How a credential's token is fetched.
pub struct TokenSource {
    /// As the configuration's `type` writes it.
    pub(super) kind: &'static str,
    /// The identity that Google sees, if known.
    pub(super) identity: Option<String>,
    /// The requests that lead to the token, one after the other; at least one.
    pub(super) hops: Vec<Hop>,
}

impl TokenSource {
    /// A service account of the machine, by its address; its default one without.
    ///
    /// # Errors
    /// What is wrong with the address or the scopes.
    pub fn metadata(account: Option<&str>, scopes: &[String]) -> Result<Self, &'static str> {
        Ok(Self {
            kind: "metadata",
            identity: account.filter(|account| account.contains('@')).map(str::to_owned),
            hops: vec![Hop::metadata(account.unwrap_or("default"), scopes)?],
        })
    }

    /// A service account's key, whose assertions are exchanged where its file says.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn exchange(
        account: impl Into<Arc<ServiceAccount>>,
        scopes: &[String],
        hosts: Hosts<'_>,
    ) -> Result<Self, String> {
        let account = account.into();
        let identity = Some(account.client_email.clone());
        let hop = Hop::jwt_bearer("", account, scopes, hosts)?;
        Ok(Self { kind: "service_account", identity, hops: vec![hop] })
    }

    /// Whom it asks, in the order of the requests.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.hops.iter().map(Hop::endpoint)
    }

    /// The most bytes that its tokens usually have; the Security Token Service's may be long.
    pub(super) const fn usual_token_bytes(&self) -> usize {
        match self.hops.as_slice() {
            [.., Hop::Exchange { .. }] => MAX_ACCESS_TOKEN_BYTES,
            _ => USUAL_TOKEN_BYTES,
        }
    }

    /// Whether it begins with what a person's login left.
    #[must_use]
    pub fn is_of_person(&self) -> bool {
        self.hops.iter().any(|hop| matches!(hop, Hop::Login { .. }))
    }

    /// The id of the private key that it begins with, if it does.
    pub(super) fn key_id(&self) -> Option<&str> {
        match self.hops.first()? {
            Hop::JwtBearer { account, .. } => Some(account.key_id()),
            _ => None,
        }
    }

    /// Whether the metadata server's own token is the one that is sent.
    pub(super) fn is_metadata(&self) -> bool {
        matches!(self.hops.as_slice(), [Hop::Metadata(_)])
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSource {}", self.kind)
    }
}

pub(super) fn or_cloud_platform(scopes: &[String]) -> Vec<String> {
    match scopes {
        [] => vec![SCOPE.to_owned()],
        scopes => scopes.to_vec(),
    }
}
