//! The part of JOSE that this gateway speaks: compact JWS (RFC 7515), JWK sets (RFC 7517) and
//! RS256, ES256, EdDSA with Ed25519 (RFC 7518, RFC 8037). All else is refused: `none`, HMAC, JWE,
//! `crit`, keys that a token brings along.

mod alg;
mod encoding;
mod jwk;
mod jws;

pub use alg::{Algorithm, PublicKey, RsaSigner};
pub use encoding::{base64url, digest, hex, random_hex};
pub use jwk::{JwksError, Key, KeySet};
pub use jws::{Compact, Header, MAX_TOKEN_BYTES};
