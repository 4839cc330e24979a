//! Fetching, whatever for: a request as data, what came of it, and when to ask again. A part that
//! wants a document names a `Request` in its `step` and takes the `Reply`; HAProxy's Lua or a C host
//! carries it out in between. Nothing here does I/O, reads a clock or knows what a document says.

mod answer;
mod backoff;
mod endpoint;
mod headers;
mod id;
mod in_flight;
mod record;
mod request;
mod unanswered;

pub use answer::{Answer, Reply};
pub use backoff::Backoff;
pub use endpoint::{Endpoint, Scheme};
pub use headers::{FieldValue, Header, Headers};
pub use id::Id;
pub(crate) use in_flight::MAX_UNANSWERED;
pub use in_flight::{Ended, InFlight};
pub use record::Record;
pub use request::{Method, Request};
pub use unanswered::Unanswered;
