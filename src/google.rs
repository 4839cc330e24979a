//! Google credentials, and the bearers of each that are valid now. Everything is signed while
//! loading and then ahead of need; a request only reads.

mod bearer;
mod credential;
mod key_file;
mod self_signed;
mod status;

pub use bearer::{Bearers, Slot};
pub use credential::{Credential, CredentialSource, MAX_ACCESS_TOKEN_BYTES};
pub use self_signed::{JwtForm, ServiceAccount};
pub use status::BearerStatus;
