//! The metadata server of a virtual machine: its account's tokens, and what it says of itself.

use super::answer::{Answer, Facts, Fault, Request};
use super::behaviour::Endpoint;
use super::form::Form;
use super::issued::{Grant, Tokens};
use crate::account::{PROJECT, PROJECT_NUMBER};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

pub const EMAIL: &str = "instance@standin-project.iam.gserviceaccount.com";
const BASE: &str = "/computeMetadata/v1/";
const ACCOUNTS: &str = "instance/service-accounts/";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// A token with less time left than this, in seconds, is not given out again.
const LEAST: i64 = 225;

/// The account and what is asked of it.
fn account_path(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(BASE)?.strip_prefix(ACCOUNTS)?.split_once('/')
}

pub fn endpoint(path: &str) -> Option<Endpoint> {
    match account_path(path) {
        Some((_, "token")) => Some(Endpoint::Token),
        Some(_) => Some(Endpoint::Account),
        None if path == "/" => Some(Endpoint::Ping),
        None => path.starts_with(BASE).then_some(Endpoint::Project),
    }
}

pub fn judge(
    request: &Request<'_>,
    knows_account: bool,
    facts: &mut Facts,
) -> Result<Answer, Fault> {
    let head = request.head;
    let (path, query) = head.path_and_query();
    let not_found = || Fault::not_found(path);
    if head.method != "GET" {
        return Err(Fault::new(405, "", "The metadata server takes GET only."));
    }
    if path == "/" {
        return Ok(Answer::Text("computeMetadata/\n".to_owned()));
    }
    // Whoever was forwarded is not on this machine.
    if head.header("x-forwarded-for").is_some() {
        return Err(Fault::new(403, "", "X-Forwarded-For is not allowed."));
    }
    if head.header("metadata-flavor").as_deref() != Some("Google") {
        return Err(Fault::new(403, "", "Missing Metadata-Flavor:Google header."));
    }
    let Some((account, what)) = account_path(path) else {
        let value = match path.strip_prefix(BASE).ok_or_else(not_found)? {
            "project/project-id" => PROJECT,
            "project/numeric-project-id" => PROJECT_NUMBER,
            "universe/universe-domain" => "googleapis.com",
            _ => return Err(not_found()),
        };
        return Ok(Answer::Text(value.to_owned()));
    };
    facts.insert("account".to_owned(), json!(account));
    if !knows_account || !["default", EMAIL].contains(&account) {
        return Err(not_found());
    }
    let query = Form::parse(query.as_bytes()).map_err(|e| Fault::new(400, "", e))?;
    match what {
        "token" => {
            let asked = query.get("scopes");
            let asked = if asked.is_empty() { SCOPE } else { asked };
            let scopes: Vec<String> = asked.split(',').map(str::to_owned).collect();
            facts.insert("scopes".to_owned(), json!(scopes));
            let principal = EMAIL.to_owned();
            Ok(Answer::Token(Grant { by: "metadata", principal, scopes, lifetime: 3600 }))
        }
        "email" => Ok(Answer::Text(EMAIL.to_owned())),
        "scopes" => Ok(Answer::Text(format!("{SCOPE}\n"))),
        "" if query.get("recursive").eq_ignore_ascii_case("true") => {
            Ok(Answer::Json(json!({"aliases": ["default"], "email": EMAIL, "scopes": [SCOPE]})))
        }
        _ => Err(not_found()),
    }
}

/// Scopes, lifetime and length.
type Wanted = (Vec<String>, i64, usize);

/// The tokens that are given out again.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<Wanted, String>>);

impl Cache {
    /// The token for this grant, and for how long it is good.
    pub fn token(&self, tokens: &Tokens, grant: Grant, length: usize, now: i64) -> (String, i64) {
        let lifetime = grant.lifetime;
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (grant.scopes.clone(), lifetime, length);
        if let Some(token) = cache.get(&key)
            && let Some(issued) = tokens.find(token)
            && issued.exp.saturating_sub(now) >= LEAST
        {
            return (token.clone(), issued.exp - now);
        }
        let token = tokens.issue(grant, length, now);
        cache.insert(key, token.clone());
        (token, lifetime)
    }
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
