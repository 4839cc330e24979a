//! Tests of a claim of any type. A claim that is an array passes if one of its elements does;
//! values are compared with their types, `"1"` is not `1`.

use crate::json::Json;
use crate::policy::Pattern;

/// A claim's path, and the test of its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The claim's path.
    pub path: ClaimPath,
    /// The test.
    pub test: ClaimTest,
}

/// The path of a claim: the name of a top-level one or, with a `/` in front, a JSON pointer (RFC
/// 6901) into objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    names: Vec<String>,
}

/// A test of a claim's value.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimTest {
    /// Is or holds this.
    Equals(Scalar),
    /// Is or holds one of these.
    AnyOf(Vec<Scalar>),
    /// Is or holds a text that matches.
    Pattern(Pattern),
    /// Is a text with one of these among its words (`scope` of RFC 8693 section 4.2).
    AnyWordOf(Vec<String>),
    /// Is not in the token.
    Absent,
}

/// A value that claims are compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
}

impl Claim {
    /// Whether these claims pass the test.
    #[must_use]
    pub fn holds(&self, claims: &Json) -> bool {
        match (self.path.find(claims), &self.test) {
            (found, ClaimTest::Absent) => found.is_none(),
            (None, _) => false,
            (Some(Json::Array(elements)), test) => elements.iter().any(|json| test.holds(json)),
            (Some(json), test) => test.holds(json),
        }
    }
}

impl ClaimTest {
    fn holds(&self, json: &Json) -> bool {
        match self {
            Self::Equals(value) => value.is(json),
            Self::AnyOf(values) => values.iter().any(|value| value.is(json)),
            Self::Pattern(pattern) => json.as_str().is_some_and(|text| pattern.matches(text)),
            Self::AnyWordOf(words) => json.as_str().is_some_and(|text| {
                text.split(' ').any(|word| words.iter().any(|wanted| wanted == word))
            }),
            Self::Absent => false,
        }
    }
}

impl Scalar {
    fn is(&self, json: &Json) -> bool {
        match (self, json) {
            (Self::Text(own), Json::String(text)) => own == text,
            (Self::Integer(own), Json::Number(number)) => number.as_i64() == Some(*own),
            (Self::Bool(own), Json::Bool(bool)) => own == bool,
            _ => false,
        }
    }
}

impl ClaimPath {
    /// Reads a claim's name or a JSON pointer.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = match text.strip_prefix('/') {
            None if text.is_empty() => return Err("empty: a claim's name is wanted".to_owned()),
            None if is_json_path(text) => {
                return Err(format!(
                    "{text} is no claim's name: a JSON pointer is wanted, as in \
                     /realm_access/roles, and of a list each element counts"
                ));
            }
            None if has_dots_for_slashes(text) => {
                let pointer = text.replace('.', "/");
                return Err(format!(
                    "a dot does not lead into an object: the JSON pointer /{pointer} is wanted, or \
                     /{text} for a claim that is called so itself"
                ));
            }
            None => vec![text.to_owned()],
            Some(rest) => rest.split('/').map(unescaped).collect::<Option<_>>().ok_or(
                "in a JSON pointer `~` is written `~0` and a `/` within a name `~1` (RFC 6901)",
            )?,
        };
        Ok(Self { text: text.to_owned(), names })
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn find<'j>(&self, claims: &'j Json) -> Option<&'j Json> {
        self.names.iter().try_fold(claims, |json, name| json.get(name))
    }
}

/// Whether a name looks like JSONPath (RFC 9535): `$.a.b`, `a.b[0]`, `a[*]`.
fn is_json_path(text: &str) -> bool {
    text.starts_with("$.") || text.starts_with("$[") || (text.contains('[') && text.ends_with(']'))
}

/// Whether a name looks like a dotted path of other tools (`realm_access.roles`). A URL is an
/// ordinary name.
fn has_dots_for_slashes(text: &str) -> bool {
    let is_identifier = |part: &str| {
        let sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        !part.is_empty() && part.bytes().all(sign)
    };
    text.contains('.')
        && text.split('.').all(is_identifier)
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn unescaped(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (sign, rest) = match piece.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', piece.strip_prefix('1')?),
        };
        name.push(sign);
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_goes_into_objects_and_a_name_is_taken_as_it_is() {
        let claims =
            Json::parse(br#"{"a":{"b/c":{"~d":"x"}},"/a":"y","https://acme.example/roles":["z"]}"#)
                .expect("claims");
        let holds = |path: &str, value: &str| {
            let path = ClaimPath::parse(path).expect("a path");
            Claim { path, test: ClaimTest::Equals(Scalar::Text(value.to_owned())) }.holds(&claims)
        };
        assert!(holds("/a/b~1c/~0d", "x"));
        assert!(holds("https://acme.example/roles", "z"));
        assert!(!holds("/a", "y"));
        assert!(holds("/~1a", "y"));
        assert!(!holds("/a/b", "x"));
        for wrong in ["", "/a~", "/a~2b"] {
            assert!(ClaimPath::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_with_dots_is_told_from_a_way_into_objects() {
        for (wrong, pointer) in [
            ("realm_access.roles", "/realm_access/roles"),
            ("resource_access.my-app.roles", "/resource_access/my-app/roles"),
            ("kubernetes.io", "/kubernetes.io"),
            ("a.0", "/a/0"),
        ] {
            let why = ClaimPath::parse(wrong).unwrap_err();
            assert!(why.contains(pointer), "{why}");
        }
        for json_path in ["$.realm_access.roles", "$['a']", "realm_access.roles[0]", "roles[*]"] {
            let why = ClaimPath::parse(json_path).unwrap_err();
            assert!(why.contains("a JSON pointer is wanted"), "{why}");
        }
        for name in [
            "/realm_access/roles",
            "/kubernetes.io",
            "https://acme.example/roles",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
            "kubernetes.io/serviceaccount/namespace",
            "cognito:groups",
            "acme.example:role",
            "urn:acme.roles",
            "1.2.840.113556",
            "groups",
            ".a",
            "a.",
        ] {
            assert!(ClaimPath::parse(name).is_ok(), "{name}");
        }
    }
}
