//! Answers and errors in the form of each service.

use super::Service;
use super::answer::Fault;
use super::behaviour::{Behaviour, ExpireTime, ExpiresIn, Mode};
use super::issued::Grant;
use super::sts;
use crate::clock;
use crate::google_errors::{JSON_HEADERS, status_name};
use serde_json::{Value, json};

pub struct Reply {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Reply {
    pub fn json(service: Service, status: u16, value: &Value) -> Self {
        Self { status, headers: headers(service), body: value.to_string() }
    }

    pub fn text(status: u16, kind: &str, body: impl Into<String>) -> Self {
        Self { status, headers: format!("Content-Type: {kind}\r\n"), body: body.into() }
    }
}

fn headers(service: Service) -> String {
    match service {
        Service::Metadata => "Content-Type: application/json\r\n".to_owned(),
        _ => format!("{JSON_HEADERS}Cache-Control: private\r\n"),
    }
}

/// The answer that gives out a token with `left` seconds.
pub fn token(
    service: Service,
    behaviour: &Behaviour,
    grant: &Grant,
    token: &str,
    left: i64,
    now: i64,
) -> Reply {
    if service == Service::Iamcredentials {
        let mut value = json!({"accessToken": token});
        match expire_time(behaviour.expire_time, now.saturating_add(left), now) {
            Some(text) => value["expireTime"] = json!(text),
            None => return Reply::json(service, 200, &value),
        }
        return Reply::json(service, 200, &value);
    }
    let mut value = json!({"access_token": token, "token_type": "Bearer"});
    let expires_in = match behaviour.expires_in {
        ExpiresIn::Number => json!(left),
        ExpiresIn::Missing => Value::Null,
        ExpiresIn::String => json!(left.to_string()),
        ExpiresIn::Zero => json!(0),
        ExpiresIn::Negative => json!(-left),
        ExpiresIn::Huge => json!(1_000_000_000_000_000_000_i64),
    };
    if !expires_in.is_null() {
        value["expires_in"] = expires_in;
    }
    match grant.by {
        "sts" => value["issued_token_type"] = json!(sts::ACCESS_TOKEN),
        "refresh_token" => value["scope"] = json!(grant.scopes.join(" ")),
        _ => {}
    }
    Reply::json(service, 200, &value)
}

fn expire_time(kind: ExpireTime, exp: i64, now: i64) -> Option<String> {
    let micros = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000);
    // The clock's format has fractions always.
    let whole = |seconds| clock::rfc3339(micros(seconds)).replace(".000000Z", "Z");
    match kind {
        ExpireTime::Seconds => Some(whole(exp)),
        ExpireTime::Fractions => Some(clock::rfc3339(micros(exp) + 123_456)),
        ExpireTime::Missing => None,
        ExpireTime::Past => Some(whole(now - 3600)),
        ExpireTime::NotATime => Some("tomorrow".to_owned()),
    }
}

pub fn fault(service: Service, fault: &Fault) -> Reply {
    let Fault { status, error, description } = fault;
    match service {
        Service::Metadata => {
            let page = format!("<!DOCTYPE html>\n<title>Error {status}</title>\n{description}\n");
            Reply::text(*status, "text/html; charset=UTF-8", page)
        }
        Service::Iamcredentials => Reply::json(service, *status, &rpc_status(fault)),
        // As Google's front end, which knows no OAuth.
        _ if error.is_empty() => Reply::text(*status, "text/html; charset=UTF-8", description),
        _ => {
            let value = json!({"error": error, "error_description": description});
            Reply::json(service, *status, &value)
        }
    }
}

fn rpc_status(fault: &Fault) -> Value {
    let metadata = match fault.error.as_str() {
        "IAM_PERMISSION_DENIED" => json!({"permission": "iam.serviceAccounts.getAccessToken"}),
        _ => json!({"service": "iamcredentials.googleapis.com",
            "method": "google.iam.credentials.v1.IAMCredentials.GenerateAccessToken"}),
    };
    let domain = match fault.error.as_str() {
        "IAM_PERMISSION_DENIED" => "iam.googleapis.com",
        _ => "googleapis.com",
    };
    let mut error = json!({"code": fault.status, "message": fault.description,
        "status": status_name(fault.status)});
    if !fault.error.is_empty() {
        error["details"] = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": fault.error, "domain": domain, "metadata": metadata}]);
    }
    json!({"error": error})
}

/// What mode `status` says, if it says no more than the number.
pub fn ordered(service: Service, behaviour: &Behaviour) -> Option<Reply> {
    if behaviour.mode != Mode::Status {
        return None;
    }
    let usual = match (service, behaviour.status) {
        (Service::Iamcredentials, 401) => "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        (Service::Iamcredentials, 403) => "IAM_PERMISSION_DENIED",
        (Service::Metadata | Service::Iamcredentials, _) => "",
        (_, 400) => "invalid_grant",
        (_, 401) => "invalid_client",
        (_, 403) => "access_denied",
        (_, 500) => "internal_failure",
        (_, 503) => "temporarily_unavailable",
        _ => "",
    };
    let error = behaviour.error.as_deref().unwrap_or(usual);
    let description = behaviour.error_description.as_deref().unwrap_or("The stand-in was told to.");
    let mut reply = self::fault(service, &Fault::new(behaviour.status, error, description));
    if let Some(seconds) = behaviour.retry_after {
        reply.headers += &format!("Retry-After: {seconds}\r\n");
    }
    Some(reply)
}

#[cfg(test)]
#[path = "replies_tests.rs"]
mod tests;
