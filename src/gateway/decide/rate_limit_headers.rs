//! The rate-limit headers of a refusal, under the names that the caller's library knows. They
//! report the limit that takes longest to recover, and only on refusals: an allowed request may be
//! subject to several limits.
//!
//! In a verdict they are one field, for rules of HAProxy's to cut with `field(n,/)`: the value of
//! `x-should-retry`, then three values for each of [`HEADERS`] in turn: the limit, what remains, and
//! when it resets. The values of headers that are not sent are empty.

use crate::gateway::decide::dialect::Dialect;
use crate::limits::{Exhausted, What};

/// The longest wait, in seconds, for which a library is told to retry by itself.
const MAX_RETRY_SECS: u64 = 60;

/// Whose headers there are, and of which limit, in the order of the field.
const HEADERS: [(Dialect, What); 4] = [
    (Dialect::OpenAi, What::Requests),
    (Dialect::OpenAi, What::Tokens),
    (Dialect::Anthropic, What::Requests),
    (Dialect::Anthropic, What::Tokens),
];

/// The field of the verdict. Google's APIs have no such headers, and nobody has some for requests in
/// flight.
pub(in crate::gateway) fn told(dialect: Dialect, exhausted: &Exhausted) -> String {
    let retry = !exhausted.never && exhausted.retry_after_secs <= MAX_RETRY_SECS;
    let mut field = retry.to_string();
    for header in HEADERS {
        if header != (dialect, exhausted.what) {
            field.push_str("///");
            continue;
        }
        let reset = match dialect {
            // platform.openai.com/docs/guides/rate-limits, "Rate limits in headers".
            Dialect::OpenAi | Dialect::Google => duration(exhausted.retry_after_secs),
            // docs.claude.com/en/api/rate-limits, "Response headers".
            Dialect::Anthropic => exhausted.reset.rfc3339(),
        };
        field.push_str(&format!("/{}/{}/{reset}", exhausted.limit, exhausted.remaining));
    }
    field
}

/// Formats a wait as OpenAI does: `12s`, `6m0s`, `1h0m0s`.
fn duration(secs: u64) -> String {
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
    use crate::limits::Window;
    use crate::time::UnixTime;

    const DIALECTS: [Dialect; 3] = [Dialect::Google, Dialect::OpenAi, Dialect::Anthropic];

    fn exhausted(what: What, secs: u64) -> Exhausted {
        Exhausted {
            what,
            window: (what != What::Parallel).then_some(Window::Minute),
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
        let told = |dialect, what| told(dialect, &exhausted(what, 12));
        assert_eq!(told(Dialect::OpenAi, What::Tokens), "true////600/7/12s//////");
        assert_eq!(told(Dialect::OpenAi, What::Requests), "true/600/7/12s/////////");
        assert_eq!(
            told(Dialect::Anthropic, What::Requests),
            "true///////600/7/2027-01-15T08:00:12Z///"
        );
        for dialect in DIALECTS {
            assert_eq!(told(dialect, What::Parallel), "true////////////");
        }
        assert_eq!(told(Dialect::Google, What::Tokens), "true////////////");
    }

    #[test]
    fn a_library_tries_again_within_a_minute_and_never_what_cannot_pass() {
        let told = |exhausted| told(Dialect::Google, &exhausted);
        assert_eq!(told(exhausted(What::Tokens, 60)), "true////////////");
        assert_eq!(told(exhausted(What::Tokens, 61)), "false////////////");
        let never = Exhausted { never: true, ..exhausted(What::Tokens, 12) };
        assert_eq!(told(never), "false////////////");
    }

    #[test]
    fn a_time_to_wait_is_written_in_hours_minutes_and_seconds() {
        for (secs, text) in
            [(1, "1s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (7200, "2h0m0s")]
        {
            assert_eq!(duration(secs), text);
        }
    }

    #[test]
    fn a_refusal_has_the_shape_that_each_library_reads() {
        let said = |dialect: Dialect, exhausted: &Exhausted| -> Value {
            serde_json::from_str(&dialect.exhausted(exhausted, None)).unwrap()
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
