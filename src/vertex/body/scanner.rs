//! Reads a body in pieces, as they come. What it holds between two pieces is bounded, whatever comes.

use crate::error::Reason;
use crate::test_switches::{Check, on};
use crate::vertex::body::Body;
use crate::vertex::body::syntax::Syntax;
use crate::vertex::body::walk::Walk;

/// A body that is being read.
#[derive(Debug)]
pub struct BodyScanner {
    syntax: Syntax,
    walk: Walk,
    fault: Option<Reason>,
}

impl BodyScanner {
    /// A scanner before the first byte of a body.
    #[must_use]
    pub fn new() -> Self {
        Self { syntax: Syntax::new(), walk: Walk::new(), fault: None }
    }

    /// Reads the next bytes, wherever they were cut.
    ///
    /// # Errors
    /// `body_not_json`, `body_too_complex`: as soon as it is certain, and for every piece after.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Reason> {
        if self.fault.is_none() {
            self.fault = self.read(piece).err();
        }
        self.verdict()
    }

    fn read(&mut self, piece: &[u8]) -> Result<(), Reason> {
        let mut rest = piece;
        while let Some(event) = self.syntax.next(&mut rest, self.walk.purpose())? {
            self.walk.event(event)?;
        }
        Ok(())
    }

    fn verdict(&self) -> Result<(), Reason> {
        match self.fault {
            Some(Reason::BodyNotJson) if !on(Check::StrictJson) => Ok(()),
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// Whether the body's last brace was read: only white space may follow.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.fault.is_none() && self.syntax.is_closed()
    }

    /// The member `model` of the body itself, if it was read already.
    #[must_use]
    pub fn model_so_far(&self) -> Option<&str> {
        self.walk.body().model.as_deref()
    }

    /// What the body asks for, once all of it was read.
    ///
    /// # Errors
    /// That of `push`; `body_not_json` if the body has not ended.
    pub fn finish(mut self) -> Result<Body, Reason> {
        if !self.syntax.is_closed() {
            self.fault = self.fault.or(Some(Reason::BodyNotJson));
        }
        self.verdict().map(|()| self.walk.into_body())
    }
}

impl Default for BodyScanner {
    fn default() -> Self {
        Self::new()
    }
}
