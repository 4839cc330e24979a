//! The shape of the file, as serde reads it. Unknown and duplicate members are errors.

use std::path::PathBuf;

use serde::Deserialize;

use crate::google::JwtForm;
use crate::oidc::StoredKeys;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) issuers: Vec<Issuer>,
    pub(super) credentials: Vec<Credential>,
    pub(super) roles: Vec<Role>,
    pub(super) state_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) algorithms: Option<Vec<String>>,
    #[serde(default)]
    pub(super) claims: Claims,
    pub(super) jwks_file: Option<PathBuf>,
    pub(super) jwks_uri: Option<String>,
    #[serde(default)]
    pub(super) jwks_hosts: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    pub(super) audience: Option<AudienceClaim>,
    pub(super) groups: Option<String>,
    pub(super) display: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AudienceClaim {
    Aud,
    Azp,
    ClientId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialType {
    ServiceAccount,
    AccessToken,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) r#type: CredentialType,
    pub(super) file: PathBuf,
    pub(super) form: Option<JwtForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) who: Who,
    pub(super) may: May,
    pub(super) r#as: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) anyone: bool,
    pub(super) groups: Option<Vec<String>>,
    pub(super) subjects: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct May {
    pub(super) projects: Vec<String>,
    pub(super) locations: Vec<String>,
    pub(super) models: Vec<String>,
    pub(super) methods: Vec<String>,
}

/// The state file: what `vertex show keys json` prints.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) issuers: Vec<StoredKeys>,
}
