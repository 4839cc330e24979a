//! The refresh token of a person who has logged in with `gcloud auth application-default login`.

use super::answer::{Facts, Fault, scopes};
use super::form::Form;
use super::issued::Grant;
use serde_json::json;

pub const GRANT_TYPE: &str = "refresh_token";
pub const CLIENT_ID: &str = "100000000000-standin.apps.googleusercontent.com";
pub const CLIENT_SECRET: &str = "standin-client-secret";
/// As Google's own, it has a character that a form must escape.
pub const REFRESH_TOKEN: &str = "1//0standin-refresh-token";
const PERSON: &str = "person@standin.example";
const GRANTED: [&str; 2] = ["openid", "https://www.googleapis.com/auth/cloud-platform"];

pub fn judge(form: &Form, facts: &mut Facts) -> Result<Grant, Fault> {
    for name in ["client_id", "scope"] {
        facts.insert(name.to_owned(), json!(form.get(name)));
    }
    if form.get("client_id") != CLIENT_ID {
        return Err(Fault::new(401, "invalid_client", "The OAuth client was not found."));
    }
    if form.get("client_secret") != CLIENT_SECRET {
        return Err(Fault::new(401, "invalid_client", "Unauthorized"));
    }
    match form.get("refresh_token") {
        REFRESH_TOKEN => {}
        "" => {
            let missing = "Required parameter is missing: refresh_token";
            return Err(Fault::new(400, "invalid_request", missing));
        }
        _ => return Err(Fault::new(400, "invalid_grant", "Bad Request")),
    }
    let mut wanted = scopes(form.get("scope"));
    if wanted.iter().any(|scope| !GRANTED.contains(&scope.as_str())) {
        return Err(Fault::new(400, "invalid_scope", "Bad Request"));
    }
    if wanted.is_empty() {
        wanted = GRANTED.map(str::to_owned).to_vec();
    }
    let principal = PERSON.to_owned();
    Ok(Grant { by: "refresh_token", principal, scopes: wanted, lifetime: 3600 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(id: &str, secret: &str, token: &str, scope: &str) -> Result<Grant, Fault> {
        let text = format!(
            "client_id={id}&client_secret={secret}&refresh_token={}&scope={scope}",
            token.replace('/', "%2F")
        );
        judge(&Form::parse(text.as_bytes()).unwrap(), &mut Facts::new())
    }

    #[test]
    fn a_login_is_good_for_its_scopes() {
        let all = judged(CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, "").unwrap();
        assert_eq!(all.scopes, GRANTED);
        let one = judged(CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, "openid").unwrap();
        assert_eq!(one.scopes, ["openid"]);
        let more = judged(CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, "openid+drive");
        assert_eq!(more.unwrap_err().error, "invalid_scope");
    }

    #[test]
    fn strangers_are_refused() {
        let error = |id, secret, token| {
            let fault = judged(id, secret, token, "").unwrap_err();
            (fault.status, fault.error)
        };
        let is = |status, error: &str| (status, error.to_owned());
        assert_eq!(error("x", CLIENT_SECRET, REFRESH_TOKEN), is(401, "invalid_client"));
        assert_eq!(error(CLIENT_ID, "x", REFRESH_TOKEN), is(401, "invalid_client"));
        assert_eq!(error(CLIENT_ID, CLIENT_SECRET, "x"), is(400, "invalid_grant"));
        assert_eq!(error(CLIENT_ID, CLIENT_SECRET, ""), is(400, "invalid_request"));
    }
}
