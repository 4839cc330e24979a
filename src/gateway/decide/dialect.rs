//! The format in which a caller's library reads a refusal, chosen by the path of the request.

use once_cell::sync::Lazy;
use serde_json::{Value, json};

use crate::error::{Reason, Status};
use crate::limits::Exhausted;

/// A family of client libraries, by the format of their errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) enum Dialect {
    /// google.rpc.Status in its HTTP mapping (AIP-193).
    #[default]
    Google,
    /// platform.openai.com/docs/guides/error-codes.
    OpenAi,
    /// docs.claude.com/en/api/errors.
    Anthropic,
}

impl Dialect {
    /// The dialect of a path, whether it is routed or not.
    pub(in crate::gateway) fn of(path: &str) -> Self {
        let claude = ["/publishers/anthropic/", "/messages"];
        let openai = ["/endpoints/openapi/", "/completions", "/responses", "/embeddings"];
        match path {
            _ if claude.iter().any(|part| path.contains(part)) => Self::Anthropic,
            _ if openai.iter().any(|part| path.contains(part)) => Self::OpenAi,
            _ => Self::Google,
        }
    }

    /// The message for a request that had to wait, or to bring more, and is not decided in the end.
    pub(in crate::gateway) fn undecided(self) -> &'static str {
        static TEXTS: Lazy<[String; 3]> = Lazy::new(|| {
            let reason = Reason::Internal;
            [Dialect::Google, Dialect::OpenAi, Dialect::Anthropic]
                .map(|dialect| dialect.refusal(reason, reason.text(), None))
        });
        let [google, openai, anthropic] = &*TEXTS;
        match self {
            Self::Google => google,
            Self::OpenAi => openai,
            Self::Anthropic => anthropic,
        }
    }

    /// A refusal as JSON; `id` is the request's.
    pub(in crate::gateway) fn refusal(
        self,
        reason: Reason,
        message: &str,
        id: Option<&str>,
    ) -> String {
        self.error(reason, reason.status(), message, id).to_string()
    }

    /// The refusal with another status, for an answer that HAProxy itself gives.
    pub(in crate::gateway) fn answer(
        self,
        reason: Reason,
        status: Status,
        id: Option<&str>,
    ) -> String {
        self.error(reason, status, reason.text(), id).to_string()
    }

    /// The refusal of a request that a limit stops. Google's says when to try again
    /// (google.rpc.RetryInfo); the others' libraries look for that in headers.
    pub(in crate::gateway) fn exhausted(self, exhausted: &Exhausted, id: Option<&str>) -> String {
        let reason = exhausted.reason();
        let mut error = self.error(reason, reason.status(), &exhausted.message(), id);
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

    fn error(self, reason: Reason, status: Status, message: &str, id: Option<&str>) -> Value {
        match self {
            Self::Google => {
                let mut details = vec![json!({
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": reason.code(),
                    "domain": "haproxy-vertex",
                })];
                details.extend(id.map(|id| {
                    json!({ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": id })
                }));
                json!({ "error": {
                    "code": status.code,
                    "message": message,
                    "status": status.name,
                    "details": details,
                }})
            }
            // Its libraries read the id from the header `x-request-id`.
            Self::OpenAi => json!({ "error": {
                "message": message,
                "type": openai_type(status.code),
                "param": null,
                "code": reason.code(),
            }}),
            Self::Anthropic => {
                let mut error = json!({
                    "type": "error",
                    "error": {
                        "type": anthropic_type(status.code),
                        "message": format!("{message} ({})", reason.code()),
                    },
                });
                if let (Some(id), Some(members)) = (id, error.as_object_mut()) {
                    members.insert("request_id".to_owned(), id.into());
                }
                error
            }
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
        504 => "timeout_error",
        _ => "api_error",
    }
}
