//! JSON (RFC 8259) as it comes, in pieces of any size, in constant memory. The grammar is held to
//! down to a depth of 128; below, brackets are counted. What is skipped is not looked into: control
//! characters in strings, the digits of numbers and UTF-8 are nobody's concern here.

use crate::meter::member::{MAX_DEPTH, Member};
use crate::meter::string::{Purpose, Text};
use crate::meter::usage_builder::{JsonType, UsageBuilder};

/// The most nested values whose kind is remembered.
const MAX_KINDS: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    ElementOrEnd,
    NameOrEnd,
    Name,
    Colon,
    /// After a value: a comma, or the end of what it is in.
    Next,
    String,
    Number,
    /// What is left of `true`, `false` or `null`.
    Literal(&'static [u8]),
    /// Deeper than kinds are remembered.
    Deep,
    /// The value is closed; white space may follow.
    Closed,
    /// This is no JSON.
    Broken,
}

/// A reader of one JSON value.
#[derive(Clone, Debug)]
pub(super) struct Json {
    state: State,
    /// How many objects and arrays are open.
    depth: usize,
    /// A bit for each of them, the outermost lowest: whether it is an object.
    objects: u128,
    /// The places of the outermost of them.
    places: [Member; MAX_DEPTH],
    /// The place of the innermost.
    here: Member,
    /// The place of the value that comes.
    next: Member,
    text: Text,
}

impl Json {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Value,
            depth: 0,
            objects: 0,
            places: [Member::Skipped; MAX_DEPTH],
            here: Member::Skipped,
            next: Member::Top,
            text: Text::new(),
        }
    }

    /// Begins anew.
    pub(super) const fn reset(&mut self) {
        self.state = State::Value;
        self.depth = 0;
        self.here = Member::Skipped;
        self.next = Member::Top;
    }

    /// Nothing but white space came yet.
    pub(super) const fn is_new(&self) -> bool {
        matches!(self.state, State::Value) && self.depth == 0
    }

    /// The value is complete.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// What came is no JSON.
    pub(super) const fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken)
    }

    /// A line ends here, which no string goes across: a line break in one is `\n`.
    pub(super) fn line_break(&mut self, answer: &mut UsageBuilder) {
        match self.state {
            State::String => self.state = State::Broken,
            _ => self.feed(b"\n", answer),
        }
    }

    /// Reads on.
    pub(super) fn feed(&mut self, bytes: &[u8], answer: &mut UsageBuilder) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = match self.state {
                State::String => self.string(rest, answer),
                State::Number => self.number(rest, answer),
                State::Literal(left) => {
                    self.literal(left, byte);
                    tail
                }
                State::Deep => self.deep(rest),
                State::Broken => return,
                _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => tail,
                _ => {
                    if self.token(byte, answer) {
                        tail
                    } else {
                        rest
                    }
                }
            };
        }
    }

    /// A byte between values, or the first of one; whether it is done with.
    fn token(&mut self, byte: u8, answer: &mut UsageBuilder) -> bool {
        match (self.state, byte) {
            (State::NameOrEnd | State::Name, b'"') => self.open_string(Purpose::Name),
            (State::Colon, b':') => self.state = State::Value,
            (State::NameOrEnd, b'}') | (State::ElementOrEnd, b']') => self.close(answer),
            (State::Next, b'}') if self.is_in_object() => self.close(answer),
            (State::Next, b']') if !self.is_in_object() => self.close(answer),
            (State::Next, b',') if self.is_in_object() => self.state = State::Name,
            (State::Next, b',') => {
                self.state = State::Value;
                self.next = self.here.element();
            }
            (State::Value | State::ElementOrEnd, _) => return self.value(byte, answer),
            _ => self.state = State::Broken,
        }
        true
    }

    /// The first byte of a value; whether it is done with.
    fn value(&mut self, byte: u8, answer: &mut UsageBuilder) -> bool {
        let (kind, state) = match byte {
            b'{' => (JsonType::Object, State::NameOrEnd),
            b'[' => (JsonType::Array, State::ElementOrEnd),
            b'"' => (JsonType::String, State::String),
            b'-' | b'0'..=b'9' => (JsonType::Other, State::Number),
            b't' => (JsonType::Other, State::Literal(b"rue")),
            b'f' => (JsonType::Other, State::Literal(b"alse")),
            b'n' => (JsonType::Other, State::Literal(b"ull")),
            _ => (JsonType::Other, State::Broken),
        };
        // An answer is an object, or an array of them.
        if self.depth == 0 && !matches!(kind, JsonType::Object | JsonType::Array) {
            self.state = State::Broken;
            return true;
        }
        if self.next != Member::Skipped {
            answer.begin(self.next, kind);
        }
        match kind {
            JsonType::Object => self.open(self.next.as_object(), true, state),
            JsonType::Array => self.open(self.next.as_array(), false, state),
            JsonType::String if self.next.is_read() => self.open_string(Purpose::Value),
            JsonType::String => self.open_string(Purpose::Skipped),
            JsonType::Other => {
                self.state = state;
                self.text.open(Purpose::Value);
                return state != State::Number;
            }
        }
        true
    }

    fn open(&mut self, place: Member, is_object: bool, state: State) {
        if let Some(slot) = self.places.get_mut(self.depth) {
            *slot = place;
        }
        self.state = state;
        match u32::try_from(self.depth).ok().and_then(|depth| 1_u128.checked_shl(depth)) {
            Some(bit) if is_object => self.objects |= bit,
            Some(bit) => self.objects &= !bit,
            None => self.state = State::Deep,
        }
        self.depth += 1;
        self.here = place;
        self.next = place.element();
    }

    fn close(&mut self, answer: &mut UsageBuilder) {
        if self.here != Member::Skipped {
            answer.end(self.here);
        }
        self.depth = self.depth.saturating_sub(1);
        let outer = self.depth.checked_sub(1).and_then(|index| self.places.get(index));
        self.here = outer.copied().unwrap_or(Member::Skipped);
        self.state = if self.depth == 0 { State::Closed } else { State::Next };
    }

    fn is_in_object(&self) -> bool {
        let depth = u32::try_from(self.depth.saturating_sub(1)).unwrap_or(u32::MAX);
        self.objects.checked_shr(depth).is_some_and(|bits| bits & 1 == 1)
    }

    fn open_string(&mut self, purpose: Purpose) {
        let is_read_here = purpose != Purpose::Name || self.here != Member::Skipped;
        self.text.open(if is_read_here { purpose } else { Purpose::NameSkipped });
        self.state = State::String;
    }

    fn string<'b>(&mut self, bytes: &'b [u8], answer: &mut UsageBuilder) -> &'b [u8] {
        let (here, next) = (self.here, &mut self.next);
        let (mut is_name, mut skipped_at) = (false, None);
        let rest = self.text.feed(bytes, |purpose, text, is_cut| match purpose {
            Purpose::Name => {
                is_name = true;
                *next = if is_cut { Member::Skipped } else { here.member(text) };
            }
            Purpose::NameSkipped => {
                is_name = true;
                *next = Member::Skipped;
            }
            Purpose::Value => answer.string(*next, text, is_cut),
            // Only whether there is something in it.
            Purpose::Skipped if is_cut && *next != Member::Skipped => skipped_at = Some(*next),
            Purpose::Skipped => {}
        });
        let Some(rest) = rest else { return &[] };
        if let Some(place) = skipped_at {
            answer.text(place, self.text.skipped());
        }
        self.state = match is_name {
            true => State::Colon,
            false if self.depth > MAX_KINDS => State::Deep,
            false => State::Next,
        };
        rest
    }

    fn number<'b>(&mut self, bytes: &'b [u8], answer: &mut UsageBuilder) -> &'b [u8] {
        let is_end = |byte: &u8| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let end = bytes.iter().position(is_end);
        let (digits, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.next.is_read() {
            self.text.keep(digits);
        }
        if end.is_some() {
            if self.next.is_read() {
                self.text
                    .kept(|text, is_cut| answer.number(self.next, if is_cut { b"" } else { text }));
            }
            self.state = State::Next;
        }
        rest
    }

    const fn literal(&mut self, left: &'static [u8], byte: u8) {
        self.state = match left.split_first() {
            Some((want, [])) if *want == byte => State::Next,
            Some((want, left)) if *want == byte => State::Literal(left),
            _ => State::Broken,
        };
    }

    /// Counts brackets until the depth is one where kinds are remembered.
    fn deep<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut rest = bytes;
        while let Some((byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth <= MAX_KINDS {
                        self.state = State::Next;
                        break;
                    }
                }
                b'"' => {
                    self.next = Member::Skipped;
                    self.open_string(Purpose::Skipped);
                    break;
                }
                _ => {}
            }
        }
        rest
    }
}
