//! What Vertex AI wants of a request to Claude's own API: the model in the path and by its name there,
//! and in its stead in the body the version of Google's interface. Source: docs.claude.com/en/api,
//! "Claude on Vertex AI".

use std::borrow::Cow;
use std::ops::Range;

use crate::vertex::body::member_of_root;
use crate::vertex::{Api, BodyScanner, ModelPlace, Target};

/// The member that a body gets, and its name.
const VERSION: &str = r#""anthropic_version":"vertex-2023-10-16""#;
const VERSION_NAME: &[u8] = b"anthropic_version";

/// Digits of the date at the end of a model's name.
const DATE_DIGITS: usize = 8;

/// A model's name at Google: its date is behind an `@`.
#[must_use]
pub fn vertex_model_name(name: &str) -> Cow<'_, str> {
    let at = name.len().saturating_sub(DATE_DIGITS + 1);
    match name.split_at_checked(at) {
        Some((model, date)) if is_date(date) && !model.is_empty() => {
            format!("{model}@{}", date.trim_start_matches('-')).into()
        }
        _ => name.into(),
    }
}

fn is_date(text: &str) -> bool {
    let date = text.strip_prefix('-').unwrap_or_default();
    date.len() == DATE_DIGITS && date.bytes().all(|byte| byte.is_ascii_digit())
}

/// A change of a body on its way: one stretch of bytes that others take the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyEdit {
    place: Range<u64>,
    text: Cow<'static, str>,
    /// The name of a member that comes with it.
    adds: Option<&'static [u8]>,
}

impl BodyEdit {
    /// Puts the version in the place of the model, which has moved to the path. `bytes` is the body's
    /// beginning; `None` if the model is not in it.
    fn version_for_model(bytes: &[u8]) -> Option<Self> {
        let member = member_of_root(bytes, b"model")?;
        let edit = Self::at(member.name.start..member.value.end, VERSION.into())?;
        Some(Self { adds: Some(VERSION_NAME), ..edit })
    }

    /// Writes the model by this name; `None` if it is written so, or not in `bytes`, the body's
    /// beginning.
    fn model_by_name(bytes: &[u8], name: &str) -> Option<Self> {
        let value = member_of_root(bytes, b"model")?.value;
        let text = format!("\"{name}\"");
        match bytes.get(value.clone())? == text.as_bytes() {
            true => None,
            false => Self::at(value, text.into()),
        }
    }

    fn at(place: Range<usize>, text: Cow<'static, str>) -> Option<Self> {
        let [start, end] = [place.start, place.end].map(u64::try_from);
        Some(Self { place: start.ok()?..end.ok()?, text, adds: None })
    }

    /// The scanner of the body before the change: no name may stand twice after it.
    #[must_use]
    pub fn scanner(&self) -> BodyScanner {
        self.adds.map_or_else(BodyScanner::new, BodyScanner::of_body_without)
    }

    /// The body's length after the change.
    #[must_use]
    pub fn length(&self, before: u64) -> Option<u64> {
        let removed = self.place.end.checked_sub(self.place.start)?;
        before.checked_sub(removed)?.checked_add(u64::try_from(self.text.len()).ok()?)
    }

    /// The bytes that leave in the stead of `piece`, which begins at `offset` of the body; `None` if
    /// it stays as it is.
    #[must_use]
    pub fn apply(&self, offset: u64, piece: &[u8]) -> Option<Vec<u8>> {
        let len = u64::try_from(piece.len()).ok()?;
        let end = offset.saturating_add(len);
        if end <= self.place.start || offset >= self.place.end {
            return None;
        }
        let within = |at: u64| {
            usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX).min(piece.len())
        };
        let (before, after) = (within(self.place.start), within(self.place.end));
        let mut bytes = piece.get(..before)?.to_vec();
        if offset <= self.place.start {
            bytes.extend_from_slice(self.text.as_bytes());
        }
        bytes.extend_from_slice(piece.get(after..)?);
        Some(bytes)
    }
}

impl Target<'_> {
    /// The change that a body needs on its way, of which `bytes` is the beginning.
    #[must_use]
    pub fn edit_of(&self, bytes: &[u8]) -> Option<BodyEdit> {
        match (self.api, self.route.model) {
            (Api::Claude, ModelPlace::Path) => BodyEdit::version_for_model(bytes),
            (Api::Claude, _) => BodyEdit::model_by_name(bytes, self.model?.name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    /// What leaves of a body in pieces of this size.
    fn sent(edit: &BodyEdit, body: &str, size: usize) -> String {
        let mut offset = 0;
        let mut out = Vec::new();
        for piece in body.as_bytes().chunks(size) {
            out.extend(edit.apply(offset, piece).unwrap_or_else(|| piece.to_vec()));
            offset += u64::try_from(piece.len()).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_version_takes_the_place_of_the_model_however_the_body_is_cut() {
        for (body, expected) in [
            (
                r#"{"model":"claude-x","messages":[{"model":1}],"max_tokens":9}"#,
                r#"{"anthropic_version":"vertex-2023-10-16","messages":[{"model":1}],"max_tokens":9}"#,
            ),
            (
                "{ \"messages\" : [ {\"model\": \"a\"} ] ,\n \"model\"\t:  \"c\\u006caude\" }",
                "{ \"messages\" : [ {\"model\": \"a\"} ] ,\n \"anthropic_version\":\"vertex-2023-10-16\" }",
            ),
            (r#"{"mod\u0065l":"x"}"#, r#"{"anthropic_version":"vertex-2023-10-16"}"#),
        ] {
            let edit = BodyEdit::version_for_model(body.as_bytes()).unwrap();
            for size in 1..=body.len() {
                assert_eq!(sent(&edit, body, size), expected, "{size}");
            }
            let length = edit.length(u64::try_from(body.len()).unwrap());
            assert_eq!(length, u64::try_from(expected.len()).ok());
        }
        for none in ["", "{", r#"{"messages":[{"model":"x"}]}"#, r#"{"model":"x"#, r#"{"model":7}"#]
        {
            assert_eq!(BodyEdit::version_for_model(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn a_version_of_the_bodys_own_would_stand_twice() {
        let reads = |body: &str| {
            let edit = BodyEdit::version_for_model(body.as_bytes()).unwrap();
            body.as_bytes().iter().try_for_each({
                let mut scanner = edit.scanner();
                move |byte| scanner.push(&[*byte])
            })
        };
        assert_eq!(reads(r#"{"model":"c","x":{"anthropic_version":"y"}}"#), Ok(()));
        for own in [
            r#"{"model":"c","anthropic_version":"y"}"#,
            r#"{"anthropic\u005fversion":"","model":"c"}"#,
        ] {
            assert_eq!(reads(own), Err(Reason::BodyNotJson), "{own}");
        }
    }

    #[test]
    fn a_date_stands_behind_an_at_sign_in_google_s_names() {
        for (name, expected) in [
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929"),
            ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929"),
            ("claude-opus-4-6", "claude-opus-4-6"),
            ("-20250929", "-20250929"),
            ("claude-2025092", "claude-2025092"),
            ("é20250929", "é20250929"),
            ("", ""),
        ] {
            assert_eq!(vertex_model_name(name), expected);
            let body = format!(r#"{{"messages":[],"model":"{name}"}}"#);
            let edit = BodyEdit::model_by_name(body.as_bytes(), expected);
            assert_eq!(edit.is_some(), name != expected);
            let sent = edit.map_or_else(|| body.clone(), |edit| sent(&edit, &body, 3));
            assert_eq!(sent, format!(r#"{{"messages":[],"model":"{expected}"}}"#));
        }
        let escaped = r#"{"model":"claude\u002dx-20250929"}"#;
        let edit = BodyEdit::model_by_name(escaped.as_bytes(), "claude-x@20250929").unwrap();
        assert_eq!(sent(&edit, escaped, 7), r#"{"model":"claude-x@20250929"}"#);
    }
}
