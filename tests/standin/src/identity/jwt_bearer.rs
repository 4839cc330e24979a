//! The grant of RFC 7523: a service account signs what it asks for.

use super::answer::{Facts, Fault, scopes};
use super::form::Form;
use super::issued::Grant;
use crate::account::Account;
use crate::jws::Jws;
use serde_json::{Value, json};

pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// How far ahead of this clock an assertion may have been issued, in seconds.
const SKEW: i64 = 60;

fn refuse(description: &str) -> Fault {
    Fault::new(400, "invalid_grant", description)
}

pub fn judge(form: &Form, account: &Account, now: i64, facts: &mut Facts) -> Result<Grant, Fault> {
    let assertion = form.get("assertion");
    if assertion.is_empty() {
        let missing = "Required parameter is missing: assertion";
        return Err(Fault::new(400, "invalid_request", missing));
    }
    let jws = Jws::parse(assertion).map_err(|_| refuse("Invalid JWT: not a signed token"))?;
    let claims = &jws.claims;
    facts.insert("assertion".to_owned(), json!({"header": jws.header, "claims": claims}));
    if claims["iss"] != account.email {
        return Err(refuse("Invalid grant: account not found"));
    }
    let kid = &jws.header["kid"];
    let known = kid.is_null() || kid.is_string();
    if jws.header["alg"] != "RS256" || !known || !account.has_signed(&jws, kid.as_str()) {
        return Err(refuse("Invalid JWT Signature."));
    }
    if claims["aud"] != AUDIENCE {
        let text = format!("Invalid JWT: Failed audience check. The right audience is {AUDIENCE}");
        return Err(refuse(&text));
    }
    if !timely(claims, now) {
        return Err(refuse(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
             timeframe. Check your iat and exp values in the JWT claim.",
        ));
    }
    if claims.get("sub").is_some_and(|sub| *sub != account.email) {
        return Err(Fault::new(
            401,
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not \
             authorized for any of the scopes requested.",
        ));
    }
    let scopes = scopes(claims["scope"].as_str().unwrap_or(""));
    if scopes.is_empty() {
        let text = "Invalid OAuth scope or ID token audience provided.";
        return Err(Fault::new(400, "invalid_scope", text));
    }
    let principal = account.email.to_owned();
    Ok(Grant { by: "jwt_bearer", principal, scopes, lifetime: 3600 })
}

fn timely(claims: &Value, now: i64) -> bool {
    let (Some(iat), Some(exp)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
        return false;
    };
    iat <= now.saturating_add(SKEW) && exp > now && exp > iat && exp <= iat.saturating_add(3600)
}

#[cfg(test)]
#[path = "jwt_bearer_tests.rs"]
mod tests;
