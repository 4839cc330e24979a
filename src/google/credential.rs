//! Google identities that roles act as.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::fetch::Endpoint;
use crate::google::{
    Authorization, CredentialFiles, JwtForm, ServiceAccount, TokenExchange, TokenSource,
};

/// The longest access token, in bytes: those of Google's Security Token Service.
pub const MAX_ACCESS_TOKEN_BYTES: usize = 12_288;

/// The longest API key, in bytes: Google's have 39 to some 60.
const MAX_API_KEY_BYTES: usize = 512;

/// A credential of the configuration.
#[derive(Debug)]
pub struct Credential {
    /// The name that roles and log lines use.
    pub name: String,
    /// The source of its bearers.
    pub source: SourceInUse,
    /// The files that it was made from, if there are any.
    pub files: Option<CredentialFiles>,
    /// The file that holds it, as the configuration names it, if there is one.
    pub file: Option<PathBuf>,
    /// How it was found, if it was looked for.
    pub found: Option<String>,
    /// Days after which it should have been replaced, if the operator wants to be told.
    pub max_age_days: Option<u32>,
    /// Whether `lua.vertex-sign` may use it for a request that no role allowed.
    pub without_role: bool,
}

/// The source of a credential's bearers that is in use. Another of the same kind and identity may take
/// its place.
#[derive(Debug)]
pub struct SourceInUse {
    source: RwLock<Arc<CredentialSource>>,
    kind: &'static str,
    identity: Option<String>,
    is_fetched: bool,
    is_signed: bool,
    is_api_key: bool,
    exchange: Option<Arc<TokenExchange>>,
}

/// The source of a credential's bearers.
pub enum CredentialSource {
    /// Signed by this process.
    ServiceAccount {
        /// The key.
        account: Arc<ServiceAccount>,
        /// `aud` or `scope`.
        form: JwtForm,
    },
    /// Read from a file that somebody else keeps fresh.
    AccessToken(Zeroizing<String>),
    /// A key of Google's express mode, which stands for a project and for no identity.
    ApiKey(Zeroizing<String>),
    /// Fetched, one for all locations.
    Fetched(TokenSource),
    /// The caller's own, exchanged: one for each caller.
    Exchanged(Arc<TokenExchange>),
}

impl Credential {
    /// The identity that Google sees, if known.
    #[must_use]
    pub fn google_identity(&self) -> Option<&str> {
        self.source.identity.as_deref()
    }
}

impl SourceInUse {
    /// The source that is in use now.
    #[must_use]
    pub fn now(&self) -> Arc<CredentialSource> {
        Arc::clone(&self.source.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// As the configuration's `type` writes it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.kind
    }

    /// Whether its tokens are fetched.
    #[must_use]
    pub const fn is_fetched(&self) -> bool {
        self.is_fetched
    }

    /// Whether this process signs its tokens.
    pub(super) const fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Whether it is an API key, which reaches Google's express mode and nothing else.
    #[must_use]
    pub const fn is_api_key(&self) -> bool {
        self.is_api_key
    }

    /// How the callers' tokens are exchanged, if they are; no file changes that.
    #[must_use]
    pub fn exchange(&self) -> Option<&TokenExchange> {
        self.exchange.as_deref()
    }

    pub(super) fn replace(&self, source: Arc<CredentialSource>) {
        *self.source.write().unwrap_or_else(PoisonError::into_inner) = source;
    }
}

impl From<CredentialSource> for SourceInUse {
    fn from(source: CredentialSource) -> Self {
        Self {
            kind: source.type_name(),
            identity: source.identity().map(str::to_owned),
            is_fetched: source.token_source().is_some(),
            is_signed: source.is_signed(),
            is_api_key: matches!(source, CredentialSource::ApiKey(_)),
            exchange: source.exchange().cloned(),
            source: RwLock::new(Arc::new(source)),
        }
    }
}

impl CredentialSource {
    /// The identity that Google sees, if known.
    pub(super) fn identity(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount { account, .. } => Some(&account.client_email),
            Self::AccessToken(_) | Self::ApiKey(_) => None,
            Self::Fetched(source) => source.identity.as_deref(),
            Self::Exchanged(exchange) => exchange.account.as_deref(),
        }
    }

    /// The id of its private key, if it has one.
    pub(super) fn key_id(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount { account, .. } => Some(account.key_id()),
            Self::AccessToken(_) | Self::ApiKey(_) | Self::Exchanged(_) => None,
            Self::Fetched(source) => source.key_id(),
        }
    }

    /// What its file holds, where that is sent as it is.
    pub(super) fn held(&self) -> Option<Authorization> {
        match self {
            Self::AccessToken(token) => Some(Authorization::of(token)),
            Self::ApiKey(key) => Some(Authorization::of_api_key(key)),
            Self::ServiceAccount { .. } | Self::Fetched(_) | Self::Exchanged(_) => None,
        }
    }

    /// How its token is fetched, if it is.
    #[must_use]
    pub const fn token_source(&self) -> Option<&TokenSource> {
        match self {
            Self::Fetched(source) => Some(source),
            Self::ServiceAccount { .. }
            | Self::AccessToken(_)
            | Self::ApiKey(_)
            | Self::Exchanged(_) => None,
        }
    }

    /// How the callers' tokens are exchanged, if they are.
    #[must_use]
    pub const fn exchange(&self) -> Option<&Arc<TokenExchange>> {
        match self {
            Self::Exchanged(exchange) => Some(exchange),
            Self::ServiceAccount { .. }
            | Self::AccessToken(_)
            | Self::ApiKey(_)
            | Self::Fetched(_) => None,
        }
    }

    /// Whom its tokens are asked from, in the order of the requests.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let fetched = self.token_source().into_iter().flat_map(TokenSource::endpoints);
        fetched.chain(self.exchange().into_iter().flat_map(|exchange| exchange.endpoints()))
    }

    /// Reads a file that holds an access token and nothing else.
    ///
    /// # Errors
    /// What is wrong with the file, never its contents.
    pub fn access_token(file: &[u8]) -> Result<Self, String> {
        let token = str::from_utf8(file).map_or("", str::trim);
        if token.starts_with('{') {
            let problem = "an access token on a line of its own is wanted, not JSON; for a service \
                           account's key file the type service_account is wanted";
            return Err(problem.to_owned());
        }
        if token.starts_with("AIza") {
            return Err("an access token is wanted; for an API key the type api_key is".to_owned());
        }
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("an access token on a line of its own is wanted".to_owned());
        }
        if token.len() > MAX_ACCESS_TOKEN_BYTES {
            return Err(format!(
                "an access token of at most {MAX_ACCESS_TOKEN_BYTES} bytes is wanted"
            ));
        }
        Ok(Self::AccessToken(Zeroizing::new(token.to_owned())))
    }

    /// Reads a file that holds an API key and nothing else.
    ///
    /// # Errors
    /// What is wrong with the file, never its contents.
    pub fn api_key(file: &[u8]) -> Result<Self, String> {
        let key = str::from_utf8(file).map_or("", str::trim);
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let problem = match key {
            _ if key.starts_with('{') => {
                "an API key on a line of its own is wanted, not JSON: leave `type` out for a file of \
                 Google's tools"
            }
            _ if key.starts_with("ya29.") || key.starts_with("eyJ") => {
                "an API key is wanted, not a token: for an access token the type access_token is \
                 wanted"
            }
            _ if key.is_empty() || key.len() > MAX_API_KEY_BYTES || !key.bytes().all(plain) => {
                "an API key on a line of its own is wanted, as Google's console shows it (AIza...)"
            }
            _ => return Ok(Self::ApiKey(Zeroizing::new(key.to_owned()))),
        };
        Err(problem.to_owned())
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceAccount { .. } => "ServiceAccount",
            Self::AccessToken(_) => "AccessToken",
            Self::ApiKey(_) => "ApiKey",
            Self::Fetched(_) => "Fetched",
            Self::Exchanged(_) => "Exchanged",
        })
    }
}
