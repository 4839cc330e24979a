//! A minimal good configuration and its files, in memory.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use haproxy_vertex::config::Config;
use haproxy_vertex::error::{ConfigError, ConfigErrors};
use haproxy_vertex::haproxy::{File, Haproxy, Section, System};
use serde_json::{Value, json};

use super::keys::{self, SigningKey, jwks};

/// Files by name, and variables of the environment; the configuration is `conf/vertex.json`.
#[derive(Clone)]
pub struct Files(pub HashMap<String, Vec<u8>>, HashMap<String, String>);

impl Files {
    /// The files of [`minimal`], with this key in the key set.
    pub fn new(key: &SigningKey) -> Self {
        let mut files = Self(HashMap::new(), HashMap::new());
        files.put("keys.json", jwks(&[key.jwk("k1")]));
        files.put("ml-prod.json", keys::KEY_FILE);
        files.put("token.txt", "a-google-access-token\n");
        files
    }

    pub fn put(&mut self, name: &str, text: impl Into<Vec<u8>>) {
        self.0.insert(format!("conf/{name}"), text.into());
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.1.insert(name.to_owned(), value.to_owned());
    }

    /// Loads this text as the configuration.
    pub fn load(&self, text: &str) -> Result<Config, ConfigErrors> {
        let mut files = self.clone();
        files.put("vertex.json", text);
        let read = |path: &Path| {
            let name = path.to_str().unwrap();
            let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
            files.0.get(name).cloned().ok_or_else(missing)
        };
        Config::load("conf/vertex.json", &read, &|name| files.1.get(name).cloned())
    }
}

/// The smallest configuration that shows each noun.
pub fn minimal() -> Value {
    json!({
        "issuers": [{
            "name": "corp", "issuer": "https://idp.example", "audiences": ["vertex-gateway"],
            "claims": { "groups": "groups", "display": "email" }, "jwks_file": "keys.json"
        }],
        "credentials": [{ "name": "ml-prod", "type": "service_account", "file": "ml-prod.json" }],
        "roles": [{
            "name": "ml-team", "who": { "issuer": "corp", "groups": ["ml"] },
            "may": {
                "projects": ["acme-ml"], "locations": ["us-central1", "global"],
                "models": ["google/gemini-2.5-*"], "methods": ["generateContent", "countTokens"]
            },
            "as": "ml-prod"
        }]
    })
}

/// An HAProxy with these backends and the buffers of the packaged rule set.
pub fn haproxy(backends: &[&str]) -> Haproxy {
    let backends = backends.iter().map(|name| (*name).to_owned()).collect();
    Haproxy {
        backends,
        bufsize: 65_536,
        maxrewrite: 16_384,
        fetch_max: 22_000,
        ..Haproxy::default()
    }
}

/// The one error that there is.
pub fn only(errors: ConfigErrors) -> ConfigError {
    let mut errors = errors.into_iter();
    let (Some(error), None) = (errors.next(), errors.next()) else {
        panic!("more than one error");
    };
    error
}

/// The sections of a file of HAProxy's.
pub fn sections(text: &str) -> Vec<Section> {
    let files = [File { name: "haproxy.cfg".to_owned(), text: text.to_owned() }];
    let system = System {
        environment: &|_| None,
        version: None,
        users: HashMap::new(),
        real_path: &str::to_owned,
    };
    Haproxy::read(&files, &system).sections
}
