//! Google credentials, and the bearers of each that are valid now. Everything is signed while
//! loading, or fetched right after, and then ahead of need; a request only reads.

mod authorization;
mod aws;
mod bearer;
mod brought;
mod callers;
mod credential;
mod credential_file;
mod exchanges;
mod fetching;
mod file_type;
mod files;
mod hop;
mod hosts;
mod jitter;
mod key_file;
mod pool;
mod principal;
mod refresh;
mod rejection;
mod rotation;
mod self_signed;
mod signer;
mod status;
mod subject;
mod token;
mod token_exchange;
mod token_source;

pub use authorization::Authorization;
pub use bearer::{Bearers, Slot};
pub use callers::{ExchangeStatus, OfCaller};
pub use credential::{Credential, CredentialSource, MAX_ACCESS_TOKEN_BYTES, SourceInUse};
pub use exchanges::{ExchangeCounts, Subject};
pub use file_type::FileType;
pub use files::{CredentialFiles, Disk, HeldFile, Noted, ReadFile};
pub use hosts::{GOOGLES_UNIVERSE, Hosts};
pub use pool::Pool;
pub use principal::{Federated, Principal};
pub use rotation::{RotationStatus, Stage};
pub use self_signed::{JwtForm, ServiceAccount};
pub use signer::Signer;
pub use status::BearerStatus;
pub use token_exchange::{ExchangeSettings, TokenExchange};
pub use token_source::TokenSource;
