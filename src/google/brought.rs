//! What the hops of one try have brought so far, for those after them.

use std::fmt;

use crate::google::aws::Found;
use crate::google::token::Token;

#[derive(Default)]
pub(super) struct Brought {
    /// The former hop's token; of the last one what is sent to Google's API.
    pub(super) token: Option<Token>,
    /// Of a machine in AWS.
    pub(super) aws: Found,
}

impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Brought {:?}", self.token)
    }
}
