//! The service account whose self-signed tokens the Google side takes.

use crate::jws::Jws;
use crate::keys::{Alg, Key, hex};
use crate::keystore::Keystore;
use crate::pem;
use ring::digest;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

pub const PROJECT: &str = "standin-project";
pub const PROJECT_NUMBER: &str = "100000000001";
const EMAIL: &str = "vertex-gateway@standin-project.iam.gserviceaccount.com";

type Public = ring::rsa::PublicKeyComponents<Vec<u8>>;

pub struct Account {
    pub email: &'static str,
    /// The first of its keys.
    pub private_key_id: String,
    pub public: Public,
    keys: RwLock<Keys>,
}

#[derive(Default)]
struct Keys {
    added: Vec<(String, Public)>,
    deleted: HashSet<String>,
}

impl Account {
    /// Whether the account has a key of this id.
    pub fn knows(&self, id: &str) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let exists = id == self.private_key_id || keys.added.iter().any(|(added, _)| added == id);
        exists && !keys.deleted.contains(id)
    }

    /// Whether a key of the account has signed this: the one that it names, or any.
    pub fn has_signed(&self, jws: &Jws<'_>, named: Option<&str>) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let first = (&self.private_key_id, &self.public);
        let mut all = std::iter::once(first).chain(keys.added.iter().map(|(id, key)| (id, key)));
        all.any(|(id, key)| {
            named.is_none_or(|named| named == id)
                && !keys.deleted.contains(id)
                && jws.verifies_rsa(key)
        })
    }

    /// Adds a key; the file that holds it.
    pub fn add_key(&self) -> Result<Value, String> {
        let key = Key::generate(Alg::Rs256)?;
        let new = describe(&key)?;
        let file = key_file(&new.private_key_id, &key);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.added.push((new.private_key_id, new.public));
        Ok(file)
    }

    /// These keys exist no more, and all others do again.
    pub fn delete_keys(&self, ids: HashSet<String>) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).deleted = ids;
    }
}

/// Writes `service-account.json` in the shape of a downloaded Google key file.
pub fn prepare(dir: &Path, store: &Keystore) -> Result<Account, String> {
    let key = store.single("service-account", Alg::Rs256)?;
    let account = describe(&key)?;
    let file = key_file(&account.private_key_id, &key);
    let text = serde_json::to_string_pretty(&file).map_err(|e| e.to_string())?;
    pem::write_private(&dir.join("service-account.json"), &text)?;
    Ok(account)
}

fn key_file(private_key_id: &str, key: &Key) -> Value {
    let escaped = EMAIL.replace('@', "%40");
    json!({
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": private_key_id,
        "private_key": pem::private_key(&key.pkcs8),
        "client_email": EMAIL,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url":
            format!("https://www.googleapis.com/robot/v1/metadata/x509/{escaped}"),
        "universe_domain": "googleapis.com",
    })
}

pub fn describe(key: &Key) -> Result<Account, String> {
    // Google's key ids are 40 hexadecimal digits; a digest of the public key stays with the key.
    let id = digest::digest(&digest::SHA256, key.public_bytes());
    Ok(Account {
        email: EMAIL,
        private_key_id: hex(id.as_ref()).chars().take(40).collect(),
        public: key.rsa_public().ok_or("the service account's key is not RSA")?,
        keys: RwLock::default(),
    })
}
