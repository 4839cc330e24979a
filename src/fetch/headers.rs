//! Header fields of requests and answers (RFC 9110 section 5).

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// A header field of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// The field name, in lower case.
    pub name: Cow<'static, str>,
    /// The field value.
    pub value: FieldValue,
}

/// A field value that can be sent as it is. It may be a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldValue(pub(super) Zeroizing<String>);

/// The header fields of an answer.
#[derive(Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl FieldValue {
    /// Takes a text of visible ASCII, with blanks and tabs within (RFC 9110 section 5.5); nothing for
    /// any other, which could end the line.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_graphic() || b == b' ' || b == b'\t';
        let is_trimmed = text.trim_ascii().len() == text.len();
        (is_trimmed && text.bytes().all(fits)).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldValue of {} bytes", self.0.len())
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Headers {
    /// Takes the field lines of an answer, in their order. What of a value is no UTF-8 is replaced: it
    /// has no meaning (RFC 9110 section 5.5), and must not cost the answer.
    #[must_use]
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(lines: impl IntoIterator<Item = (N, V)>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
        let line = |(name, value): (N, V)| {
            (text(name.as_ref()).to_ascii_lowercase(), text(value.as_ref()))
        };
        Self(lines.into_iter().map(line).collect())
    }

    /// The value of the first line with this name, which is in lower case.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.lines(name).next()
    }

    /// The values of all lines with this name, as one list (RFC 9110 section 5.3).
    #[must_use]
    pub fn combined(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.lines(name).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_line() {
        for text in ["", "Google", "Bearer a.b.c", "Basic dXNlcjpwYXNz", "a\tb, c=\"d e\""] {
            assert_eq!(FieldValue::new(text).unwrap().as_str(), text);
        }
        for text in ["a\r\nhost: b", "a\nb", "a\rb", "a\0b", "a\x7fb", "caf\u{e9}", " a", "a\t"] {
            assert_eq!(FieldValue::new(text), None, "{text:?}");
        }
        let secret = FieldValue::new("Bearer secret").unwrap();
        let header = Header { name: "authorization".into(), value: secret.clone() };
        assert_eq!(format!("{secret:?} {header:?}"), "FieldValue of 13 bytes authorization");
    }

    #[test]
    fn names_match_in_any_case_and_lines_are_a_list() {
        let headers = Headers::new([
            (&b"Cache-Control"[..], &b"max-age=60"[..]),
            (b"Metadata-Flavor", b" Google "),
            (b"cache-control", b"public"),
            (b"server", b"caf\xe9"),
        ]);
        assert_eq!(headers.first("metadata-flavor"), Some("Google"));
        assert_eq!(headers.first("cache-control"), Some("max-age=60"));
        assert_eq!(headers.combined("cache-control").as_deref(), Some("max-age=60, public"));
        assert_eq!(headers.first("server"), Some("caf\u{fffd}"));
        assert_eq!((headers.first("age"), headers.combined("age")), (None, None));
    }
}
