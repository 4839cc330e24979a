//! `https://sts.googleapis.com/v1/token`: the token exchange of RFC 8693 for a pool's provider.
//! A provider trusts the issuer that has its name.

use super::answer::{Answer, Facts, Fault, Request, scopes};
use super::aws;
use super::form::{Form, percent_decode};
use super::issued::Grant;
use super::refresh_token::{CLIENT_ID, CLIENT_SECRET};
use super::subject::{self, Provider};
use crate::http1::Authorization;
use crate::keys::{Key, b64_standard};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const SUBJECT_TYPES: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];

/// How the pools are set up, as the control API sets it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// Besides the provider's own name.
    pub allowed_audiences: Vec<String>,
    /// Whom the attribute condition turns away.
    pub rejected_subjects: Vec<String>,
    pub client_required: bool,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            allowed_audiences: vec!["vertex-gateway".to_owned()],
            rejected_subjects: Vec::new(),
            client_required: false,
        }
    }
}

/// The keys that this issuer publishes now.
pub type Keys<'a> = &'a dyn Fn(&str) -> Option<Vec<Arc<Key>>>;

fn invalid(name: &str) -> Fault {
    Fault::new(400, "invalid_request", format!("Invalid value for \"{name}\"."))
}

pub fn judge(
    request: &Request<'_>,
    pool: &Pool,
    keys: Keys<'_>,
    facts: &mut Facts,
) -> Result<Answer, Fault> {
    let form = request.form("/v1/token", facts)?;
    client(&request.head.authorization, pool, facts)?;
    exchange(&form, pool, keys, request.now, facts).map(Answer::Token)
}

/// HTTP Basic, if at all.
fn client(authorization: &Authorization, pool: &Pool, facts: &mut Facts) -> Result<(), Fault> {
    let good = format!("Basic {}", b64_standard(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    match authorization {
        Authorization::None if !pool.client_required => Ok(()),
        Authorization::One(given) if *given == good => {
            facts.insert("client".to_owned(), json!(CLIENT_ID));
            Ok(())
        }
        _ => Err(Fault::new(401, "invalid_client", "The OAuth client was not found.")),
    }
}

fn exchange(
    form: &Form,
    pool: &Pool,
    keys: Keys<'_>,
    now: i64,
    facts: &mut Facts,
) -> Result<Grant, Fault> {
    let told = ["grant_type", "audience", "scope", "requested_token_type", "subject_token_type"];
    for name in told {
        facts.insert(name.to_owned(), json!(form.get(name)));
    }
    if form.get("grant_type") != GRANT_TYPE {
        let text = format!("Invalid grant_type: {}", form.get("grant_type"));
        return Err(Fault::new(400, "unsupported_grant_type", text));
    }
    if form.get("requested_token_type") != ACCESS_TOKEN {
        return Err(invalid("requested_token_type"));
    }
    let is_of_aws = form.get("subject_token_type") == aws::SUBJECT_TYPE;
    if !is_of_aws && !SUBJECT_TYPES.contains(&form.get("subject_token_type")) {
        return Err(invalid("subject_token_type"));
    }
    let scopes = scopes(form.get("scope"));
    if scopes.is_empty() {
        return Err(Fault::new(400, "invalid_scope", "No scope was provided."));
    }
    options(form.get("options"), facts)?;
    let target = "The target service indicated by the \"audience\" parameters is invalid. This \
        might either be because the pool or provider is disabled or deleted or because it doesn't \
        exist.";
    let target = || Fault::new(400, "invalid_target", target);
    let provider = Provider::parse(form.get("audience")).ok_or_else(target)?;
    let token = form.get("subject_token");
    let subject = if is_of_aws {
        aws::verify(token, form.get("audience"), now, facts)?
    } else {
        let keys = keys(provider.name).ok_or_else(target)?;
        subject::verify(token, &provider, pool, &keys, now, facts)?
    };
    if pool.rejected_subjects.contains(&subject) {
        let text = "The given credential is rejected by the attribute condition.";
        return Err(Fault::new(400, "unauthorized_client", text));
    }
    let principal = format!("principal:{}/subject/{subject}", provider.pool);
    Ok(Grant { by: "sts", principal, scopes, lifetime: 3600 })
}

/// JSON whose escapes are for themselves, below those of the form.
fn options(text: &str, facts: &mut Facts) -> Result<(), Fault> {
    if text.is_empty() {
        return Ok(());
    }
    let options: Option<Value> =
        percent_decode(text).and_then(|json| serde_json::from_str(&json).ok());
    match options {
        Some(options) if options.is_object() => {
            facts.insert("options".to_owned(), options);
            Ok(())
        }
        _ => Err(invalid("options")),
    }
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
