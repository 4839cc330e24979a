//! Google credentials, and the bearers of each that are valid now. Everything is signed while
//! loading, or fetched right after, and then ahead of need; a request only reads.

mod aws;
mod bearer;
mod brought;
mod credential;
mod credential_file;
mod fetching;
mod file_type;
mod hop;
mod hosts;
mod jitter;
mod key_file;
mod refresh;
mod self_signed;
mod status;
mod subject;
mod token;
mod token_source;

pub use bearer::{Bearers, Slot};
pub use credential::{Credential, CredentialSource, MAX_ACCESS_TOKEN_BYTES};
pub use file_type::FileType;
pub use hosts::Hosts;
pub use self_signed::{JwtForm, ServiceAccount};
pub use status::BearerStatus;
pub use token_source::TokenSource;
