//! How an answer is read: as a whole where it is here at once, in pieces as it passes otherwise.

use crate::gateway::Gateway;
use crate::gateway::calls::table::{Answer, CallMark};
use crate::meter::{Framing, whole};
use crate::time::Now;

impl Gateway {
    /// What a JSON answer that is here as a whole says of its tokens, for [`Self::account`]; nothing
    /// if more of it is to come.
    #[must_use]
    pub fn usage(&self, body: &[u8], now: Now) -> Option<String> {
        let usage = whole(body)?;
        let mut text = format!("{} ", now.mono.0);
        usage.write_fields(&mut text);
        Some(text)
    }

    /// The call of a verdict if its answer, of this content type, is one that can be read: from now
    /// on it is, as it passes.
    #[must_use]
    pub fn meter(&self, verdict: &str, content_type: &str) -> Option<u64> {
        let CallMark { number, answer } = CallMark::in_verdict(verdict)?;
        if answer == Answer::Unmetered {
            return None;
        }
        let framing = Framing::of(content_type)?;
        self.calls.read(number, framing).then_some(number)
    }

    /// A piece of the answer to such a call.
    pub fn feed(&self, call: u64, piece: &[u8], now: Now) {
        self.calls.feed(call, piece, now.mono);
    }
}
