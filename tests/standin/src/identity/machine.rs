//! The metadata servers of other clouds' machines, which are all at one address: AWS' (IMDS, its second
//! version alone) gives keys of a role, Azure's a token for whoever is named.

use super::answer::{Answer, Facts, Fault, Request};
use super::form::Form;
use crate::clock;
use crate::idp;
use crate::keys::{Alg, Key, b64, random};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub const ACCESS_KEY_ID: &str = "ASIASTANDIN000000000";
/// With what a form, JSON and a header treat each in its way.
pub const SECRET_ACCESS_KEY: &str = "standin/secret+key==";
pub const SESSION_TOKEN: &str = "standin//session+token==";
pub const REGION: &str = "us-east-2";
pub const ROLE: &str = "gateway-role";
/// Of the token that Azure's gives.
pub const AZURE_SUBJECT: &str = "6f1c3b1e-azure-machine";

const TOKEN: &str = "/latest/api/token";
const ZONE: &str = "/latest/meta-data/placement/availability-zone";
const ROLES: &str = "/latest/meta-data/iam/security-credentials";
const AZURE: &str = "/metadata/identity/oauth2/token";
const LIFETIME: i64 = 6 * 3600;

/// The sessions of IMDSv2, each with when it ends.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, i64>>);

impl Sessions {
    fn open(&self, secs: i64, now: i64) -> String {
        let session = b64(random::<24>());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(session.clone(), now.saturating_add(secs));
        session
    }

    fn knows(&self, session: &str, now: i64) -> bool {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(session).is_some_and(|end| *end > now)
    }
}

pub fn judge(
    request: &Request<'_>,
    has_identity: bool,
    sessions: &Sessions,
    signer: impl FnOnce() -> Option<Arc<Key>>,
    facts: &mut Facts,
) -> Result<Answer, Fault> {
    let head = request.head;
    let (path, query) = head.path_and_query();
    // Whoever was forwarded is not on this machine.
    if head.header("x-forwarded-for").is_some() {
        return Err(Fault::new(403, "", "X-Forwarded-For is not allowed."));
    }
    if path == AZURE {
        return azure(request, query, has_identity, signer, facts);
    }
    if path == TOKEN {
        if head.method != "PUT" {
            return Err(Fault::new(405, "", "A session is opened with PUT."));
        }
        let secs = head.header("x-aws-ec2-metadata-token-ttl-seconds");
        let secs = secs.and_then(|secs| secs.parse().ok()).filter(|s| (1..=21_600).contains(s));
        let secs = secs.ok_or_else(|| Fault::new(400, "", "No life of the session."))?;
        return Ok(Answer::Text(sessions.open(secs, request.now)));
    }
    if head.method != "GET" {
        return Err(Fault::new(405, "", "GET is wanted."));
    }
    let session = head.header("x-aws-ec2-metadata-token").unwrap_or_default();
    if !sessions.knows(&session, request.now) {
        return Err(Fault::new(401, "", "Unauthorized"));
    }
    match path.strip_prefix(ROLES) {
        _ if path == ZONE => Ok(Answer::Text(format!("{REGION}b"))),
        Some("" | "/") if has_identity => Ok(Answer::Text(ROLE.to_owned())),
        Some(rest) if has_identity && rest.strip_prefix('/') == Some(ROLE) => {
            let micros =
                u64::try_from(request.now.saturating_add(LIFETIME)).unwrap_or(0) * 1_000_000;
            Ok(Answer::Json(json!({
                "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": ACCESS_KEY_ID,
                "SecretAccessKey": SECRET_ACCESS_KEY, "Token": SESSION_TOKEN,
                "Expiration": clock::rfc3339(micros),
            })))
        }
        _ => Err(Fault::not_found(path)),
    }
}

/// The token is of the issuer `corp`, for the resource that was named.
fn azure(
    request: &Request<'_>,
    query: &str,
    has_identity: bool,
    signer: impl FnOnce() -> Option<Arc<Key>>,
    facts: &mut Facts,
) -> Result<Answer, Fault> {
    let invalid = |text: &str| Fault::new(400, "invalid_request", text);
    if request.head.method != "GET" {
        return Err(Fault::new(405, "", "GET is wanted."));
    }
    let header = request.head.header("metadata").unwrap_or_default();
    if !header.eq_ignore_ascii_case("true") {
        return Err(invalid("Required metadata header not specified"));
    }
    let query = Form::parse(query.as_bytes()).map_err(|e| invalid(&e))?;
    if query.get("api-version") != "2018-02-01" {
        return Err(invalid("Required query variable 'api-version' is missing or unknown"));
    }
    let resource = query.get("resource");
    facts.insert("resource".to_owned(), json!(resource));
    if resource.is_empty() {
        return Err(invalid("Required audience parameter not specified"));
    }
    if !has_identity {
        return Err(invalid("Identity not found"));
    }
    let claims = json!({"iss": idp::issuer_url("corp"), "sub": AZURE_SUBJECT, "aud": resource,
        "iat": request.now, "exp": request.now.saturating_add(LIFETIME)});
    let token = signer().and_then(|key| {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": key.kid});
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = key.sign(Alg::Rs256, message.as_bytes()).ok()?;
        Some(format!("{message}.{}", b64(signature)))
    });
    let token = token.ok_or_else(|| Fault::new(500, "unknown_error", "There is no key."))?;
    Ok(Answer::Json(json!({"access_token": token, "resource": resource, "token_type": "Bearer",
        "expires_in": LIFETIME.to_string()})))
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
