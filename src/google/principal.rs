//! Whom Google sees, as its IAM policies name them, as far as the configuration tells.

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::google::hop::{Hop, Subject};
use crate::google::{Credential, CredentialSource, Pool};
use crate::jose::from_base64url;

/// An identity of Google's (<https://cloud.google.com/iam/docs/principal-identifiers>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A service account, by its address.
    ServiceAccount(String),
    /// The default service account of the machine.
    Machine,
    /// A subject of a workload or workforce pool.
    Federated(Federated),
    /// Each caller, as a subject of a pool.
    Callers(Pool),
    /// An API key, which IAM knows as nobody.
    Nobody,
    /// The configuration does not tell.
    Unknown,
}

/// A subject of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federated {
    /// The pool.
    pub pool: Pool,
    /// The issuer of the token, if it is a JWT.
    pub issuer: Option<String>,
    /// The subject of the token, if it is a JWT.
    pub subject: Option<String>,
}

#[derive(Default, Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
}

impl Credential {
    /// The identities that lead to the one that Google sees, which is the last: each impersonates the
    /// next. At least one.
    #[must_use]
    pub fn principals(&self) -> Vec<Principal> {
        match self.source.now().as_ref() {
            CredentialSource::ServiceAccount { account, .. } => {
                vec![Principal::ServiceAccount(account.client_email.clone())]
            }
            CredentialSource::AccessToken(_) => vec![Principal::Unknown],
            CredentialSource::ApiKey(_) => vec![Principal::Nobody],
            CredentialSource::Exchanged(exchange) => {
                let callers = Principal::Callers(exchange.pool.clone());
                let account = exchange.account.clone().map(Principal::ServiceAccount);
                std::iter::once(callers).chain(account).collect()
            }
            CredentialSource::Fetched(source) => {
                let first = source.hops.iter().find_map(asking).unwrap_or(Principal::Unknown);
                let others = source.hops.iter().flat_map(impersonated);
                std::iter::once(first).chain(others).collect()
            }
        }
    }
}

/// Whose token a hop asks for by itself.
fn asking(hop: &Hop) -> Option<Principal> {
    match hop {
        Hop::Metadata(endpoint) => Some(match account_of(&endpoint.path) {
            Some(account) if account.contains('@') => Principal::ServiceAccount(account.to_owned()),
            _ => Principal::Machine,
        }),
        Hop::JwtBearer { account, .. } => {
            Some(Principal::ServiceAccount(account.client_email.clone()))
        }
        Hop::Exchange { form, subject, .. } => federated(form, subject),
        Hop::Login { .. } => Some(Principal::Unknown),
        Hop::Subject(_) | Hop::Aws(_) | Hop::Impersonation { .. } => None,
    }
}

fn federated(form: &[(&'static str, Zeroizing<String>)], subject: &Subject) -> Option<Principal> {
    let member = |wanted| {
        let found = form.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let pool = Pool::of(member("audience")?, member("subject_token_type")?)?;
    let claims = match subject {
        Subject::Known(token) => claims(token).unwrap_or_default(),
        Subject::Brought | Subject::Aws(_) => Claims::default(),
    };
    Some(Principal::Federated(Federated { pool, issuer: claims.iss, subject: claims.sub }))
}

/// The delegates and the account of an impersonation.
fn impersonated(hop: &Hop) -> impl Iterator<Item = Principal> + '_ {
    let (delegates, target) = match hop {
        Hop::Impersonation { endpoint, wanted } => {
            (wanted.delegates.as_slice(), account_of(&endpoint.path))
        }
        _ => (&[][..], None),
    };
    let delegates = delegates.iter().filter_map(|name| name.rsplit('/').next());
    delegates.chain(target).map(|account| Principal::ServiceAccount(account.to_owned()))
}

/// The account in a path: `…/service-accounts/ACCOUNT/token`, `…/serviceAccounts/ACCOUNT:verb`.
fn account_of(path: &str) -> Option<&str> {
    let (_, rest) =
        path.split_once("/service-accounts/").or_else(|| path.split_once("/serviceAccounts/"))?;
    rest.split(['/', ':']).next()
}

/// What a JWT says of itself; Google verifies it, and this only tells people.
fn claims(token: &str) -> Option<Claims> {
    let payload = from_base64url(token.split('.').nth(1)?)?;
    serde_json::from_slice(&payload).ok()
}
