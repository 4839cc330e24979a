//! Walks through a body's values with the place of each: what a value at a place means, what it may
//! not be there, and that no name stands twice.

use std::sync::LazyLock;

use crate::error::Reason;
use crate::keyed_hash::KeyedHash;
use crate::test_switches::{Check, on};
use crate::vertex::body::field::Field;
use crate::vertex::body::kept::Kept;
use crate::vertex::body::meaning::Meanings;
use crate::vertex::body::media::MediaKind;
use crate::vertex::body::names::{Added, Names};
use crate::vertex::body::syntax::Event;
use crate::vertex::body::text::{Given, Purpose};
use crate::vertex::body::{Body, number};

static KEYS: LazyLock<KeyedHash> = LazyLock::new(KeyedHash::default);

/// The kind of a value that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueKind {
    /// An object, or an array that holds one.
    Object,
    /// `null`, which says nothing.
    Null,
    /// Data of this many bytes of base64; its type stands beside it.
    Data(u64),
    MediaType(MediaKind),
    Other,
}

/// An object or array that is open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    place: Field,
    is_array: bool,
    /// Of an array: whether it holds an object.
    holds_object: bool,
    /// Of an object: the place of the member whose value comes.
    member: Field,
    /// Whether that member is one of a tool's settings whatever its value.
    is_setting: bool,
    /// Whether the object has a type that says what its members are: a tool's of Claude's or
    /// OpenAI's, an item's, that of a source that is text.
    typed: bool,
    /// Of an item: whether it says who speaks, and what.
    has_role: bool,
    has_content: bool,
    media: Option<MediaKind>,
    /// The bytes of base64 that `media` is the type of.
    data: u64,
    /// Number of names, and of texts that are pending, in the objects around it.
    outer_names: u16,
    outer_pending: u16,
}

/// The state between two events.
#[derive(Debug)]
pub(super) struct Walk {
    keys: &'static KeyedHash,
    kept: Kept,
    frames: Vec<Frame>,
    names: Names,
    meanings: Meanings,
    /// The place of the next value.
    next: Field,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            keys: &KEYS,
            kept: Kept::default(),
            frames: Vec::new(),
            names: Names::default(),
            meanings: Meanings::new(),
            next: Field::Root,
        }
    }

    /// Counts a name as one that stands in the body itself, before anything was read.
    pub(super) fn take_name(&mut self, name: &[u8]) -> Result<(), Reason> {
        self.add_name(1, self.keys.of_bytes(name))
    }

    /// What it holds on the heap beside the texts.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        let frames = self.frames.capacity() * size_of::<Frame>();
        frames + self.names.heap_bytes() + self.kept.heap_bytes()
    }

    /// What was found so far.
    pub(super) const fn body(&self) -> &Body {
        &self.kept.body
    }

    pub(super) fn into_body(self) -> Body {
        self.kept.body
    }

    /// What a text is read for, if one comes next.
    pub(super) const fn purpose(&self) -> Purpose {
        self.next.purpose()
    }

    /// Takes what comes next in the body.
    pub(super) fn event(&mut self, event: Event<'_>) -> Result<(), Reason> {
        let kind = match event {
            Event::Name(name) => return self.name(name),
            Event::ObjectBegin => return self.open_object(),
            Event::ArrayBegin => return self.open_array(),
            Event::ObjectEnd => self.close_object()?,
            Event::ArrayEnd => self.close_array(),
            Event::Text(given) => self.text(given)?,
            Event::Bool(truth) if self.next == Field::Stream => {
                self.kept.body.is_streamed = truth;
                ValueKind::Other
            }
            Event::Bool(_) => self.number(b"")?,
            Event::Number(written) => self.number(written)?,
            Event::Null => ValueKind::Null,
        };
        self.value(kind);
        Ok(())
    }

    fn name(&mut self, name: &[u8]) -> Result<(), Reason> {
        let hash = self.keys.of_bytes(name);
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut() else { return Err(Reason::BodyNotJson) };
        if frame.place == Field::Free {
            return self.add_name(depth, hash);
        }
        let meaning = self.meanings.of(frame.place, name, hash, self.keys)?;
        frame.member = meaning.member;
        frame.is_setting = meaning.is_setting;
        self.next = meaning.inside;
        if meaning.member == Field::Tool {
            self.kept.begin_tool(name)?;
        }
        if let Some(other) = meaning.other_spelling {
            self.add_name(depth, other.get())?;
        }
        self.add_name(depth, hash)
    }

    /// Adds a name to the innermost object, one of the objects that are open at `depth`.
    fn add_name(&mut self, depth: usize, hash: u64) -> Result<(), Reason> {
        // No two objects that are open are equally deep.
        let depth = u64::try_from(depth).unwrap_or(u64::MAX);
        match self.names.add(hash ^ depth.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
            Added::Known if on(Check::NamesOnce) => Err(Reason::BodyNotJson),
            Added::Full => Err(Reason::BodyTooComplex),
            Added::New | Added::Known => Ok(()),
        }
    }

    fn open_array(&mut self) -> Result<(), Reason> {
        if self.next.wants_text() || matches!(self.next, Field::OutputLimit(_)) {
            return Err(Reason::BodyNotJson);
        }
        self.open(self.next.element(), true);
        Ok(())
    }

    fn open_object(&mut self) -> Result<(), Reason> {
        let place = self.next.object();
        match place {
            Field::OutputLimit(_) => return Err(Reason::BodyNotJson),
            _ if place.wants_text() => return Err(Reason::BodyNotJson),
            Field::AnyModel => self.kept.body.any_model = true,
            Field::Environment => self.kept.text(Field::Tool, "environment", self.keys)?,
            _ => {}
        }
        self.open(place, false);
        Ok(())
    }

    fn open(&mut self, place: Field, is_array: bool) {
        self.frames.push(Frame {
            place,
            is_array,
            holds_object: false,
            member: place,
            is_setting: false,
            typed: false,
            has_role: false,
            has_content: false,
            media: (place == Field::InputAudio).then_some(MediaKind::Audio),
            data: 0,
            outer_names: u16::try_from(self.names.len()).unwrap_or(u16::MAX),
            outer_pending: u16::try_from(self.kept.pending()).unwrap_or(u16::MAX),
        });
        self.next = place;
    }

    fn close_array(&mut self) -> ValueKind {
        match self.frames.pop() {
            Some(frame) if frame.holds_object => ValueKind::Object,
            _ => ValueKind::Other,
        }
    }

    fn close_object(&mut self) -> Result<ValueKind, Reason> {
        let Some(frame) = self.frames.pop() else { return Err(Reason::BodyNotJson) };
        self.names.truncate(usize::from(frame.outer_names));
        let typed = frame.typed || (frame.has_role && frame.has_content);
        self.kept.end_object(usize::from(frame.outer_pending), typed, self.keys)?;
        if let Some(kind) = frame.media {
            self.kept.body.media.add(kind, frame.data);
        }
        Ok(ValueKind::Object)
    }

    fn text(&mut self, given: Given<'_>) -> Result<ValueKind, Reason> {
        match given {
            Given::Nothing if matches!(self.next, Field::AnyModel | Field::Fallbacks) => {
                self.kept.body.any_model = true;
            }
            Given::Nothing => {}
            Given::Data(bytes) => return Ok(ValueKind::Data(bytes)),
            Given::DataUrl(head, bytes) => self.kept.body.media.add_url(head, bytes),
            Given::Text(text) => {
                self.kept.text(self.next, text, self.keys)?;
                match self.next {
                    Field::MediaType => {
                        return Ok(ValueKind::MediaType(MediaKind::of_type(text)));
                    }
                    Field::ItemType => self.type_of_object(text != "item_reference"),
                    Field::SourceType => self.type_of_object(text == "text"),
                    _ => {}
                }
            }
        }
        Ok(ValueKind::Other)
    }

    /// Takes the type of the innermost object: whether it says what the members are.
    fn type_of_object(&mut self, says: bool) {
        if let Some(frame) = self.frames.last_mut() {
            frame.typed |= says;
        }
    }

    /// Takes a number or, empty, a value that is none.
    fn number(&mut self, written: &[u8]) -> Result<ValueKind, Reason> {
        match self.next {
            Field::OutputLimit(at) => self.kept.limit(at, number::count(written))?,
            Field::Answers => self.kept.answer_count(number::count(written)),
            place if place.wants_text() => return Err(Reason::BodyNotJson),
            _ => {}
        }
        Ok(ValueKind::Other)
    }

    /// Tells the value's object or array of what kind it was.
    fn value(&mut self, kind: ValueKind) {
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.is_array {
            frame.holds_object |= kind == ValueKind::Object;
            self.next = frame.place;
            return;
        }
        match kind {
            ValueKind::Data(bytes) => frame.data = bytes,
            ValueKind::MediaType(kind) => frame.media = Some(kind),
            ValueKind::Object | ValueKind::Null | ValueKind::Other => {}
        }
        match frame.member {
            Field::ToolType => frame.typed |= kind != ValueKind::Null,
            Field::ItemRole => frame.has_role |= kind != ValueKind::Null,
            Field::ItemContent => frame.has_content |= kind != ValueKind::Null,
            Field::Tool => {
                let is_setting = kind != ValueKind::Object || frame.is_setting;
                self.kept.end_tool(frame.place == Field::Tools && is_setting);
            }
            _ => {}
        }
    }
}

impl Field {
    /// What a text at this place is read for.
    const fn purpose(self) -> Purpose {
        match self {
            Self::Model
            | Self::OtherModel
            | Self::ModelBeside
            | Self::BaseModel
            | Self::OperationName
            | Self::OutputLimit(_)
            | Self::Answers
            | Self::WriteUri
            | Self::StoredState
            | Self::ItemType
            | Self::ItemId
            | Self::SourceType
            | Self::Secret
            | Self::Endpoint
            | Self::Environment
            | Self::Voice
            | Self::ModelArmor
            | Self::ToolType
            | Self::Tool
            | Self::MediaType => Purpose::Whole,
            Self::Plain | Self::ToolSettings => Purpose::Address,
            Self::ReadUri => Purpose::Uri,
            Self::DataOrUri | Self::SourceData => Purpose::DataOrUri,
            _ => Purpose::Skip,
        }
    }
}
