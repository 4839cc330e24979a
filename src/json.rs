//! Strict JSON for untrusted input: as serde_json reads it, without repeated member names (RFC 7515
//! section 4 and RFC 7519 section 4 ask for that; RFC 8259 leaves it open).

mod syntax;

use std::borrow::Cow;
use std::fmt;

pub use syntax::syntax_fault;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The longest input, in bytes, which bounds its cost; serde_json bounds the depth.
pub const MAX_BYTES: usize = 256 * 1024;

/// A JSON value whose objects hold each name once.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An integer, a fraction or a number with exponent, as it was written.
    Number(serde_json::Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object, in its order.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Parses bytes that hold exactly one value.
    ///
    /// # Errors
    /// Anything but one JSON value in UTF-8, nesting deeper than 128, a repeated name, more than
    /// `MAX_BYTES`.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        if bytes.len() > MAX_BYTES {
            return Err(serde_json::Error::custom(format_args!(
                "it has {} bytes, and at most {MAX_BYTES} bytes are wanted",
                bytes.len()
            )));
        }
        serde_json::from_slice(bytes)
    }

    /// The member `name` of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The member with this name or, with a `/` in front, at this JSON pointer into objects (RFC
    /// 6901).
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        let Some(pointer) = path.strip_prefix('/') else {
            return self.get(path);
        };
        let mut names = pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
        names.try_fold(self, |json, name| json.get(&name))
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Whole seconds of a `NumericDate` (RFC 7519 section 2); a fraction is cut off.
    #[must_use]
    pub fn as_numeric_date(&self) -> Option<i64> {
        let Self::Number(number) = self else {
            return None;
        };
        number.as_i64().or_else(|| {
            let text = number.to_string();
            let (whole, fraction) = text.split_once('.')?;
            fraction.bytes().all(|b| b.is_ascii_digit()).then(|| whole.parse().ok())?
        })
    }
}

/// Folds a member's name, so that `fileUri` and `file_uri` are equal.
#[must_use]
pub fn fold_name(name: &str) -> Cow<'_, str> {
    match name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        true => Cow::Borrowed(name),
        false => name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect(),
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            members.push((name, map.next_value()?));
        }
        if has_a_name_twice(&members) {
            return Err(A::Error::custom("a member name stands twice"));
        }
        Ok(Json::Object(members))
    }
}

/// Whether a name is repeated; sorts, so that no choice of names makes it slow.
fn has_a_name_twice(members: &[(String, Json)]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_name_twice_at_any_depth_and_after_unescaping() {
        assert!(Json::parse(br#"{"a":1,"b":{"a":1}}"#).is_ok());
        assert!(Json::parse(br#"{"a":1,"a":2}"#).is_err());
        assert!(Json::parse(br#"[{"b":{"a":1,"\u0061":2}}]"#).is_err());
    }

    /// An object of this many members; the last one is called `last`.
    fn object(count: usize, last: &str) -> Result<Json, serde_json::Error> {
        let members: Vec<_> = (1..count).map(|index| format!("\"{index}\":0")).collect();
        Json::parse(format!("{{{},\"{last}\":0}}", members.join(",")).as_bytes())
    }

    #[test]
    fn bounds_bytes_and_depth_and_not_how_many_there_are() {
        assert!(object(20_000, "last").is_ok());
        assert!(Json::parse(format!("[{}0]", "0,".repeat(100_000)).as_bytes()).is_ok());
        let padded =
            |bytes: usize| Json::parse(format!("{}{{}}", " ".repeat(bytes - 2)).as_bytes());
        assert!(padded(MAX_BYTES).is_ok());
        let refused = padded(MAX_BYTES + 1).unwrap_err().to_string();
        assert!(refused.contains("262145 bytes"), "{refused}");
        let nested = |depth: usize| {
            Json::parse(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes())
        };
        assert!(nested(127).is_ok() && nested(128).is_err());
    }

    #[test]
    fn finds_a_name_that_stands_twice_among_many() {
        for count in [2, 3, 16, 17, 1_000, 20_000] {
            assert!(object(count, "last").is_ok(), "{count}");
            assert!(object(count, "1").is_err(), "{count}");
        }
    }

    #[test]
    fn reads_numeric_dates() {
        let date = |text: &str| Json::parse(text.as_bytes()).unwrap().as_numeric_date();
        assert_eq!(date("1767323045"), Some(1_767_323_045));
        assert_eq!(date("1767323045.75"), Some(1_767_323_045));
        assert_eq!(date("1e300"), None);
        assert_eq!(date("\"1767323045\""), None);
    }
}
