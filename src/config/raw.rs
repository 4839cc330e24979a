//! The shape of the file, as serde reads it. Unknown and duplicate members are errors.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::google::JwtForm;
use crate::oidc::StoredKeys;

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
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: String,
    #[serde(deserialize_with = "object")]
    pub(super) who: Who,
    #[serde(deserialize_with = "object")]
    pub(super) may: May,
    pub(super) r#as: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) anyone: bool,
    pub(super) groups: Option<Vec<String>>,
    pub(super) subjects: Option<Vec<String>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct May {
    pub(super) projects: Vec<String>,
    pub(super) locations: Vec<String>,
    pub(super) models: Vec<String>,
    pub(super) methods: Vec<String>,
}

/// The state file: what `vertex show keys json` prints.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    #[serde(deserialize_with = "objects")]
    pub(super) issuers: Vec<StoredKeys>,
}

/// Reads a JSON object. serde's derived structs would take an array of their members as well.
fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Object::deserialize(deserializer).map(|Object(object)| object)
}

fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(object)| object).collect())
}

pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}
