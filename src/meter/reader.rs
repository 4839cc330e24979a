//! An answer that is read while it passes.

use crate::meter::json::Json;
use crate::meter::sse::Lines;
use crate::meter::usage::Usage;
use crate::meter::usage_builder::UsageBuilder;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// How the JSON of an answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`: an object an event.
    EventStream,
    /// `application/json`: one object, or an array of those that a stream consists of.
    Json,
}

impl Framing {
    /// The framing that the value of a Content-Type header names; other types are not read. The
    /// route does not tell it: a caller of Claude asks for either at the same path.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        match () {
            () if is("text/event-stream") => Some(Self::EventStream),
            () if is("application/json") => Some(Self::Json),
            () => None,
        }
    }
}

/// Reads an answer in pieces, as they come. Its size (1.4 KB, nothing on the heap) does not depend on the
/// answer's, and a byte is looked at twice at most.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Of an event stream.
    lines: Option<Lines>,
    json: Json,
    answer: UsageBuilder,
    /// How much of a byte order mark came, before anything else.
    mark: usize,
}

impl Reader {
    /// A reader of an answer from its first byte on.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self::of(framing, 1)
    }

    /// A reader of an answer of so many candidates (Gemini's `candidateCount`): its events are not
    /// complete before each of them has ended.
    #[must_use]
    pub fn of(framing: Framing, candidates: u64) -> Self {
        let lines = (framing == Framing::EventStream).then(Lines::new);
        let answer = UsageBuilder::of(candidates, lines.is_some());
        Self { lines, json: Json::new(), answer, mark: 0 }
    }

    /// Reads the next bytes of the body, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let bytes = self.after_mark(bytes);
        match &mut self.lines {
            Some(lines) => lines.feed(bytes, &mut self.json, &mut self.answer),
            None => self.json.feed(bytes, &mut self.answer),
        }
    }

    /// What is known by now; after the last byte, all that ever will be.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let is_complete = match &self.lines {
            Some(lines) => self.answer.has_ended() && !lines.is_damaged() && !self.json.is_broken(),
            None => self.json.is_closed(),
        };
        self.answer.usage(is_complete)
    }

    /// All tokens, by the last that the API said of them. While the answer is written that is not a
    /// lower bound of what it will say in the end, but it is what it took by then.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.answer.total()
    }

    /// Bytes of text that the model has written, as far as they came.
    #[must_use]
    pub const fn generated_bytes(&self) -> u64 {
        self.answer.generated()
    }

    /// Skips a byte order mark; what only began as one is read as it is.
    fn after_mark<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut rest = bytes;
        while let (Some(want), Some((byte, tail))) =
            (BYTE_ORDER_MARK.get(self.mark), rest.split_first())
        {
            if byte != want {
                if self.mark > 0 && self.lines.is_none() {
                    self.json.feed(&BYTE_ORDER_MARK, &mut self.answer);
                }
                self.mark = BYTE_ORDER_MARK.len();
                break;
            }
            self.mark += 1;
            rest = tail;
        }
        rest
    }
}

/// What a JSON answer says whose value is complete in `body`; nothing where it is cut or no JSON.
#[must_use]
pub fn whole(body: &[u8]) -> Option<Usage> {
    let mut reader = Reader::new(Framing::Json);
    reader.feed(body);
    reader.json.is_closed().then(|| reader.usage())
}
