//! Reads an answer while it passes.

use crate::meter::json::Json;
use crate::meter::sse::Lines;
use crate::meter::usage::Usage;
use crate::meter::usage_builder::UsageBuilder;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// How the JSON of an answer is framed, by its Content-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`: one object an event.
    EventStream,
    /// `application/json`: one object, or an array of the objects of a stream.
    Json,
}

impl Framing {
    /// The framing for the value of a Content-Type header; `None` for types that are not read. The
    /// route does not tell it: at Claude's paths the caller chooses.
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

/// Reads an answer in pieces, as they come. It takes 1.5 KB, nothing on the heap, whatever the size
/// of the answer, and looks at a byte twice at most.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Reads the lines of an event stream; `None` for plain JSON.
    lines: Option<Lines>,
    json: Json,
    answer: UsageBuilder,
    /// Number of bytes of a byte order mark read, before anything else.
    mark: usize,
}

impl Reader {
    /// A reader of an answer from its first byte on.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self::of(framing, 1)
    }

    /// A reader of an answer with this many candidates (Gemini's `candidateCount`): its stream is
    /// complete once each has ended.
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

    /// The usage known so far; final after the last byte.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let is_complete = match &self.lines {
            Some(lines) => self.answer.has_ended() && !lines.is_damaged() && !self.json.is_broken(),
            None => self.json.is_closed(),
        };
        self.answer.usage(is_complete)
    }

    /// All tokens, as the API last reported. While the answer is written that is no lower bound of
    /// the final count, but it is what was used by then.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.answer.total()
    }

    /// Bytes of generated text read so far.
    #[must_use]
    pub const fn generated_bytes(&self) -> u64 {
        self.answer.generated()
    }

    /// Skips a byte order mark; an incomplete one is read as it is.
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

/// The usage of a JSON answer that is complete in `body`; `None` if it is cut or not JSON.
#[must_use]
pub fn whole(body: &[u8]) -> Option<Usage> {
    let mut reader = Reader::new(Framing::Json);
    reader.feed(body);
    reader.json.is_closed().then(|| reader.usage())
}
