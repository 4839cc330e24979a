//! The service account whose self-signed tokens the Google side takes.

use crate::keys::{Alg, Key, hex};
use crate::keystore::Keystore;
use crate::pem;
use ring::digest;
use serde_json::json;
use std::path::Path;

pub const PROJECT: &str = "standin-project";
pub const PROJECT_NUMBER: &str = "100000000001";
const EMAIL: &str = "vertex-gateway@standin-project.iam.gserviceaccount.com";

pub struct Account {
    pub email: &'static str,
    pub private_key_id: String,
    pub public: ring::rsa::PublicKeyComponents<Vec<u8>>,
}

/// Writes `service-account.json` in the shape of a downloaded Google key file.
pub fn prepare(dir: &Path, store: &Keystore) -> Result<Account, String> {
    let key = store.single("service-account", Alg::Rs256)?;
    let account = describe(&key)?;
    let escaped = EMAIL.replace('@', "%40");
    let file = json!({
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": account.private_key_id,
        "private_key": pem::private_key(&key.pkcs8),
        "client_email": EMAIL,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url":
            format!("https://www.googleapis.com/robot/v1/metadata/x509/{escaped}"),
        "universe_domain": "googleapis.com",
    });
    let text = serde_json::to_string_pretty(&file).map_err(|e| e.to_string())?;
    pem::write_private(&dir.join("service-account.json"), &text)?;
    Ok(account)
}

pub fn describe(key: &Key) -> Result<Account, String> {
    // Google's key ids are 40 hexadecimal digits; a digest of the public key stays with the key.
    let id = digest::digest(&digest::SHA256, key.public_bytes());
    Ok(Account {
        email: EMAIL,
        private_key_id: hex(id.as_ref()).chars().take(40).collect(),
        public: key.rsa_public().ok_or("the service account's key is not RSA")?,
    })
}
