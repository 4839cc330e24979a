//! How Google answered.

/// How Google answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Upstream {
    Status(u16),
    /// It closed the connection instead.
    Closed,
}

impl Upstream {
    /// Its status.
    pub(in crate::gateway) const fn status(self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status),
            Self::Closed => None,
        }
    }
}
