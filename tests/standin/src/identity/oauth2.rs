//! `https://oauth2.googleapis.com/token`: the grants of service accounts and of people.

use super::answer::{Answer, Facts, Fault, Request};
use super::{jwt_bearer, refresh_token};
use crate::account::Account;
use serde_json::json;

pub fn judge(request: &Request<'_>, account: &Account, facts: &mut Facts) -> Result<Answer, Fault> {
    let form = request.form("/token", facts)?;
    let grant_type = form.get("grant_type");
    facts.insert("grant_type".to_owned(), json!(grant_type));
    let grant = match grant_type {
        "" => Err(Fault::new(400, "invalid_request", "Required parameter is missing: grant_type")),
        jwt_bearer::GRANT_TYPE => jwt_bearer::judge(&form, account, request.now, facts),
        refresh_token::GRANT_TYPE => refresh_token::judge(&form, facts),
        other => {
            Err(Fault::new(400, "unsupported_grant_type", format!("Invalid grant_type: {other}")))
        }
    };
    grant.map(Answer::Token)
}
