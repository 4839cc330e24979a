//! The shape of the file, as serde reads it. Unknown and duplicate members are errors.

mod role;
mod shape;

use std::path::PathBuf;

use crate::google::JwtForm;
use crate::oidc::StoredKeys;
pub(super) use role::{Body, Certificate, ClaimTest, May, Role, Who, Window};
pub(super) use shape::{Claims as ClaimTests, Object, OneOrMore};
use shape::{object, objects};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    #[serde(deserialize_with = "objects")]
    pub(super) issuers: Vec<Issuer>,
    #[serde(deserialize_with = "objects")]
    pub(super) credentials: Vec<Credential>,
    #[serde(deserialize_with = "objects")]
    pub(super) roles: Vec<Role>,
    pub(super) state_file: Option<PathBuf>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) algorithms: Option<Vec<String>>,
    #[serde(default, deserialize_with = "object")]
    pub(super) claims: Claims,
    pub(super) jwks_file: Option<PathBuf>,
    pub(super) jwks_uri: Option<String>,
    #[serde(default)]
    pub(super) jwks_hosts: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    pub(super) audience: Option<AudienceClaim>,
    pub(super) groups: Option<String>,
    pub(super) display: Option<String>,
}

#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AudienceClaim {
    Aud,
    Azp,
    ClientId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialType {
    ServiceAccount,
    AccessToken,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) r#type: CredentialType,
    pub(super) file: PathBuf,
    pub(super) form: Option<JwtForm>,
    #[serde(default)]
    pub(super) without_role: bool,
    pub(super) max_age_days: Option<u32>,
}

/// The state file: what `vertex show keys json` prints.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    #[serde(deserialize_with = "objects")]
    pub(super) issuers: Vec<StoredKeys>,
}
