//! How an answer is read: as a whole where it is here at once, in pieces as it passes otherwise.

use crate::gateway::calls::Calls;
use crate::gateway::calls::table::{AnswerShape, CallMark};
use crate::meter::Framing;

impl Calls {
    /// Whether the answer to a call, of this content type, can be read as it passes; if so, it is
    /// from now on.
    pub(in crate::gateway) fn meter(&self, mark: CallMark, content_type: &str) -> bool {
        let framing = Framing::of(content_type).filter(|_| mark.answer != AnswerShape::Unmetered);
        framing.is_some_and(|framing| self.table.read(mark.number, framing))
    }
}
