//! The shape of a role.

use serde::de::{Deserialize, Deserializer, Error};

use crate::config::raw::shape::{Claims, OneOrMore, object};
use crate::policy::{Day, Scalar};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Role {
    pub(in crate::config) name: String,
    pub(in crate::config) who: OneOrMore<Who>,
    #[serde(deserialize_with = "object")]
    pub(in crate::config) may: May,
    pub(in crate::config) body: Option<Body>,
    #[serde(default)]
    pub(in crate::config) shares_state_with: Vec<String>,
    pub(in crate::config) r#as: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Body {
    Unread,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Who {
    pub(in crate::config) issuer: String,
    #[serde(default)]
    pub(in crate::config) anyone: bool,
    pub(in crate::config) groups: Option<Vec<String>>,
    pub(in crate::config) subjects: Option<Vec<String>>,
    pub(in crate::config) claims: Option<Claims>,
    pub(in crate::config) networks: Option<Vec<String>>,
    pub(in crate::config) certificate: Option<Certificate>,
    pub(in crate::config) times: Option<Vec<Window>>,
}

/// What is asked of a claim.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum ClaimTest {
    Equals(Scalar),
    AnyOf(Vec<Scalar>),
    Pattern(String),
    AnyWordOf(Vec<String>),
    Absent(Yes),
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Certificate {
    Verified(Yes),
    Subjects(Vec<String>),
    Sha256(Vec<String>),
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Window {
    pub(in crate::config) days: Vec<Day>,
    pub(in crate::config) from: String,
    pub(in crate::config) to: String,
    pub(in crate::config) utc_offset: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct May {
    pub(in crate::config) projects: Vec<String>,
    pub(in crate::config) locations: Vec<String>,
    pub(in crate::config) models: Vec<String>,
    pub(in crate::config) methods: Vec<String>,
    pub(in crate::config) tools: Option<Vec<String>>,
    pub(in crate::config) file_uris: Option<Vec<String>>,
    pub(in crate::config) stored_state: Option<Vec<String>>,
    pub(in crate::config) output_uris: Option<Vec<String>>,
    pub(in crate::config) model_armor_templates: Option<Vec<String>>,
    pub(in crate::config) max_output_tokens: Option<u64>,
    pub(in crate::config) max_request_bytes: Option<u64>,
}

/// `true`, written for the reader.
#[derive(Debug)]
pub(in crate::config) struct Yes;

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            true => Ok(Self),
            false => Err(D::Error::custom("only true can stand here")),
        }
    }
}
