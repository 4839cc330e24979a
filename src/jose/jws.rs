//! Compact JWS (RFC 7515 section 7.1), taken apart within limits; nothing is trusted yet.

use std::fmt;

use crate::error::Reason;
use crate::jose::Algorithm;
use crate::jose::encoding::from_base64url;
use crate::json::Json;

/// The longest token that is read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A `kid` longer than this names no key.
const MAX_KID_BYTES: usize = 512;

/// The types a token may say it has: plain JWT, RFC 9068 section 2.1, and the one of RFC 7515
/// section 4.1.9 that SPIFFE allows; any other is made for another purpose (RFC 8725 section 3.11).
const TYPES: &[&str] = &["jwt", "application/jwt", "at+jwt", "application/at+jwt", "jose"];

/// Header parameters that name or bring a key, or ask for rules this verifier does not have.
const REFUSED_PARAMETERS: &[&str] = &["crit", "jwk", "jku", "x5u", "x5c", "b64", "enc", "zip"];

/// The protected header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`; compared with the key's, it never chooses.
    pub alg: Algorithm,
    /// `kid`.
    pub kid: Option<String>,
}

/// A token's parts, not verified.
pub struct Compact<'t> {
    /// The protected header.
    pub header: Header,
    /// The claims, not to be believed before `verify` passed.
    pub payload: Json,
    signing_input: &'t str,
    signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Splits and decodes a token.
    ///
    /// # Errors
    /// `token_too_long`, `token_malformed`, `alg_not_allowed`.
    pub fn parse(token: &'t str) -> Result<Self, Reason> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TokenTooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Reason::TokenMalformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Reason::TokenMalformed)?;
        if payload.contains('.') {
            return Err(Reason::TokenMalformed);
        }
        let header = Header::from_json(&object(header)?)?;
        Ok(Self {
            header,
            payload: object(payload)?,
            signing_input,
            signature: from_base64url(signature).ok_or(Reason::TokenMalformed)?,
        })
    }

    /// What the signature covers.
    #[must_use]
    pub fn signing_input(&self) -> &'t str {
        self.signing_input
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// Without the token.
impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compact {{ {:?} }}", self.header)
    }
}

impl Header {
    fn from_json(json: &Json) -> Result<Self, Reason> {
        if REFUSED_PARAMETERS.iter().any(|name| json.get(name).is_some()) {
            return Err(Reason::TokenMalformed);
        }
        if let Some(typ) = json.get("typ") {
            let typ = typ.as_str().ok_or(Reason::TokenMalformed)?.to_ascii_lowercase();
            if !TYPES.contains(&typ.as_str()) {
                return Err(Reason::TokenMalformed);
            }
        }
        let alg = json.get("alg").and_then(Json::as_str).ok_or(Reason::TokenMalformed)?;
        let kid = match json.get("kid") {
            None => None,
            Some(Json::String(kid)) if kid.len() <= MAX_KID_BYTES => Some(kid.clone()),
            Some(_) => return Err(Reason::TokenMalformed),
        };
        Ok(Self { alg: Algorithm::from_name(alg).ok_or(Reason::AlgNotAllowed)?, kid })
    }
}

fn object(part: &str) -> Result<Json, Reason> {
    let bytes = from_base64url(part).ok_or(Reason::TokenMalformed)?;
    match Json::parse(&bytes) {
        Ok(json @ Json::Object(_)) => Ok(json),
        _ => Err(Reason::TokenMalformed),
    }
}
