//! Google's response to a call.

use std::fmt::{self, Display};

/// Google's response to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Upstream {
    Status(u16),
    /// Google closed the connection without a response.
    Closed,
}

impl Upstream {
    /// The response's HTTP status.
    pub(in crate::gateway) const fn status(self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status),
            Self::Closed => None,
        }
    }
}

impl Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Closed => f.write_str("closed"),
        }
    }
}
