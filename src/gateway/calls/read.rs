//! How an answer is read: as a whole where it is here at once, in pieces as it passes otherwise.

use crate::gateway::calls::Calls;
use crate::gateway::calls::table::{AnswerShape, CallMark};
use crate::meter::{Framing, Usage, whole};
use crate::time::{Monotonic, Now};

/// What a whole answer said, and when it came.
pub(in crate::gateway) type WholeUsage = (Monotonic, Usage);

/// What a JSON answer that is here as a whole says of its tokens, as text; nothing if more of it is
/// to come.
pub(in crate::gateway) fn usage_text(body: &[u8], now: Now) -> Option<String> {
    let usage = whole(body)?;
    let mut text = format!("{} ", now.mono.0);
    usage.write_fields(&mut text);
    Some(text)
}

/// Reads such a text.
pub(in crate::gateway) fn parse_usage(text: &str) -> Option<WholeUsage> {
    let (millis, fields) = text.split_once(' ')?;
    Some((Monotonic(millis.parse().ok()?), Usage::parse_fields(fields)?))
}

impl Calls {
    /// Whether the answer to a call, of this content type, can be read as it passes; if so, it is
    /// from now on.
    pub(in crate::gateway) fn meter(&self, mark: CallMark, content_type: &str) -> bool {
        let framing = Framing::of(content_type).filter(|_| mark.answer != AnswerShape::Unmetered);
        framing.is_some_and(|framing| self.table.read(mark.number, framing))
    }
}
