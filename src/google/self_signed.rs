//! Self-signed JWTs of a service account (AIP-4111): sent to Google as the bearer itself, without
//! a token endpoint. `aud` or `scope`, never both; `exp` is exactly `iat` + 3600 s.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Reason;
use crate::google::key_file::KeyFile;
use crate::jose::{RsaSigner, base64url};
use crate::time::UnixTime;

/// The lifetime that AIP-4111 fixes.
pub(super) const LIFETIME_SECS: i64 = 3600;

/// Dated back a little, so that a clock slightly behind ours accepts it.
const BACKDATED_SECS: i64 = 10;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Which claim says what the token is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JwtForm {
    /// `aud`: the API's host. The default; every Google API takes it.
    #[default]
    Aud,
    /// `scope`: cloud-platform.
    Scope,
}

/// A service account's key.
#[derive(Debug)]
pub struct ServiceAccount {
    /// The account.
    pub client_email: String,
    key_id: String,
    signer: RsaSigner,
}

#[derive(Serialize)]
struct Header<'k> {
    alg: &'static str,
    typ: &'static str,
    kid: &'k str,
}

#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    sub: &'c str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
}

/// A bearer and when it was issued.
pub(super) struct Signed {
    pub(super) token: String,
    pub(super) issued: UnixTime,
}

impl ServiceAccount {
    /// Reads a key file as the Google Cloud console gives it.
    ///
    /// # Errors
    /// Says what is missing, never what the key is.
    pub fn parse(file: &[u8]) -> Result<Self, String> {
        let file = KeyFile::parse(file)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'@');
        if file.client_email.is_empty() || !file.client_email.bytes().all(plain) {
            return Err("its `client_email` is not the address of a service account".to_owned());
        }
        let signer = RsaSigner::from_pkcs8_pem(&file.private_key)
            .map_err(|why| format!("private_key: {why}"))?;
        Ok(Self { client_email: file.client_email, key_id: file.private_key_id, signer })
    }

    /// Signs a token for one API host.
    pub(super) fn sign(&self, form: JwtForm, host: &str, now: UnixTime) -> Result<Signed, Reason> {
        let issued = now + -BACKDATED_SECS;
        let header = Header { alg: "RS256", typ: "JWT", kid: &self.key_id };
        let claims = Claims {
            iss: &self.client_email,
            sub: &self.client_email,
            iat: issued.0,
            exp: (issued + LIFETIME_SECS).0,
            aud: (form == JwtForm::Aud).then(|| format!("https://{host}/")),
            scope: (form == JwtForm::Scope).then_some(SCOPE),
        };
        let json = |value: serde_json::Result<Vec<u8>>| value.map_err(|_| Reason::Internal);
        let header = base64url(&json(serde_json::to_vec(&header))?);
        let claims = base64url(&json(serde_json::to_vec(&claims))?);
        let mut token = format!("{header}.{claims}");
        let signature = self.signer.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(Signed { token, issued })
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed")
    }
}
