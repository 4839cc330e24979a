//! Reads answers: in one piece if HAProxy has the whole of it, else piece by piece as it passes.

use crate::gateway::calls::Calls;
use crate::gateway::calls::table::{AnswerShape, CallMark};
use crate::meter::{Framing, Usage, whole};
use crate::time::{Monotonic, Now};

/// The usage of a whole answer, and when it came.
pub(in crate::gateway) type WholeUsage = (Monotonic, Usage);

/// The usage of a complete JSON answer as text; `None` if more of the answer is to come.
pub(in crate::gateway) fn usage_text(body: &[u8], now: Now) -> Option<String> {
    let usage = whole(body)?;
    let mut text = format!("{} ", now.mono.0);
    usage.write_fields(&mut text);
    Some(text)
}

/// Parses the text that [`usage_text`] writes.
pub(in crate::gateway) fn parse_usage(text: &str) -> Option<WholeUsage> {
    let (millis, fields) = text.split_once(' ')?;
    Some((Monotonic(millis.parse().ok()?), Usage::parse_fields(fields)?))
}

impl Calls {
    /// Starts to read a call's answer as it passes, if its content type can be read. Returns
    /// whether it is read.
    pub(in crate::gateway) fn meter(&self, mark: CallMark, content_type: &str) -> bool {
        let framing = Framing::of(content_type).filter(|_| mark.answer != AnswerShape::Unmetered);
        framing.is_some_and(|framing| self.table.read(mark.number, framing))
    }
}
