//! What the headers of a refusal say of the limit that stopped it, in the names that a caller's
//! library knows. Only the limit that is to be waited for is told, and only on refusals: an
//! allowed request may be subject to several, and none of them is the one.

use crate::gateway::dialect::Dialect;
use crate::limits::{Exhausted, What};

/// Longer than this no library shall wait in place of its user, in seconds.
const MAX_RETRY_SECS: u64 = 60;

/// The names of a dialect's headers for one kind of limit.
struct Names {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
}

/// platform.openai.com/docs/guides/rate-limits, "Rate limits in headers".
const OPENAI_REQUESTS: Names = Names {
    limit: "x-ratelimit-limit-requests",
    remaining: "x-ratelimit-remaining-requests",
    reset: "x-ratelimit-reset-requests",
};
const OPENAI_TOKENS: Names = Names {
    limit: "x-ratelimit-limit-tokens",
    remaining: "x-ratelimit-remaining-tokens",
    reset: "x-ratelimit-reset-tokens",
};

/// docs.claude.com/en/api/rate-limits, "Response headers".
const ANTHROPIC_REQUESTS: Names = Names {
    limit: "anthropic-ratelimit-requests-limit",
    remaining: "anthropic-ratelimit-requests-remaining",
    reset: "anthropic-ratelimit-requests-reset",
};
const ANTHROPIC_TOKENS: Names = Names {
    limit: "anthropic-ratelimit-tokens-limit",
    remaining: "anthropic-ratelimit-tokens-remaining",
    reset: "anthropic-ratelimit-tokens-reset",
};

/// The headers that tell the limit, with their values. Google's APIs have none, and nobody's for
/// requests in flight.
pub(super) fn headers(dialect: Dialect, exhausted: &Exhausted) -> Vec<(&'static str, String)> {
    let (names, reset) = match (dialect, exhausted.what) {
        (Dialect::Google, _) | (_, What::Parallel) => return Vec::new(),
        (Dialect::OpenAi, What::Requests) => (OPENAI_REQUESTS, duration(exhausted)),
        (Dialect::OpenAi, What::Tokens) => (OPENAI_TOKENS, duration(exhausted)),
        (Dialect::Anthropic, What::Requests) => (ANTHROPIC_REQUESTS, exhausted.reset.rfc3339()),
        (Dialect::Anthropic, What::Tokens) => (ANTHROPIC_TOKENS, exhausted.reset.rfc3339()),
    };
    vec![
        (names.limit, exhausted.limit.to_string()),
        (names.remaining, exhausted.remaining.to_string()),
        (names.reset, reset),
    ]
}

/// The value of `x-should-retry`: whether a library that tries again by itself shall do so.
pub(super) const fn should_retry(exhausted: &Exhausted) -> bool {
    !exhausted.never && exhausted.retry_after_secs <= MAX_RETRY_SECS
}

/// The value of `Retry-After` (RFC 9110 section 10.2.3) in seconds; nothing where waiting is in
/// vain.
pub(super) fn retry_after(exhausted: &Exhausted) -> Option<u64> {
    (!exhausted.never).then_some(exhausted.retry_after_secs)
}

/// As OpenAI writes a time to wait: `12s`, `6m0s`, `1h0m0s`.
fn duration(exhausted: &Exhausted) -> String {
    let secs = exhausted.retry_after_secs;
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    match (hours, minutes) {
        (0, 0) => format!("{secs}s"),
        (0, _) => format!("{minutes}m{secs}s"),
        _ => format!("{hours}h{minutes}m{secs}s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::limits::Span;
    use crate::time::UnixTime;

    const DIALECTS: [Dialect; 3] = [Dialect::Google, Dialect::OpenAi, Dialect::Anthropic];

    fn exhausted(what: What, secs: u64) -> Exhausted {
        Exhausted {
            what,
            span: (what != What::Parallel).then_some(Span::Minute),
            limit: 600,
            remaining: 7,
            wanted: 30,
            never: false,
            retry_after_secs: secs,
            reset: UnixTime(1_800_000_012),
            rule: 0,
        }
    }

    #[test]
    fn each_library_finds_the_limit_in_the_headers_that_it_knows() {
        let told = |dialect, what| -> Vec<String> {
            let headers = headers(dialect, &exhausted(what, 12));
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
        };
        assert_eq!(
            told(Dialect::OpenAi, What::Tokens),
            [
                "x-ratelimit-limit-tokens: 600",
                "x-ratelimit-remaining-tokens: 7",
                "x-ratelimit-reset-tokens: 12s"
            ]
        );
        assert_eq!(
            told(Dialect::Anthropic, What::Requests),
            [
                "anthropic-ratelimit-requests-limit: 600",
                "anthropic-ratelimit-requests-remaining: 7",
                "anthropic-ratelimit-requests-reset: 2027-01-15T08:00:12Z"
            ]
        );
        assert!(told(Dialect::OpenAi, What::Requests).iter().all(|h| h.contains("-requests")));
        assert!(told(Dialect::Anthropic, What::Tokens).iter().all(|h| h.contains("-tokens-")));
        for dialect in DIALECTS {
            assert!(told(dialect, What::Parallel).is_empty());
        }
        assert!(told(Dialect::Google, What::Tokens).is_empty());
    }

    #[test]
    fn a_library_tries_again_within_a_minute_and_never_what_cannot_pass() {
        assert!(should_retry(&exhausted(What::Tokens, 60)));
        assert!(!should_retry(&exhausted(What::Tokens, 61)));
        assert_eq!(retry_after(&exhausted(What::Tokens, 3600)), Some(3600));
        let never = Exhausted { never: true, ..exhausted(What::Tokens, 12) };
        assert_eq!((should_retry(&never), retry_after(&never)), (false, None));
    }

    #[test]
    fn a_time_to_wait_is_written_in_hours_minutes_and_seconds() {
        for (secs, text) in
            [(1, "1s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (7200, "2h0m0s")]
        {
            assert_eq!(duration(&exhausted(What::Tokens, secs)), text);
        }
    }

    #[test]
    fn a_refusal_has_the_shape_that_each_library_reads() {
        let said = |dialect: Dialect, exhausted: &Exhausted| -> Value {
            serde_json::from_str(&dialect.exhausted(exhausted)).unwrap()
        };
        let tokens = exhausted(What::Tokens, 12);
        let message = tokens.message();
        assert_eq!(
            message,
            "too many tokens: this request may need 30, and 7 of 600 tokens a minute are left; \
             try again in 12 s"
        );
        let google = said(Dialect::Google, &tokens);
        assert_eq!(google["error"]["code"], 429);
        assert_eq!(google["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(google["error"]["message"], message);
        assert_eq!(google["error"]["details"][0]["reason"], "limit_tokens");
        let retry =
            json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s" });
        assert_eq!(google["error"]["details"][1], retry);
        let openai = said(Dialect::OpenAi, &tokens);
        assert_eq!(openai["error"]["type"], "rate_limit_error");
        assert_eq!(openai["error"]["code"], "limit_tokens");
        let anthropic = said(Dialect::Anthropic, &tokens);
        assert_eq!(anthropic["error"]["type"], "rate_limit_error");
        assert_eq!(anthropic["error"]["message"], format!("{message} (limit_tokens)"));
        // Nobody shall wait for what never comes.
        let never = Exhausted { never: true, ..tokens };
        assert!(never.message().contains("more than all 600 tokens a minute"));
        let google = said(Dialect::Google, &never);
        assert_eq!(google["error"]["details"].as_array().unwrap().len(), 1);
    }
}
