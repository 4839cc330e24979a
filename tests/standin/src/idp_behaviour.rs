//! How the identity provider misbehaves, for all issuers or for one.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Normal,
    /// Accept, then close at once (for one issuer only: after its request was read).
    Refuse,
    Hang,
    Status,
    /// One byte a second, for ever.
    Drip,
    /// A body without end, as fast as it is taken.
    Endless,
    NotJson,
    HttpJwksUri,
    ForeignJwksUri,
    WrongIssuer,
    Redirect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Discovery,
    Jwks,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    pub mode: Mode,
    pub status: u16,
    pub delay_ms: u64,
    pub max_age: u64,
    /// How long a key set is at the least.
    pub jwks_bytes: usize,
    /// How many bytes of headers nobody needs come with an answer.
    pub header_bytes: usize,
    /// Whether an answer does not say how long it is.
    pub chunked: bool,
    /// Only for this issuer.
    pub issuer: Option<String>,
    /// Only for this document; the other one is served normally.
    pub endpoint: Option<Endpoint>,
    /// Where `redirect` leads; absent: to the plain-http port of this stand-in.
    pub location: Option<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            mode: Mode::Normal,
            status: 503,
            delay_ms: 0,
            max_age: 300,
            jwks_bytes: 0,
            header_bytes: 0,
            chunked: false,
            issuer: None,
            endpoint: None,
            location: None,
        }
    }
}

#[derive(Default)]
struct Set {
    all: Behaviour,
    by_issuer: HashMap<String, Behaviour>,
}

#[derive(Default)]
pub struct Behaviours(Mutex<Set>);

impl Behaviours {
    /// A behaviour for all replaces those for single issuers too.
    pub fn set(&self, behaviour: Behaviour) {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match behaviour.issuer.clone() {
            Some(issuer) => {
                set.by_issuer.insert(issuer, behaviour);
            }
            None => *set = Set { all: behaviour, by_issuer: HashMap::new() },
        }
    }

    pub fn for_issuer(&self, issuer: &str, endpoint: Option<Endpoint>) -> Behaviour {
        let set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = set.by_issuer.get(issuer).unwrap_or(&set.all).clone();
        if found.endpoint.is_some() && found.endpoint != endpoint {
            found.mode = Mode::Normal;
            found.delay_ms = 0;
        }
        found
    }

    /// Whether connections are to be closed before anything was read.
    pub fn refuses_connections(&self) -> bool {
        let set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        set.all.mode == Mode::Refuse && set.all.endpoint.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_issuer_or_document_alone() {
        let behaviours = Behaviours::default();
        let set = |json| behaviours.set(serde_json::from_str(json).unwrap());
        let mode = |issuer, endpoint| behaviours.for_issuer(issuer, endpoint).mode;
        set(r#"{"mode":"hang","issuer":"corp"}"#);
        assert_eq!(mode("corp", Some(Endpoint::Jwks)), Mode::Hang);
        assert_eq!(mode("partner", None), Mode::Normal);
        set(r#"{"mode":"refuse","endpoint":"jwks"}"#);
        assert_eq!(mode("corp", Some(Endpoint::Jwks)), Mode::Refuse);
        assert_eq!(mode("corp", Some(Endpoint::Discovery)), Mode::Normal);
        assert!(!behaviours.refuses_connections());
        set(r#"{"mode":"refuse"}"#);
        assert!(behaviours.refuses_connections());
    }
}
