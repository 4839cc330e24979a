//! The walk through a body. serde_json unescapes names, checks UTF-8, bounds the depth (128) and
//! refuses what follows the value; names that stand twice are refused here.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::test_switches::{Check, on};
use crate::vertex::body::field::Field;
use crate::vertex::body::media::MediaKind;
use crate::vertex::body::name::Name;
use crate::vertex::body::{Body, is_address, is_data_url, media};

/// The objects among a tool's settings that act on nothing.
const TOOL_SETTINGS: &[&str] = &["filters", "ranking_options", "user_location"];

/// Reads `bytes` into `body`.
pub(super) fn scan(bytes: &[u8], body: &mut Body) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    Walk { body, place: Field::Root }.deserialize(&mut json)?;
    json.end()
}

struct Walk<'b> {
    body: &'b mut Body,
    place: Field,
}

/// What kind of value was walked through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    /// An object, or an array that holds one.
    Object,
    /// `null`, which says nothing.
    Null,
    /// So many bytes of data, whose type stands beside them.
    Data(u64),
    MediaType(MediaKind),
    Other,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ValueKind;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<ValueKind, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ValueKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that fits its place")
    }

    fn visit_unit<E: Error>(self) -> Result<ValueKind, E> {
        match self.place {
            Field::Root => Err(E::custom("an object is wanted")),
            _ => Ok(ValueKind::Null),
        }
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<ValueKind, E> {
        if self.place == Field::Stream {
            self.body.is_streamed = truth;
            return Ok(ValueKind::Other);
        }
        self.number(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<ValueKind, E> {
        self.number(None)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ValueKind, E> {
        self.number(Some(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<ValueKind, E> {
        let whole = number >= 0.0 && number.fract() == 0.0;
        self.number(whole.then(|| format!("{number:.0}").parse().ok()).flatten())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ValueKind, E> {
        match self.place {
            Field::Root => return Err(E::custom("an object is wanted")),
            // A tool that the caller's own code carries out.
            Field::ToolType if matches!(text, "function" | "custom") => {}
            Field::ToolType => self.body.text(Field::Tool, text),
            Field::MediaType => {
                self.body.text(Field::Plain, text);
                return Ok(ValueKind::MediaType(MediaKind::of_type(text)));
            }
            Field::DataOrUri if is_data(text) => return Ok(ValueKind::Data(media::length(text))),
            place => self.body.text(place, text),
        }
        Ok(ValueKind::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ValueKind, A::Error> {
        self.check_nested(true)?;
        let Walk { body, place } = self;
        let mut kind = ValueKind::Other;
        while let Some(element) = seq.next_element_seed(Walk { body: &mut *body, place })? {
            if element == ValueKind::Object {
                kind = element;
            }
        }
        Ok(kind)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ValueKind, A::Error> {
        self.check_nested(false)?;
        let Walk { body, place } = self;
        // A model in whole, as it is uploaded, is none that is asked.
        let place = if place == Field::Model { Field::Plain } else { place };
        match place {
            Field::AnyModel => body.text(place, ""),
            Field::Environment => body.text(Field::Tool, "environment"),
            _ => {}
        }
        let mut names = MemberNames::default();
        let (mut typed, mut tools) = (false, Vec::new());
        let (mut data, mut media) = (0, (place == Field::InputAudio).then_some(MediaKind::Audio));
        while let Some(written) = map.next_key::<String>()? {
            if place == Field::Free {
                map.next_value_seed(Walk { body: &mut *body, place })?;
                names.add(written).map_err(A::Error::custom)?;
                continue;
            }
            let name = Name::of(&written);
            let member = place.member(&name);
            if let Some(other) = name.other_spelling().filter(|_| member.acts()) {
                names.add(other.to_owned()).map_err(A::Error::custom)?;
            }
            let inside = match member {
                Field::Tool => Field::of_tool(&name),
                member => member,
            };
            let kind = map.next_value_seed(Walk { body: &mut *body, place: inside })?;
            typed |= member == Field::ToolType && kind != ValueKind::Null;
            match kind {
                ValueKind::Data(bytes) => data = bytes,
                ValueKind::MediaType(kind) => media = Some(kind),
                ValueKind::Object | ValueKind::Null | ValueKind::Other => {}
            }
            if member == Field::Tool {
                let is_setting =
                    kind != ValueKind::Object || TOOL_SETTINGS.contains(&name.snake.as_ref());
                tools.push((written.clone(), is_setting));
            }
            names.add(written).map_err(A::Error::custom)?;
        }
        // Beside a type, what holds no object is one of its settings, and some objects are.
        let asked = tools.into_iter().filter(|(_, is_setting)| !typed || !is_setting);
        body.tools.extend(asked.map(|(name, _)| name));
        if let Some(kind) = media {
            body.media.add(kind, data);
        }
        Ok(ValueKind::Object)
    }
}

impl Walk<'_> {
    fn number<E: Error>(self, number: Option<u64>) -> Result<ValueKind, E> {
        match self.place {
            Field::OutputLimit(at) => self.body.limit(at, number),
            Field::Answers => self.body.answer_count(number),
            place if place.wants_text() => return Err(E::custom("a text is wanted")),
            Field::Root => return Err(E::custom("an object is wanted")),
            _ => {}
        }
        Ok(ValueKind::Other)
    }

    fn check_nested<E: Error>(&self, is_array: bool) -> Result<(), E> {
        match self.place {
            Field::Root if is_array => Err(E::custom("an object is wanted")),
            Field::Model if !is_array => Ok(()),
            Field::OutputLimit(_) => Err(E::custom("a number is wanted")),
            place if place.wants_text() => Err(E::custom("a text is wanted")),
            _ => Ok(()),
        }
    }
}

/// Whether a text is neither an address nor a data URL.
fn is_data(text: &str) -> bool {
    !is_address(text) && !is_data_url(text)
}

/// The names in one object. Folded and plain spellings share it, so that `fileUri` beside
/// `file_uri` counts as the same name twice.
#[derive(Default)]
struct MemberNames {
    few: Vec<String>,
    many: HashSet<String>,
}

impl MemberNames {
    /// Up to here a look at each former name is cheaper than a set of them.
    const FEW: usize = 16;

    fn add(&mut self, name: String) -> Result<(), &'static str> {
        let known = self.few.contains(&name) || self.many.contains(&name);
        match self.few.len() {
            _ if known && on(Check::NamesOnce) => return Err("a member stands twice"),
            count if count < Self::FEW => self.few.push(name),
            _ => {
                self.many.insert(name);
            }
        }
        Ok(())
    }
}
