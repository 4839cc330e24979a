//! `https://iamcredentials.googleapis.com`: an access token of an account that the bearer may act
//! as.

use super::answer::{Answer, Facts, Fault, Request};
use super::form::percent_decode;
use super::issued::Grant;
use crate::bearer::Checked;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/v1/projects/-/serviceAccounts/";
const VERB: &str = ":generateAccessToken";
const MAX_LIFETIME: i64 = 3600;

/// Who may act as whom, as the control API sets it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Accounts that nobody may act as.
    pub denied: Vec<String>,
    /// The chain that has to be named, as emails; absent: any.
    pub delegates: Option<Vec<String>>,
}

fn invalid(description: impl Into<String>) -> Fault {
    Fault::new(400, "", description)
}

pub fn judge(
    request: &Request<'_>,
    bearer: &Checked,
    policy: &Policy,
    facts: &mut Facts,
) -> Result<Answer, Fault> {
    let target = request.head.target();
    let account = target
        .strip_prefix(ACCOUNTS)
        .and_then(|rest| rest.strip_suffix(VERB))
        .and_then(percent_decode)
        .filter(|account| is_account(account) && request.head.method == "POST")
        .ok_or_else(|| Fault::not_found(target))?;
    facts.insert("account".to_owned(), json!(account));
    facts.insert("caller".to_owned(), json!(bearer.principal()));
    if bearer.lacks_scope() {
        let text = "Request had insufficient authentication scopes.";
        return Err(Fault::new(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", text));
    }
    if !bearer.valid {
        return Err(Fault::new(
            401,
            "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
             cookie or other valid authentication credential.",
        ));
    }
    request.wants_type("application/json")?;
    generate(account, request.body, policy, facts).map(Answer::Token)
}

fn is_account(email: &str) -> bool {
    !email.contains('/') && email.ends_with(".gserviceaccount.com") && email.contains('@')
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    delegates: Option<Vec<String>>,
    #[serde(default)]
    scope: Vec<String>,
    lifetime: Option<String>,
}

fn generate(
    account: String,
    body: &[u8],
    policy: &Policy,
    facts: &mut Facts,
) -> Result<Grant, Fault> {
    let order: Order = serde_json::from_slice(body)
        .map_err(|e| invalid(format!("Invalid JSON payload received. {e}")))?;
    let delegates = order.delegates.unwrap_or_default();
    for (name, value) in [
        ("delegates", json!(delegates)),
        ("scope", json!(order.scope)),
        ("lifetime", order.lifetime.as_ref().map_or(Value::Null, |text| json!(text))),
    ] {
        facts.insert(name.to_owned(), value);
    }
    let mut chain = Vec::new();
    for delegate in &delegates {
        let email = delegate.strip_prefix("projects/-/serviceAccounts/").filter(|e| is_account(e));
        let email = email.ok_or_else(|| invalid(format!("Invalid delegate {delegate}.")))?;
        chain.push(email.to_owned());
    }
    if order.scope.iter().all(String::is_empty) {
        return Err(invalid("Scope required."));
    }
    let lifetime = match &order.lifetime {
        Some(text) => seconds(text)?,
        None => MAX_LIFETIME,
    };
    let strange_chain = policy.delegates.as_ref().is_some_and(|wanted| *wanted != chain);
    if strange_chain || policy.denied.contains(&account) {
        let text = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may \
            not exist).";
        return Err(Fault::new(403, "IAM_PERMISSION_DENIED", text));
    }
    Ok(Grant { by: "iamcredentials", principal: account, scopes: order.scope, lifetime })
}

/// A google.protobuf.Duration of whole seconds.
fn seconds(text: &str) -> Result<i64, Fault> {
    let number = text.strip_suffix('s').filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let number = number.and_then(|n| n.parse::<i64>().ok()).filter(|n| *n > 0);
    let number = number.ok_or_else(|| invalid(format!("Invalid value at 'lifetime': {text}")))?;
    if number > MAX_LIFETIME {
        return Err(invalid("The access token lifetime cannot exceed 3600 seconds."));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(body: &str, policy: &str) -> (Result<Grant, Fault>, Facts) {
        let mut facts = Facts::new();
        let policy = serde_json::from_str(policy).unwrap();
        let account = "t@p.iam.gserviceaccount.com".to_owned();
        (generate(account, body.as_bytes(), &policy, &mut facts), facts)
    }

    #[test]
    fn lifetimes() {
        for (text, wanted) in [("1s", Some(1)), ("3600s", Some(3600))] {
            let body = format!(r#"{{"scope":["a"],"lifetime":"{text}"}}"#);
            assert_eq!(judged(&body, "{}").0.ok().map(|grant| grant.lifetime), wanted);
        }
        for text in ["3601s", "0s", "3600", "s", "+1s", "1.5s", "1h"] {
            let body = format!(r#"{{"scope":["a"],"lifetime":"{text}"}}"#);
            assert_eq!(judged(&body, "{}").0.unwrap_err().status, 400, "{text}");
        }
        assert_eq!(judged(r#"{"scope":["a"]}"#, "{}").0.unwrap().lifetime, 3600);
    }

    #[test]
    fn bodies() {
        let (grant, facts) = judged(r#"{"delegates":null,"scope":["a","b"]}"#, "{}");
        assert_eq!(grant.unwrap().scopes, ["a", "b"]);
        assert_eq!((&facts["delegates"], &facts["lifetime"]), (&json!([]), &Value::Null));
        for bad in [r#"{"scope":[]}"#, "{}", "", r#"{"scope":"a"}"#, r#"{"scope":["a"],"x":1}"#] {
            assert_eq!(judged(bad, "{}").0.unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn the_policy_decides() {
        let plain = r#"{"scope":["a"]}"#;
        let through = r#"{"scope":["a"],
            "delegates":["projects/-/serviceAccounts/m@p.iam.gserviceaccount.com"]}"#;
        let chain = r#"{"delegates":["m@p.iam.gserviceaccount.com"]}"#;
        let denied = r#"{"denied":["t@p.iam.gserviceaccount.com"]}"#;
        for (body, policy, allowed) in [
            (plain, "{}", true),
            (through, "{}", true),
            (through, chain, true),
            (plain, chain, false),
            (through, r#"{"delegates":[]}"#, false),
            (plain, denied, false),
            (plain, r#"{"denied":["x@p.iam.gserviceaccount.com"]}"#, true),
        ] {
            let (grant, _) = judged(body, policy);
            let refusal = grant.err().map(|fault| (fault.status, fault.error));
            let wanted = (403, "IAM_PERMISSION_DENIED".to_owned());
            assert_eq!(refusal, (!allowed).then_some(wanted), "{body} {policy}");
        }
        let bare = r#"{"scope":["a"],"delegates":["m@p.iam.gserviceaccount.com"]}"#;
        assert_eq!(judged(bare, "{}").0.unwrap_err().status, 400);
    }
}
