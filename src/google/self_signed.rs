//! Self-signed JWTs of a service account (AIP-4111): sent to Google as the bearer itself, without
//! a token endpoint. `aud` or `scope`, never both; `exp` is exactly `iat` + 3600 s.

use std::fmt;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Reason;
use crate::google::Hosts;
use crate::google::key_file::KeyFile;
use crate::jose::{RsaSigner, base64url};
use crate::time::UnixTime;

/// The lifetime that AIP-4111 fixes.
pub(super) const LIFETIME_SECS: i64 = 3600;

/// Dated back a little, so that a clock slightly behind ours accepts it.
const BACKDATED_SECS: i64 = 10;

pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Which claim says what the token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtForm {
    /// `aud`: the API's host; every Google API takes it.
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
    /// Where its key file says that tokens are exchanged.
    pub(super) token_uri: Option<String>,
    /// The universe that its key file says it is of.
    pub(super) universe_domain: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'c str>,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'c str>,
}

/// A bearer and when it was issued.
pub(super) struct Signed {
    pub(super) token: Zeroizing<String>,
    pub(super) issued: UnixTime,
}

impl ServiceAccount {
    /// Reads a key file as the Google Cloud console gives it.
    ///
    /// # Errors
    /// Says what is missing, never what the key is.
    pub fn parse(file: &[u8]) -> Result<Self, String> {
        Self::of(KeyFile::parse(file)?)
    }

    /// The account of a key file.
    pub(super) fn of(file: KeyFile) -> Result<Self, String> {
        if !Self::is_address(&file.client_email) {
            return Err("its `client_email` is not the address of a service account".to_owned());
        }
        let signer = RsaSigner::from_pkcs8_pem(&file.private_key)
            .map_err(|why| format!("private_key: {why}"))?;
        Ok(Self {
            client_email: file.client_email,
            key_id: file.private_key_id,
            signer,
            token_uri: file.token_uri,
            universe_domain: file.universe_domain,
        })
    }

    /// Whether a text may be the address of a service account.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'@');
        text.contains('@') && text.bytes().all(plain)
    }

    /// Checks that these are the hosts of its universe.
    ///
    /// # Errors
    /// Which universe is wanted.
    pub fn check_universe(&self, hosts: Hosts<'_>) -> Result<(), String> {
        hosts.check_universe(self.universe_domain.as_deref())
    }

    /// The id of the key, in what text of its file may be told.
    pub(super) fn key_id(&self) -> &str {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let is_told = self.key_id.len() <= 64 && self.key_id.bytes().all(plain);
        if is_told { &self.key_id } else { "?" }
    }

    /// Whether the public part of the key verifies what it signs.
    pub(super) fn is_whole(&self) -> bool {
        self.signer.is_whole()
    }

    /// Signs a token for one API host.
    pub(super) fn sign(&self, form: JwtForm, host: &str, now: UnixTime) -> Result<Signed, Reason> {
        let issued = now + -BACKDATED_SECS;
        let claims = Claims {
            iss: &self.client_email,
            sub: Some(&self.client_email),
            iat: issued.0,
            exp: (issued + LIFETIME_SECS).0,
            aud: (form == JwtForm::Aud).then(|| format!("https://{host}/")),
            scope: (form == JwtForm::Scope).then_some(SCOPE),
        };
        Ok(Signed { token: self.signed(&claims)?, issued })
    }

    /// Signs an assertion to be exchanged for a token with this scope (RFC 7523 section 3).
    pub(super) fn assertion(
        &self,
        audience: String,
        scope: &str,
        now: UnixTime,
    ) -> Result<Zeroizing<String>, Reason> {
        let issued = now + -BACKDATED_SECS;
        let claims = Claims {
            iss: &self.client_email,
            sub: None,
            iat: issued.0,
            exp: (issued + LIFETIME_SECS).0,
            aud: Some(audience),
            scope: Some(scope),
        };
        self.signed(&claims)
    }

    fn signed(&self, claims: &Claims<'_>) -> Result<Zeroizing<String>, Reason> {
        let header = Header { alg: "RS256", typ: "JWT", kid: &self.key_id };
        let json = |value: serde_json::Result<Vec<u8>>| value.map_err(|_| Reason::Internal);
        let header = base64url(&json(serde_json::to_vec(&header))?);
        let claims = base64url(&json(serde_json::to_vec(claims))?);
        let signed = format!("{header}.{claims}");
        let signature = Zeroizing::new(base64url(&self.signer.sign(signed.as_bytes())?));
        Ok(Zeroizing::new([&signed, ".", &signature].concat()))
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed")
    }
}
