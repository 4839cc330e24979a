//! The shape of a role.

use serde::de::{Deserialize, Deserializer, Error};

use crate::config::raw::limits::{Limit, RoleKey};
use crate::config::raw::shape::{Members, OneOrMore};
#[cfg(feature = "cli")]
use crate::limits::MAX_AMOUNT;
use crate::policy::{Day, Scalar};

#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(rename = "Role"))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RoleEntry {
    /// Stands in log lines.
    pub(in crate::config) name: String,
    /// Whom it is for: all that an object says must hold, and of several objects one.
    pub(in crate::config) who: OneOrMore<Who>,
    /// What it allows: every list must match, every term must hold.
    pub(in crate::config) may: May,
    /// Where requests are served whose path names no project and no location.
    pub(in crate::config) default: Option<DefaultPlace>,
    /// `unread`: bodies are not looked into, and may ask for anything.
    pub(in crate::config) body: Option<Body>,
    /// Roles with which it shares what Google stores for a project.
    #[serde(default)]
    pub(in crate::config) shares_state_with: Vec<String>,
    /// The credential that it acts as.
    pub(in crate::config) r#as: String,
    /// Budgets over this role's requests.
    pub(in crate::config) limits: Option<OneOrMore<Limit<RoleKey>>>,
    /// Output tokens to reserve for a request whose own limit on them is not read; 1024 by default.
    #[cfg_attr(feature = "cli", schemars(range(min = 1, max = MAX_AMOUNT)))]
    pub(in crate::config) reserve_tokens: Option<u64>,
    /// Labels for Google's billing export, sent as `X-Vertex-AI-Labels`.
    #[cfg_attr(
        feature = "cli",
        schemars(with = "Option<std::collections::BTreeMap<String, String>>")
    )]
    pub(in crate::config) labels: Option<Members<String>>,
    /// A label of this name says who calls.
    pub(in crate::config) principal_label: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct DefaultPlace {
    /// A Google project's id or number, one of `may.projects`.
    pub(in crate::config) project: String,
    /// A location, one of `may.locations`.
    pub(in crate::config) location: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Body {
    Unread,
}

#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Who {
    /// The name of the issuer whose callers these are.
    pub(in crate::config) issuer: String,
    /// Every caller of the issuer, instead of groups, subjects and claims.
    #[serde(default)]
    pub(in crate::config) anyone: bool,
    /// One of them is among the caller's groups.
    pub(in crate::config) groups: Option<Vec<String>>,
    /// `sub` is one of them.
    pub(in crate::config) subjects: Option<Vec<String>>,
    /// Claims by name or JSON pointer, each with what must be true of it.
    #[cfg_attr(
        feature = "cli",
        schemars(with = "Option<std::collections::BTreeMap<String, ClaimTest>>")
    )]
    pub(in crate::config) claims: Option<Members<ClaimTest>>,
    /// Ranges of addresses; the connection's is in one.
    pub(in crate::config) networks: Option<Vec<String>>,
    /// The client certificate that HAProxy verified.
    pub(in crate::config) certificate: Option<Certificate>,
    /// It is within one of these times of the week.
    pub(in crate::config) times: Option<Vec<Schedule>>,
}

/// What is asked of a claim.
#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum ClaimTest {
    /// It is or holds this.
    Equals(Scalar),
    /// It is or holds one of these.
    AnyOf(Vec<Scalar>),
    /// It is or holds a text that matches.
    Pattern(String),
    /// It is a text with one of these among its words.
    AnyWordOf(Vec<String>),
    /// It is not in the token.
    Absent(Yes),
}

#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Certificate {
    /// Any that HAProxy verified.
    Verified(Yes),
    /// Distinguished names (RFC 2253), compared exactly.
    Subjects(Vec<String>),
    /// Fingerprints.
    Sha256(Vec<String>),
}

#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Schedule {
    /// The days on which it begins.
    pub(in crate::config) days: Vec<Day>,
    /// The first minute, `HH:MM`.
    pub(in crate::config) from: String,
    /// The first minute that is no longer within, `HH:MM`; before `from` it is on the next day.
    pub(in crate::config) to: String,
    /// Local time's offset from UTC, like `+01:00`.
    pub(in crate::config) utc_offset: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct May {
    /// Patterns of Google project ids or numbers.
    pub(in crate::config) projects: Vec<String>,
    /// Locations, or `*` alone.
    pub(in crate::config) locations: Vec<String>,
    /// Patterns of `publisher/model`.
    pub(in crate::config) models: Vec<String>,
    /// Patterns of methods, as `haproxy-vertex routes` lists them.
    pub(in crate::config) methods: Vec<String>,
    /// Patterns of tools other than the caller's own functions.
    pub(in crate::config) tools: Option<Vec<String>>,
    /// What Google may be told to read: objects, folders with `/` at the end, or `*`.
    pub(in crate::config) file_uris: Option<Vec<String>>,
    /// Patterns of stored state that bodies may name.
    pub(in crate::config) stored_state: Option<Vec<String>>,
    /// Patterns of secrets' versions that Google may be told to use.
    pub(in crate::config) secrets: Option<Vec<String>>,
    /// Where Google may be told to write.
    pub(in crate::config) output_uris: Option<Vec<String>>,
    /// Patterns of Model Armor templates in place of the project's own.
    pub(in crate::config) model_armor_templates: Option<Vec<String>>,
    /// The tiers of capacity and price that headers may ask for, or `*` alone.
    pub(in crate::config) tiers: Option<Vec<Tier>>,
    /// A body must set a limit on output tokens, and not a higher one.
    pub(in crate::config) max_output_tokens: Option<u64>,
    /// The longest body, in bytes.
    pub(in crate::config) max_request_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Tier {
    Dedicated,
    Shared,
    Priority,
    Flex,
    #[serde(rename = "*")]
    All,
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
