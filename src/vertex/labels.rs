//! Labels for Google's billing export: the header `X-Vertex-AI-Labels`, base64 of a JSON object
//! (Google Cloud, "Custom metadata labels": at most 32, of lower-case letters, digits, `_` and `-`,
//! up to 63 bytes each).

use std::fmt::Write as _;

use crate::jose;

/// Most labels of one request.
pub const MAX_LABELS: usize = 32;

/// Most bytes of a name or a value.
const MAX_BYTES: usize = 63;

/// Bytes of a value that was cut, before its digest.
const CUT_BYTES: usize = 54;

/// The value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelValue {
    /// A constant.
    Text(String),
    /// The caller: issuer's name and subject, in the alphabet of labels.
    Principal,
}

/// The labels of a role's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, LabelValue)>);

impl Labels {
    /// Labels by name.
    #[must_use]
    pub const fn new(labels: Vec<(String, LabelValue)>) -> Self {
        Self(labels)
    }

    /// The value of the header for a request of `principal`; `None` without labels.
    #[must_use]
    pub fn header(&self, principal: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut json = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            // Neither alphabet holds what JSON would escape.
            let _ = match value {
                LabelValue::Text(text) => write!(json, r#"{separator}"{name}":"{text}""#),
                LabelValue::Principal => {
                    write!(json, r#"{separator}"{name}":"{}""#, label_of(principal))
                }
            };
        }
        json.push('}');
        Some(jose::base64_padded(json.as_bytes()))
    }
}

/// Whether this is a valid name of a label.
#[must_use]
pub fn is_label_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase()) && is_label_value(name)
}

/// Whether this is a valid value of a label.
#[must_use]
pub fn is_label_value(value: &str) -> bool {
    value.len() <= MAX_BYTES && value.bytes().all(is_plain)
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
}

/// Converts a text to the alphabet of values. If it changes, it ends in a digest of the original,
/// so that two callers stay two.
fn label_of(text: &str) -> String {
    if is_label_value(text) {
        return text.to_owned();
    }
    let plain = |byte: u8| match byte.to_ascii_lowercase() {
        byte if is_plain(byte) => char::from(byte),
        _ => '_',
    };
    let digest = jose::hex(&jose::digest(text.as_bytes()));
    let mut label: String = text.bytes().take(CUT_BYTES).map(plain).collect();
    let _ = write!(label, "-{}", digest.get(..8).unwrap_or_default());
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_base64_of_json() {
        let labels = Labels::new(vec![
            ("team".to_owned(), LabelValue::Text("research".to_owned())),
            ("caller".to_owned(), LabelValue::Principal),
        ]);
        let header = labels.header("corp:alice").unwrap_or_default();
        let json = r#"{"team":"research","caller":"corp_alice-"#;
        assert_eq!(header.get(..48), jose::base64_padded(json.as_bytes()).get(..48));
        assert_eq!(Labels::default().header("corp:alice"), None);
    }

    #[test]
    fn callers_that_differ_have_labels_that_differ_and_fit() {
        let labels: Vec<String> =
            ["corp:a.b", "corp:a_b", "corp:A.b", &"x".repeat(300), &("x".repeat(299) + "y")]
                .map(label_of)
                .into();
        for (index, label) in labels.iter().enumerate() {
            assert!(is_label_value(label), "{label}");
            assert!(!labels.iter().skip(index + 1).any(|other| other == label), "{label}");
        }
        assert_eq!(label_of("corp-alice"), "corp-alice");
        assert!(!is_label_name("1a") && !is_label_name("") && is_label_name("a1"));
    }
}
