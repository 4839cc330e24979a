//! Google's response to a call.

/// How Google answered.
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
