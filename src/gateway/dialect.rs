//! The shape in which a caller's library reads a refusal, told by the path that it asks for.

use once_cell::sync::Lazy;
use serde_json::{Value, json};

use crate::error::Reason;
use crate::limits::Exhausted;

/// A family of client libraries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// google.rpc.Status in its HTTP mapping (AIP-193).
    #[default]
    Google,
    /// platform.openai.com/docs/guides/error-codes.
    OpenAi,
    /// docs.claude.com/en/api/errors.
    Anthropic,
}

impl Dialect {
    /// The dialect that is spoken at a path, whether it is routed or not.
    pub(super) fn of(path: &str) -> Self {
        let openai = ["/endpoints/openapi/", "/chat/completions", "/v1/responses"];
        match path {
            _ if path.contains("/publishers/anthropic/") => Self::Anthropic,
            _ if openai.iter().any(|part| path.contains(part)) => Self::OpenAi,
            _ => Self::Google,
        }
    }

    /// What is said if a request that had to wait, or to bring more, is not decided in the end.
    pub(super) fn undecided(self) -> &'static str {
        static TEXTS: Lazy<[String; 3]> = Lazy::new(|| {
            let reason = Reason::Internal;
            [Dialect::Google, Dialect::OpenAi, Dialect::Anthropic]
                .map(|dialect| dialect.refusal(reason, reason.text()))
        });
        let [google, openai, anthropic] = &*TEXTS;
        match self {
            Self::Google => google,
            Self::OpenAi => openai,
            Self::Anthropic => anthropic,
        }
    }

    /// A refusal as JSON.
    pub(super) fn refusal(self, reason: Reason, message: &str) -> String {
        self.error(reason, message).to_string()
    }

    /// The refusal of a request that a limit stops. Google's says when to try again
    /// (google.rpc.RetryInfo); the others' libraries look for that in headers.
    #[allow(dead_code, reason = "a verdict that a limit stops says it")]
    pub(super) fn exhausted(self, exhausted: &Exhausted) -> String {
        let mut error = self.error(exhausted.reason(), &exhausted.message());
        if let Some(Value::Array(details)) = error.pointer_mut("/error/details")
            && !exhausted.never
        {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", exhausted.retry_after_secs),
            }));
        }
        error.to_string()
    }

    fn error(self, reason: Reason, message: &str) -> Value {
        let status = reason.status();
        match self {
            Self::Google => json!({ "error": {
                "code": status.code,
                "message": message,
                "status": status.name,
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": reason.code(),
                    "domain": "haproxy-vertex",
                }],
            }}),
            Self::OpenAi => json!({ "error": {
                "message": message,
                "type": openai_type(status.code),
                "param": null,
                "code": reason.code(),
            }}),
            Self::Anthropic => json!({
                "type": "error",
                "error": {
                    "type": anthropic_type(status.code),
                    "message": format!("{message} ({})", reason.code()),
                },
            }),
        }
    }
}

const fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

const fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}
