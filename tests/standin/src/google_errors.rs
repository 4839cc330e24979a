//! Error answers in the form of google.rpc.Status, and the headers common to all answers.

use crate::route::Route;
use serde_json::{Value, json};

/// Header lines of every JSON answer.
pub const JSON_HEADERS: &str = "Content-Type: application/json; charset=UTF-8\r\n\
    Vary: Origin\r\nVary: X-Origin\r\nVary: Referer\r\nServer: vertex-standin\r\n\
    X-Content-Type-Options: nosniff\r\nX-Frame-Options: SAMEORIGIN\r\nX-XSS-Protection: 0\r\n";

/// Header lines of a server-sent event stream, in Google's and in the other dialects.
pub const SSE_HEADERS: &str = "Content-Type: text/event-stream\r\n\
    Content-Disposition: attachment\r\n\
    Vary: Origin, X-Origin, Referer\r\nServer: vertex-standin\r\n\
    X-Content-Type-Options: nosniff\r\nX-Frame-Options: SAMEORIGIN\r\nX-XSS-Protection: 0\r\n";

const PERMISSION: &str = "aiplatform.endpoints.predict";

pub fn status_name(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

fn error_info(reason: &str, metadata: Value) -> Value {
    json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
        "domain": "googleapis.com", "metadata": metadata}])
}

/// The error of this status, as Google words and details it for this kind of request.
pub fn body(status: u16, route: Option<&Route<'_>>, path: &str) -> Value {
    let resource = route.map_or_else(|| path.to_owned(), Route::resource);
    let method = route.map_or_else(String::new, Route::rpc);
    let (message, details) = match status {
        400 => ("The stand-in was told to find an argument invalid.".to_owned(), json!([])),
        401 => (
            "Request had invalid authentication credentials. Expected OAuth 2 access token \
             or another valid credential (stand-in)."
                .to_owned(),
            error_info(
                "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                json!({"service": "aiplatform.googleapis.com", "method": method}),
            ),
        ),
        403 => (
            format!("Permission '{PERMISSION}' denied on resource '{resource}' (stand-in)."),
            error_info(
                "IAM_PERMISSION_DENIED",
                json!({"permission": PERMISSION, "resource": resource}),
            ),
        ),
        404 if route.is_some() => (format!("Publisher Model `{resource}` not found."), json!([])),
        404 => (format!("The stand-in serves no {resource}"), json!([])),
        // Vertex sends neither details nor Retry-After with this one.
        429 => ("Resource exhausted. Please try again later (stand-in).".to_owned(), Value::Null),
        503 => ("The service is currently unavailable (stand-in).".to_owned(), Value::Null),
        504 => ("Deadline expired before operation could complete.".to_owned(), Value::Null),
        _ => ("Internal error encountered (stand-in).".to_owned(), Value::Null),
    };
    let mut error = json!({"code": status, "message": message, "status": status_name(status)});
    if !details.is_null() {
        error["details"] = details;
    }
    json!({"error": error})
}

/// The error of an API key that is not valid.
pub fn api_key_invalid() -> Value {
    let details = error_info("API_KEY_INVALID", json!({"service": "aiplatform.googleapis.com"}));
    let message = "API key not valid. Please pass a valid API key.";
    json!({"error": {"code": 400, "message": message, "status": status_name(400), "details": details}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let unauthenticated = body(401, None, "/x");
        assert_eq!(unauthenticated["error"]["status"], "UNAUTHENTICATED");
        let details = &unauthenticated["error"]["details"][0];
        assert_eq!(details["reason"], "ACCESS_TOKEN_TYPE_UNSUPPORTED");
        assert!(body(429, None, "/x")["error"].get("details").is_none());
        assert_eq!(body(500, None, "/x")["error"]["code"], 500);
    }
}
