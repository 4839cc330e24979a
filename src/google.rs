//! Google credentials, and the bearers of each that are valid now. Everything is signed while
//! loading, or fetched right after, and then ahead of need; a request only reads.

mod bearer;
mod callers;
mod credential;
mod credential_file;
mod exchanges;
mod fetching;
mod hop;
mod hosts;
mod jitter;
mod key_file;
mod refresh;
mod self_signed;
mod signer;
mod status;
mod token;
mod token_exchange;
mod token_source;

pub use bearer::{Bearers, Slot};
pub use callers::{ExchangeStatus, OfCaller};
pub use credential::{Credential, CredentialSource, MAX_ACCESS_TOKEN_BYTES};
pub use exchanges::{ExchangeCounts, Subject};
pub use hosts::Hosts;
pub use self_signed::{JwtForm, ServiceAccount};
pub use signer::Signer;
pub use status::BearerStatus;
pub use token_exchange::{ExchangeSettings, TokenExchange};
pub use token_source::TokenSource;
