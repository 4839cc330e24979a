//! The subject token of an exchange: who its provider is, and whether it holds.

use super::answer::{Facts, Fault};
use super::sts::Pool;
use crate::idp;
use crate::jws::Jws;
use crate::keys::Key;
use serde_json::{Value, json};
use std::sync::Arc;

const DAY: i64 = 24 * 3600;
/// How far ahead of this clock a token may have been issued, in seconds.
const SKEW: i64 = 60;

#[derive(Debug, PartialEq, Eq)]
pub struct Provider<'a> {
    /// The whole audience, `//iam.googleapis.com/…/providers/NAME`.
    resource: &'a str,
    /// The same up to the pool.
    pub pool: &'a str,
    pub name: &'a str,
}

impl<'a> Provider<'a> {
    pub fn parse(audience: &'a str) -> Option<Self> {
        let path = audience.strip_prefix("//iam.googleapis.com/")?;
        let parts: Vec<&str> = path.split('/').collect();
        let (name, id) = match parts.as_slice() {
            [
                "projects",
                number,
                "locations",
                "global",
                "workloadIdentityPools",
                id,
                "providers",
                name,
            ] if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => (name, id),
            ["locations", "global", "workforcePools", id, "providers", name] => (name, id),
            _ => return None,
        };
        if id.is_empty() || name.is_empty() {
            return None;
        }
        let (pool, _) = audience.rsplit_once("/providers/")?;
        Some(Self { resource: audience, pool, name })
    }

    fn takes(&self, audience: &str, pool: &Pool) -> bool {
        let own = audience.strip_prefix("https:").unwrap_or(audience) == self.resource;
        own || pool.allowed_audiences.iter().any(|allowed| allowed == audience)
    }
}

fn refuse(description: impl Into<String>) -> Fault {
    Fault::new(400, "invalid_grant", description)
}

/// The subject that the token names.
pub fn verify(
    token: &str,
    provider: &Provider<'_>,
    pool: &Pool,
    keys: &[Arc<Key>],
    now: i64,
    facts: &mut Facts,
) -> Result<String, Fault> {
    let jws = Jws::parse(token).map_err(|_| refuse("Unable to parse the ID Token."))?;
    facts.insert("subject".to_owned(), json!({"header": jws.header, "claims": jws.claims}));
    let claims = &jws.claims;
    if !["RS256", "ES256"].iter().any(|alg| jws.header["alg"] == *alg) {
        return Err(refuse("The ID Token's algorithm is not RS256 or ES256."));
    }
    let key = keys.iter().find(|key| jws.header["kid"] == key.kid.as_str());
    if !key.is_some_and(|key| jws.verifies(key)) {
        return Err(refuse("Error verifying the ID Token's signature."));
    }
    if claims["iss"] != idp::issuer_url(provider.name) {
        let text = "The issuer in ID Token does not match the expected ones.";
        return Err(refuse(format!("{text} Got {}.", claims["iss"])));
    }
    times(claims, now)?;
    let audiences: Vec<&str> = match &claims["aud"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.iter().any(|audience| provider.takes(audience, pool)) {
        let given = audiences.join(", ");
        let text = format!("The audience in ID Token [{given}] does not match the expected one.");
        return Err(refuse(text));
    }
    match claims["sub"].as_str() {
        Some(subject) if !subject.is_empty() => Ok(subject.to_owned()),
        _ => Err(refuse("The ID Token has no subject.")),
    }
}

fn times(claims: &Value, now: i64) -> Result<(), Fault> {
    let (Some(iat), Some(exp)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
        return Err(refuse("The ID Token has no iat or exp."));
    };
    if iat > now.saturating_add(SKEW) {
        return Err(refuse(format!("ID Token issued at {iat} is in the future.")));
    }
    if exp <= now || iat < now.saturating_sub(DAY) {
        return Err(refuse(format!("ID Token issued at {iat} is stale to sign-in.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences() {
        let workload = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p\
            /providers/corp";
        let provider = Provider::parse(workload).unwrap();
        assert_eq!(provider.name, "corp");
        assert!(provider.pool.ends_with("/workloadIdentityPools/p"));
        let workforce = "//iam.googleapis.com/locations/global/workforcePools/p/providers/corp";
        assert_eq!(Provider::parse(workforce).unwrap().name, "corp");
        for bad in [
            &workload[2..],
            &workload.replace("projects/1", "projects/one"),
            &workload.replace("//iam.", "//sts."),
            &workload.replace("/p/", "//"),
            &workload.replace("corp", ""),
            &workload.replace("global", "eu"),
        ] {
            assert_eq!(Provider::parse(bad), None, "{bad}");
        }
        let pool = Pool { allowed_audiences: vec!["gw".to_owned()], ..Pool::default() };
        for good in [workload, &format!("https:{workload}"), "gw"] {
            assert!(provider.takes(good, &pool), "{good}");
        }
        for bad in ["gw2", &workload[2..], &format!("http:{workload}")] {
            assert!(!provider.takes(bad, &pool), "{bad}");
        }
    }
}
