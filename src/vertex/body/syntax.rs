//! The grammar of JSON (RFC 8259), strictly, in pieces of any size: gives what stands in a text, one
//! event after the other. The outermost value is an object.

use crate::error::Reason;
use crate::vertex::body::number::Digits;
use crate::vertex::body::text::{Found, Given, Purpose, Text};

/// Most objects and arrays within each other, as serde_json counts.
const MAX_DEPTH: u32 = 127;

/// What comes next in a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'e> {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Name(&'e [u8]),
    Text(Given<'e>),
    /// As it is written, if the purpose is `Whole`.
    Number(&'e [u8]),
    Bool(bool),
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    True,
    False,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    ElementOrEnd,
    NameOrEnd,
    Name,
    Colon,
    /// After a value: a comma, or the end of its container.
    Next,
    NameText,
    Text,
    /// A number, up to its last byte so far.
    Number(Option<Digits>),
    /// What is left of a literal.
    Literal(Literal, &'static [u8]),
    /// The object is complete; white space may follow.
    Closed,
}

/// The state between two pieces.
#[derive(Debug)]
pub(super) struct Syntax {
    state: State,
    /// Number of open objects and arrays.
    depth: u32,
    /// A bit for each of them, the outermost lowest: set for an object.
    objects: u128,
    /// That of the innermost.
    is_in_object: bool,
    text: Text,
}

impl Syntax {
    pub(super) const fn new() -> Self {
        Self { state: State::Value, depth: 0, objects: 0, is_in_object: false, text: Text::new() }
    }

    /// What it holds on the heap.
    #[cfg(test)]
    pub(super) const fn heap_bytes(&self) -> usize {
        self.text.heap_bytes()
    }

    /// Whether the outermost object is complete.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The next event, or `None` at the end of the piece. `purpose` is what a text is read for, if
    /// one begins.
    pub(super) fn next<'e, 'p: 'e>(
        &'e mut self,
        rest: &mut &'p [u8],
        purpose: Purpose,
    ) -> Result<Option<Event<'e>>, Reason> {
        while let Some((&byte, tail)) = rest.split_first() {
            let event = match (self.state, byte) {
                (State::NameText, _) => {
                    let Some(found) = self.text.feed(rest)? else { return Ok(None) };
                    self.state = State::Colon;
                    // What nearly always follows at once.
                    if let Some((b':', after)) = rest.split_first() {
                        *rest = after;
                        self.state = State::Value;
                    }
                    return Ok(Some(Event::Name(self.text.whole(found))));
                }
                (State::Text, _) => {
                    let Some(found) = self.text.feed(rest)? else { return Ok(None) };
                    self.state = State::Next;
                    if let Some((b',', after)) = rest.split_first() {
                        *rest = after;
                        self.state = self.after_comma();
                    }
                    return Ok(Some(Event::Text(self.text.given(found)?)));
                }
                (State::Number(so_far), _) => {
                    let Some(found) = self.number(rest, so_far)? else { return Ok(None) };
                    self.state = State::Next;
                    return Ok(Some(Event::Number(self.text.whole(found))));
                }
                (State::Literal(literal, left), _) => {
                    *rest = tail;
                    self.literal(literal, left, byte)?
                }
                (_, b' ' | b'\n' | b'\r' | b'\t') => {
                    *rest = after_spaces(tail);
                    None
                }
                (State::Value | State::ElementOrEnd, b'-' | b'0'..=b'9') => {
                    self.begin_number(purpose)?;
                    None
                }
                _ => {
                    *rest = tail;
                    self.token(byte, purpose)?
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// Reads a byte between values, or the first of one that is no number.
    fn token(&mut self, byte: u8, purpose: Purpose) -> Result<Option<Event<'static>>, Reason> {
        match (self.state, byte) {
            (State::Colon, b':') => self.state = State::Value,
            (State::Name | State::NameOrEnd, b'"') => {
                self.text.open(Purpose::Whole);
                self.state = State::NameText;
            }
            (State::Next, b',') => self.state = self.after_comma(),
            (State::NameOrEnd, b'}') => return Ok(Some(self.close(Event::ObjectEnd))),
            (State::Next, b'}') if self.is_in_object => {
                return Ok(Some(self.close(Event::ObjectEnd)));
            }
            (State::ElementOrEnd, b']') => return Ok(Some(self.close(Event::ArrayEnd))),
            (State::Next, b']') if !self.is_in_object => {
                return Ok(Some(self.close(Event::ArrayEnd)));
            }
            (State::Value | State::ElementOrEnd, _) => return self.begin_value(byte, purpose),
            _ => return Err(Reason::BodyNotJson),
        }
        Ok(None)
    }

    const fn after_comma(&self) -> State {
        if self.is_in_object { State::Name } else { State::Value }
    }

    fn begin_value(
        &mut self,
        byte: u8,
        purpose: Purpose,
    ) -> Result<Option<Event<'static>>, Reason> {
        match byte {
            b'{' => {
                self.open(true)?;
                return Ok(Some(Event::ObjectBegin));
            }
            _ if self.depth == 0 => return Err(Reason::BodyNotJson),
            b'"' => {
                self.text.open(purpose);
                self.state = State::Text;
            }
            b'[' => {
                self.open(false)?;
                return Ok(Some(Event::ArrayBegin));
            }
            b't' => self.state = State::Literal(Literal::True, b"rue"),
            b'f' => self.state = State::Literal(Literal::False, b"alse"),
            b'n' => self.state = State::Literal(Literal::Null, b"ull"),
            _ => return Err(Reason::BodyNotJson),
        }
        Ok(None)
    }

    fn open(&mut self, is_object: bool) -> Result<(), Reason> {
        let bit = 1_u128.checked_shl(self.depth).filter(|_| self.depth < MAX_DEPTH);
        let bit = bit.ok_or(Reason::BodyNotJson)?;
        self.depth += 1;
        self.state = if is_object { State::NameOrEnd } else { State::ElementOrEnd };
        self.objects = if is_object { self.objects | bit } else { self.objects & !bit };
        self.is_in_object = is_object;
        Ok(())
    }

    fn close(&mut self, end: Event<'static>) -> Event<'static> {
        self.depth = self.depth.saturating_sub(1);
        let outer = self.objects.checked_shr(self.depth.saturating_sub(1));
        self.is_in_object = outer.is_some_and(|bits| bits & 1 == 1);
        self.state = if self.depth == 0 { State::Closed } else { State::Next };
        end
    }

    fn begin_number(&mut self, purpose: Purpose) -> Result<(), Reason> {
        if self.depth == 0 {
            return Err(Reason::BodyNotJson);
        }
        // Only where all of a text is wanted a number may be.
        self.text.open(if purpose == Purpose::Whole { purpose } else { Purpose::Skip });
        self.state = State::Number(None);
        Ok(())
    }

    /// Reads on in a number, which only the byte after it ends.
    fn number<'e>(
        &mut self,
        rest: &mut &'e [u8],
        so_far: Option<Digits>,
    ) -> Result<Option<Found<'e>>, Reason> {
        let (mut digits, mut bytes) = (so_far, 0);
        for byte in *rest {
            let next = digits.map_or_else(|| Digits::first(*byte), |digits| digits.then(*byte));
            if next.is_none() {
                break;
            }
            digits = next;
            bytes += 1;
        }
        let (number, after) = rest.split_at(bytes);
        *rest = after;
        if after.is_empty() {
            self.state = State::Number(digits);
            self.text.take(number)?;
            return Ok(None);
        }
        let found = self.text.end(number)?;
        match digits {
            Some(digits) if digits.may_end() => Ok(Some(found)),
            _ => Err(Reason::BodyNotJson),
        }
    }

    fn literal(
        &mut self,
        literal: Literal,
        left: &'static [u8],
        byte: u8,
    ) -> Result<Option<Event<'static>>, Reason> {
        let (want, left) = left.split_first().ok_or(Reason::BodyNotJson)?;
        if *want != byte {
            return Err(Reason::BodyNotJson);
        }
        if !left.is_empty() {
            self.state = State::Literal(literal, left);
            return Ok(None);
        }
        self.state = State::Next;
        Ok(Some(match literal {
            Literal::True => Event::Bool(true),
            Literal::False => Event::Bool(false),
            Literal::Null => Event::Null,
        }))
    }
}

/// What follows white space, of which there is much in an indented body.
fn after_spaces(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}
