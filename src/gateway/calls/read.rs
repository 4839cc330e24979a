//! Reads answers: in one piece if HAProxy has the whole of it, else piece by piece as it passes.

use crate::gateway::calls::Calls;
use crate::gateway::calls::table::{AnswerShape, CallMark};
use crate::meter::Framing;

impl Calls {
    /// Starts to read a call's answer as it passes, if its content type can be read. Returns
    /// whether it is read.
    pub(in crate::gateway) fn meter(&self, mark: CallMark, content_type: &str) -> bool {
        let framing = Framing::of(content_type).filter(|_| mark.answer != AnswerShape::Unmetered);
        framing.is_some_and(|framing| self.table.read(mark.number, framing))
    }
}
