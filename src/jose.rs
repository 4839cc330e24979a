//! The part of JOSE that this gateway speaks: compact JWS (RFC 7515), JWK sets (RFC 7517) and
//! RSA, ECDSA and Ed25519 signatures (RFC 7518, RFC 8037), as far as ring has them. All else is
//! refused: `none`, HMAC, JWE, `crit`, keys that a token brings along.

mod alg;
mod algorithms;
mod encoding;
mod fingerprint;
mod jwk;
mod jws;
mod key;
mod signer;
mod weak;

pub use alg::{Algorithm, PublicKey};
pub use algorithms::Algorithms;
pub use encoding::{base64_padded, base64url, digest, from_base64url, hex, hmac, random_hex};
pub use fingerprint::FingerprintKey;
pub use jwk::{JwksError, KeySet};
pub use jws::{Compact, Header, MAX_TOKEN_BYTES};
pub use key::Key;
pub use signer::RsaSigner;
