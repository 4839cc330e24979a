//! The shape of the file. Unknown and duplicate members are errors.

mod limits;
mod role;
mod shape;

use std::path::PathBuf;

use crate::oidc::TokenHeader;
pub(super) use limits::{Key, Limit, RoleKey};
#[cfg(feature = "cli")]
pub(super) use role::Yes;
pub(super) use role::{
    Body, Certificate, ClaimTest, DefaultPlace, May, RoleEntry, Schedule, Tier, Who,
};
pub(super) use shape::{Members, OneOrMore, OneOrMoreNames};

/// The configuration of haproxy-vertex.
#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Where this schema is, for editors.
    #[serde(rename = "$schema")]
    pub(super) _schema: Option<String>,
    /// Whose tokens are taken.
    pub(super) issuers: Vec<IssuerEntry>,
    /// Google identities for roles to act as.
    pub(super) credentials: Vec<CredentialEntry>,
    /// Who may do what; the first that matches decides, no match is a refusal.
    pub(super) roles: Vec<RoleEntry>,
    /// The domain of Google's universe, of whose hosts all calls and tokens are: `googleapis.com` without.
    pub(super) universe_domain: Option<String>,
    /// The request headers that are read for tokens; all three by default.
    #[cfg_attr(feature = "cli", schemars(length(min = 1), extend("uniqueItems" = true)))]
    pub(super) token_headers: Option<Vec<TokenHeader>>,
    /// Budgets over the requests of all roles.
    pub(super) limits: Option<OneOrMore<Limit<Key>>>,
    /// Whether commands on HAProxy's stats socket may change something: whoever opens it may run them.
    #[serde(default)]
    pub(super) admin_commands: bool,
    /// Public keys that the former process kept.
    pub(super) state_file: Option<PathBuf>,
}

#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(rename = "Issuer"))]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerEntry {
    /// Stands in roles and log lines.
    pub(super) name: String,
    /// `iss`, compared exactly.
    pub(super) issuer: String,
    /// The audience claim must be or hold one of these.
    pub(super) audiences: Vec<String>,
    /// Which keys are taken; all that are supported by default.
    pub(super) algorithms: Option<Vec<String>>,
    /// Which claims mean what.
    #[serde(default)]
    pub(super) claims: Claims,
    /// A JWK set, instead of fetching one.
    pub(super) jwks_file: Option<PathBuf>,
    /// Where the JWK set is, instead of discovery.
    pub(super) jwks_uri: Option<String>,
    /// Other hosts than the issuer's own that its discovery document may name.
    #[serde(default)]
    pub(super) jwks_hosts: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    /// The claim that names the audience: `aud` by default, without fallback.
    pub(super) audience: Option<AudienceClaim>,
    /// The claim that says who calls: `sub` by default, without fallback.
    pub(super) subject: Option<String>,
    /// The caller's groups, a text or an array of texts, by name or JSON pointer: `groups` by default.
    pub(super) groups: Option<String>,
    /// A name for people, shown in the log only; by name or JSON pointer.
    pub(super) display: Option<String>,
}

#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum AudienceClaim {
    Aud,
    Azp,
    ClientId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum CredentialType {
    ServiceAccount,
    AccessToken,
    ApiKey,
    Metadata,
    ImpersonatedServiceAccount,
    ExternalAccount,
    AuthorizedUser,
    Adc,
    Exchange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum SubjectTokenType {
    Jwt,
    IdToken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    Aud,
    Scope,
    Exchange,
}

#[derive(Clone, Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(rename = "Credential"))]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialEntry {
    /// Stands in roles and log lines.
    pub(super) name: String,
    /// What `file` holds, which says so itself without; `metadata` is the machine's own identity,
    /// `exchange` each caller's, and `adc` what Google's libraries would find here: these have no file.
    pub(super) r#type: Option<CredentialType>,
    /// A file as Google's tools write it: a service account's key, how to impersonate one, how to
    /// exchange another issuer's token, a person's login; or an access token or an API key alone.
    pub(super) file: Option<PathBuf>,
    /// Of the machine's service accounts the one with this address, its default one without; of `exchange`
    /// the one that each caller becomes, and without it the caller stays itself.
    pub(super) account: Option<String>,
    /// Of `exchange`: the full name of the pool's provider.
    pub(super) audience: Option<String>,
    /// Of `exchange`: what the callers' tokens are to Google; `jwt` by default.
    pub(super) subject_token_type: Option<SubjectTokenType>,
    /// Of `exchange`: where Google's Security Token Service is, if not at its usual place.
    pub(super) sts_url: Option<String>,
    /// Of `exchange` with a workforce pool: the project that its callers' use is charged to.
    pub(super) user_project: Option<String>,
    /// Of `exchange`: the most callers whose tokens are kept, 10,000 by default.
    pub(super) max_callers: Option<u32>,
    /// Of `exchange`: the most exchanges that are begun in a second, 50 by default.
    pub(super) exchanges_per_second: Option<u32>,
    /// The OAuth scopes of a token that is fetched; those of the machine without.
    pub(super) scopes: Option<Vec<String>>,
    /// Of a service account's token: self-signed for one API host or for the cloud-platform scope, or
    /// exchanged where its key file says.
    pub(super) form: Option<Form>,
    /// Other hosts than Google's that `file` or `sts_url` may name.
    pub(super) hosts: Option<Vec<String>>,
    /// Whether `lua.vertex-sign` may use it for a request that no role allowed.
    #[serde(default)]
    pub(super) without_role: bool,
    /// `haproxy-vertex check` tells when `file` was written longer ago.
    pub(super) max_age_days: Option<u32>,
}
