//! The lines of an event stream (WHATWG HTML section 9.2.6), read as far as it takes to find the
//! JSON in them. Google puts an error in the midst of a stream as bare JSON, on lines of its own
//! that are no fields; so a line that begins with a bracket is read as JSON too.

use memchr::memchr2;

use crate::meter::json::Json;
use crate::meter::usage_builder::UsageBuilder;

/// OpenAI's last event, which is no JSON.
const DONE: &[u8] = b"[DONE]";

/// The most bytes of a line that are kept to know what it is: `event: error` and its like.
const MAX_KEPT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// The name of a field.
    Name,
    /// After `data:`: one space may follow.
    Space,
    /// The first byte of the data.
    DataBegins,
    /// As many bytes of `[DONE]`.
    Done(usize),
    Data,
    /// JSON that is no field's.
    Bare,
    /// The value of `event`.
    Event,
    /// Another field, a comment.
    Other,
}

/// A reader of lines.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    line: Line,
    kept: [u8; MAX_KEPT],
    len: usize,
    /// The last byte was a carriage return: a line feed belongs to it.
    is_after_return: bool,
    /// JSON without a field is open.
    is_bare: bool,
    /// Something could not be read.
    is_damaged: bool,
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self {
            line: Line::Name,
            kept: [0; MAX_KEPT],
            len: 0,
            is_after_return: false,
            is_bare: false,
            is_damaged: false,
        }
    }

    /// Whether all that came could be read.
    pub(super) const fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Reads on.
    pub(super) fn feed(&mut self, bytes: &[u8], json: &mut Json, answer: &mut UsageBuilder) {
        let mut rest = bytes;
        if let (true, [first, after @ ..]) = (self.is_after_return, rest) {
            self.is_after_return = false;
            rest = if *first == b'\n' { after } else { rest };
        }
        while !rest.is_empty() {
            let Some(at) = memchr2(b'\n', b'\r', rest) else {
                self.piece(rest, json, answer);
                return;
            };
            let (piece, end) = rest.split_at(at);
            self.piece(piece, json, answer);
            self.end_line(json, answer);
            rest = match end {
                [b'\r', b'\n', after @ ..] => after,
                [b'\r'] => {
                    self.is_after_return = true;
                    &[]
                }
                [_, after @ ..] => after,
                [] => &[],
            };
        }
    }

    /// A part of a line.
    fn piece(&mut self, bytes: &[u8], json: &mut Json, answer: &mut UsageBuilder) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            match self.line {
                Line::Data | Line::Bare => {
                    json.feed(rest, answer);
                    return;
                }
                Line::Other => return,
                Line::Name if self.len == 0 && self.is_json(byte) => {
                    if !self.is_bare && !json.is_new() && !json.is_closed() {
                        self.end_value(json, answer);
                    }
                    self.begin_value(json);
                    self.is_bare = true;
                    self.line = Line::Bare;
                    continue;
                }
                Line::Name => self.name(byte, json, answer),
                Line::Space => {
                    self.line = Line::DataBegins;
                    if byte != b' ' {
                        continue;
                    }
                }
                Line::DataBegins => {
                    self.begin_value(json);
                    self.line = if json.is_new() { Line::Done(0) } else { Line::Data };
                    continue;
                }
                Line::Done(count) if DONE.get(count) == Some(&byte) => {
                    self.line = Line::Done(count + 1);
                    if count + 1 == DONE.len() {
                        answer.end_stream();
                        self.line = Line::Other;
                    }
                }
                Line::Done(count) => {
                    self.line = Line::Data;
                    json.feed(DONE.get(..count).unwrap_or_default(), answer);
                    continue;
                }
                Line::Event => self.keep(byte),
            }
            rest = tail;
        }
    }

    /// Whether a line that begins so is JSON, and no field.
    fn is_json(&self, byte: u8) -> bool {
        match self.is_bare {
            // `data`, `event`, `id`, `retry`, a comment: outside a string no JSON begins so.
            true => !matches!(byte, b'd' | b'e' | b'i' | b'r' | b':'),
            false => matches!(byte, b'{' | b'['),
        }
    }

    /// A byte of a field's name.
    fn name(&mut self, byte: u8, json: &mut Json, answer: &mut UsageBuilder) {
        if byte != b':' {
            self.keep(byte);
            return;
        }
        if self.is_bare {
            self.end_value(json, answer);
        }
        self.line = match self.kept.get(..self.len) {
            Some(b"data") => Line::Space,
            Some(b"event") => Line::Event,
            _ => Line::Other,
        };
        self.len = 0;
    }

    fn keep(&mut self, byte: u8) {
        if let Some(place) = self.kept.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// JSON begins, or goes on. Some servers part their events by one line break only, so a value
    /// that is closed ends its event.
    const fn begin_value(&self, json: &mut Json) {
        if json.is_closed() {
            json.reset();
        }
    }

    /// No more of a value comes.
    fn end_value(&mut self, json: &mut Json, answer: &mut UsageBuilder) {
        if !json.is_new() && !json.is_closed() {
            self.is_damaged = true;
            answer.drop_event();
        }
        answer.is_error(false);
        json.reset();
        self.is_bare = false;
    }

    fn end_line(&mut self, json: &mut Json, answer: &mut UsageBuilder) {
        let kept = self.kept.get(..self.len).unwrap_or_default();
        match self.line {
            // An empty line ends an event, though not bare JSON; that ends where a line is neither
            // JSON nor a field.
            Line::Name if (self.len == 0) != self.is_bare => self.end_value(json, answer),
            Line::Event if kept.trim_ascii() == b"error" => answer.is_error(true),
            Line::Done(count) => {
                json.feed(DONE.get(..count).unwrap_or_default(), answer);
                json.line_break(answer);
            }
            Line::Data | Line::Bare => json.line_break(answer),
            _ => {}
        }
        if self.is_bare && json.is_closed() {
            self.is_bare = false;
        }
        if self.is_bare && json.is_broken() {
            self.end_value(json, answer);
        }
        self.line = Line::Name;
        self.len = 0;
    }
}
