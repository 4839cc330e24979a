use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self as s, UnparsedPublicKey, VerificationAlgorithm};

struct Fixture {
    dir: std::path::PathBuf,
    store: Keystore,
    issuer: Issuer,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("standin-{name}-{}", std::process::id()));
        let store = Keystore::open(&dir).unwrap();
        let issuer = store.issuer("corp").unwrap();
        Self { dir, store, issuer }
    }

    fn mint(&self, order: Value) -> Vec<String> {
        let order: Order = serde_json::from_value(order).unwrap();
        draft(&order, &self.issuer, "https://idp.example/corp", &self.store)
            .unwrap()
            .sign()
            .unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn verifies(token: &str, key: &Key) -> bool {
    verifies_as(token, key, key.alg)
}

fn verifies_as(token: &str, key: &Key, alg: Alg) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let algorithm: &'static dyn VerificationAlgorithm = match alg {
        Alg::Rs256 => &s::RSA_PKCS1_2048_8192_SHA256,
        Alg::Rs384 => &s::RSA_PKCS1_2048_8192_SHA384,
        Alg::Rs512 => &s::RSA_PKCS1_2048_8192_SHA512,
        Alg::Ps256 => &s::RSA_PSS_2048_8192_SHA256,
        Alg::Ps384 => &s::RSA_PSS_2048_8192_SHA384,
        Alg::Ps512 => &s::RSA_PSS_2048_8192_SHA512,
        Alg::Es256 => &s::ECDSA_P256_SHA256_FIXED,
        Alg::Es384 => &s::ECDSA_P384_SHA384_FIXED,
        Alg::EdDsa => &s::ED25519,
    };
    UnparsedPublicKey::new(algorithm, key.public_bytes())
        .verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .is_ok()
}

#[test]
fn every_algorithm_signs_and_merging_works() {
    let f = Fixture::new("mint");
    for alg in Alg::ALL {
        if !Alg::FIRST.contains(&alg) {
            assert!(f.issuer.signer(alg, None).is_err());
            f.issuer.rotate(alg, true).unwrap();
        }
        let key = f.issuer.signer(alg, None).unwrap();
        let good = f.mint(json!({"alg": alg, "claims": {"sub": "bob", "email": null, "x": 1}}));
        assert!(verifies(&good[0], &key));
        assert_eq!(part(&good[0], 0), json!({"alg": alg, "kid": key.kid, "typ": "JWT"}));
        let claims = part(&good[0], 1);
        assert_eq!((&claims["sub"], &claims["x"]), (&json!("bob"), &json!(1)));
        assert!(claims.get("email").is_none());
        assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 3600));
        let bad = f.mint(json!({"alg": alg, "sign_with": "other"}));
        assert_eq!(part(&bad[0], 0)["kid"], json!(key.kid));
        assert!(!verifies(&bad[0], &key));
    }
    let none = f.mint(json!({"sign_with": "none", "header": {"alg": "none", "kid": null}}));
    assert!(none[0].ends_with('.'));
    assert_eq!(part(&none[0], 0), json!({"alg": "none", "typ": "JWT"}));
}

#[test]
fn an_rsa_key_signs_as_another_and_says_so() {
    let f = Fixture::new("as");
    let key = f.issuer.signer(Alg::Rs256, None).unwrap();
    let token = &f.mint(json!({"sign_as": "PS384"}))[0];
    assert_eq!(part(token, 0)["alg"], json!("PS384"));
    assert!(verifies_as(token, &key, Alg::Ps384) && !verifies(token, &key));
    let order: Order = serde_json::from_value(json!({"alg": "ES256", "sign_as": "RS256"})).unwrap();
    let draft = draft(&order, &f.issuer, "https://idp.example/corp", &f.store).unwrap();
    assert!(draft.sign().is_err());
}

#[test]
fn a_series_has_distinct_jti() {
    let f = Fixture::new("series");
    let tokens = f.mint(json!({"alg": "EdDSA", "count": 7, "claims": {"jti": "t"}}));
    let jti: Vec<String> = tokens.iter().map(|t| part(t, 1)["jti"].to_string()).collect();
    assert_eq!(jti, (0..7).map(|n| format!("\"t-{n}\"")).collect::<Vec<_>>());
}

#[test]
fn rotation_and_a_second_start() {
    let f = Fixture::new("rotate");
    let old = f.issuer.signer(Alg::Es256, None).unwrap();
    let new = f.issuer.rotate(Alg::Es256, true).unwrap();
    assert_eq!(f.issuer.published().len(), 4);
    assert_eq!(f.issuer.signer(Alg::Es256, None).unwrap().kid, new.kid);
    assert!(f.issuer.remove(&old.kid).unwrap());
    assert!(!f.issuer.remove("no such").unwrap());
    // A removed key still signs when it is named.
    assert!(verifies(&f.mint(json!({"kid": old.kid}))[0], &old));
    let third = f.issuer.rotate(Alg::Es256, false).unwrap();
    let kids = |i: &Issuer| i.published().iter().map(|k| k.kid.clone()).collect::<Vec<_>>();
    assert_eq!(kids(&f.issuer).len(), 3);
    assert!(kids(&f.issuer).contains(&third.kid));
    assert_eq!(kids(&f.store.issuer("corp").unwrap()), kids(&f.issuer));
}
