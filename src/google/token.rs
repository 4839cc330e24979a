//! Access tokens that are fetched, and what an endpoint says that gives none.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::fetch::Answer;
use crate::google::MAX_ACCESS_TOKEN_BYTES;

/// The most seconds that a token is believed to live: what Google's longest do.
const MAX_LIFETIME_SECS: i64 = 12 * 3600;

/// Seconds for which a token serves whose endpoint does not say.
const UNSAID_LIFETIME_SECS: i64 = 300;

/// The most characters of what an endpoint says that are told.
const MAX_TOLD_CHARS: usize = 160;

/// A run of so many characters in an endpoint's words may be part of a token, and is not told.
const MAX_WORD_CHARS: usize = 64;

/// A token, and how long it lives from its answer on.
pub(super) struct Token {
    pub(super) text: Zeroizing<String>,
    pub(super) lifetime_secs: i64,
}

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) why: String,
    /// Whether asking again soon would not help.
    pub(super) is_permanent: bool,
}

/// RFC 6749 section 5.1.
#[derive(Deserialize)]
struct OauthAnswer {
    access_token: Zeroizing<String>,
    expires_in: Option<Value>,
    token_type: Option<String>,
}

/// RFC 6749 section 5.2, and Google's own shape, where `error` is an object.
#[derive(Default, Deserialize)]
struct Refusal {
    error: Option<Value>,
    error_description: Option<String>,
}

impl Token {
    /// A token of this text, if it can be sent.
    pub(super) fn new(text: Zeroizing<String>, lifetime_secs: i64) -> Result<Self, Fault> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Fault::passing("the token cannot be sent in a header"));
        }
        if text.len() > MAX_ACCESS_TOKEN_BYTES {
            return Err(Fault::passing(&format!(
                "a token of {} bytes, and {MAX_ACCESS_TOKEN_BYTES} are the most",
                text.len()
            )));
        }
        if lifetime_secs <= 0 {
            return Err(Fault::passing("the token has expired already"));
        }
        Ok(Self { text, lifetime_secs: lifetime_secs.min(MAX_LIFETIME_SECS) })
    }

    /// Reads an answer in the form of OAuth 2.0.
    pub(super) fn of_oauth(answer: &Answer) -> Result<Self, Fault> {
        Fault::unless_ok(answer)?;
        // serde's own message may quote the token.
        let read: OauthAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| Fault::passing("the answer is no JSON with an access_token"))?;
        if read.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("Bearer")) {
            return Err(Fault::passing("the token's type is not Bearer"));
        }
        let lifetime = match read.expires_in {
            None | Some(Value::Null) => Some(UNSAID_LIFETIME_SECS),
            Some(said) => seconds(&said),
        };
        let lifetime =
            lifetime.ok_or_else(|| Fault::passing("expires_in is no number of seconds"))?;
        Self::new(read.access_token, lifetime)
    }
}

/// Seconds as a number, or as the text of one; more than fits is a very long time.
fn seconds(said: &Value) -> Option<i64> {
    match said {
        Value::Number(number) => number.as_i64().or_else(|| number.as_u64().map(|_| i64::MAX)),
        Value::String(text) => {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(i64::MAX))
        }
        _ => None,
    }
}

impl Fault {
    /// One that may be over the next time.
    pub(super) fn passing(why: &str) -> Self {
        Self { why: why.to_owned(), is_permanent: false }
    }

    /// One of this gateway itself.
    pub(super) fn internal() -> Self {
        Self::passing("the request could not be made")
    }

    /// The fault of an answer that refuses.
    pub(super) fn unless_ok(answer: &Answer) -> Result<(), Self> {
        let status = answer.status;
        if status == 200 {
            return Ok(());
        }
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        // Too early and too many are no refusals for good.
        let is_permanent = (400..=499).contains(&status)
            && !matches!(status, 408 | 425 | 429)
            && !refusal.is_passing();
        Err(Self { why: refusal.told(status), is_permanent })
    }
}

impl Refusal {
    /// Whether it says itself that it is none, in OAuth's words (RFC 6749 section 4.1.2.1) or
    /// Google's.
    fn is_passing(&self) -> bool {
        let passing = |text: &str| {
            matches!(text, "internal_failure" | "server_error" | "temporarily_unavailable")
        };
        let code = self.error.as_ref().and_then(Value::as_str);
        code.is_some_and(passing) || self.error_description.as_deref().is_some_and(passing)
    }

    /// `status 400: invalid_grant: Invalid JWT Signature.`
    fn told(self, status: u16) -> String {
        let mut told = format!("status {status}");
        let member = |error: &Value, name: &str| error.get(name)?.as_str().map(str::to_owned);
        let words = match &self.error {
            Some(Value::String(code)) => [Some(code.clone()), self.error_description],
            Some(error) => [member(error, "status"), member(error, "message")],
            None => [None, None],
        };
        for text in words.into_iter().flatten() {
            told.push_str(": ");
            told.push_str(&cleaned(&text));
        }
        told
    }
}

/// A text without anything that may be a token, in printable ASCII, of bounded length.
fn cleaned(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+=%".contains(c);
    let mut cleaned = String::new();
    for word in text.split_inclusive(|c| !is_part(c)) {
        match word.chars().count() > MAX_WORD_CHARS {
            true => cleaned.push_str("... "),
            false => cleaned.push_str(word),
        }
    }
    let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    cleaned.trim().chars().take(MAX_TOLD_CHARS).map(printable).collect()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token for {} s", self.lifetime_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Headers;
    use serde_json::json;

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer::new(status, Headers::default(), body.into())
    }

    fn read(body: &Value) -> Result<(String, i64), String> {
        let token = Token::of_oauth(&answer(200, body.to_string()));
        token.map(|t| (t.text.to_string(), t.lifetime_secs)).map_err(|fault| {
            assert!(!fault.is_permanent);
            fault.why
        })
    }

    #[test]
    fn a_lifetime_is_read_however_it_is_written() {
        for (said, secs) in [
            (json!(3599), 3599),
            (json!("3599"), 3599),
            (json!(1), 1),
            (json!(43_200), 43_200),
            (json!(43_201), 43_200),
            (json!(u64::MAX), 43_200),
            (json!("99999999999999999999999"), 43_200),
            (Value::Null, 300),
        ] {
            let body = json!({ "access_token": "ya29.x", "expires_in": said });
            assert_eq!(read(&body), Ok(("ya29.x".to_owned(), secs)), "{said}");
        }
        assert_eq!(read(&json!({ "access_token": "x" })), Ok(("x".to_owned(), 300)));
        for (said, why) in [
            (json!(0), "expired already"),
            (json!(-5), "expired already"),
            (json!("0"), "expired already"),
            (json!("soon"), "no number of seconds"),
            (json!(""), "no number of seconds"),
            (json!("-1"), "no number of seconds"),
            (json!(3599.5), "no number of seconds"),
            (json!([3599]), "no number of seconds"),
        ] {
            let body = json!({ "access_token": "ya29.x", "expires_in": said });
            assert!(read(&body).unwrap_err().contains(why), "{said}");
        }
    }

    #[test]
    fn a_token_is_what_a_header_may_hold() {
        let of = |text: &str| read(&json!({ "access_token": text, "token_type": "bearer" }));
        for good in ["x", &"x".repeat(MAX_ACCESS_TOKEN_BYTES), "a.b-c_d~e+f/g="] {
            assert!(of(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "cannot be sent"),
            ("a b", "cannot be sent"),
            ("a\r\nhost: b", "cannot be sent"),
            ("caf\u{e9}", "cannot be sent"),
            (&"x".repeat(MAX_ACCESS_TOKEN_BYTES + 1), "12289 bytes, and 12288 are the most"),
        ] {
            assert!(of(bad).unwrap_err().contains(why), "{bad}");
        }
        let mac = json!({ "access_token": "x", "token_type": "mac" });
        assert_eq!(read(&mac).unwrap_err(), "the token's type is not Bearer");
        for body in [json!({}), json!({ "access_token": 5 }), json!("ya29.x")] {
            assert!(read(&body).unwrap_err().contains("no JSON with an access_token"), "{body}");
        }
    }

    #[test]
    fn a_refusal_says_why_and_whether_to_ask_again_soon() {
        let told = |status: u16, body: &str| {
            let fault = Token::of_oauth(&answer(status, body)).err().unwrap();
            (fault.why, fault.is_permanent)
        };
        let grant = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
        let said = "status 400: invalid_grant: Invalid JWT Signature.";
        assert_eq!(told(400, grant), (said.to_owned(), true));
        let denied = r#"{"error":{"code":403,"message":"no\ngo","status":"PERMISSION_DENIED"}}"#;
        let said = "status 403: PERMISSION_DENIED: no?go";
        assert_eq!(told(403, denied), (said.to_owned(), true));
        for (status, is_permanent) in
            [(401, true), (404, true), (408, false), (429, false), (500, false), (302, false)]
        {
            assert_eq!(told(status, "<html>"), (format!("status {status}"), is_permanent));
        }
        for (code, description, is_permanent) in [
            ("internal_failure", "Backend Error", false),
            ("server_error", "", false),
            ("access_denied", "temporarily_unavailable", false),
            ("access_denied", "temporarily unavailable", true),
            ("server_errors", "", true),
        ] {
            let body = json!({ "error": code, "error_description": description }).to_string();
            assert_eq!(told(403, &body).1, is_permanent, "{body}");
        }
    }

    #[test]
    fn no_token_is_told() {
        let jwt = format!("{}.{}.{}", "a".repeat(40), "b".repeat(40), "c".repeat(40));
        let body = json!({ "error": "invalid_grant", "error_description": format!("bad: {jwt}!") });
        let fault = Token::of_oauth(&answer(400, body.to_string())).err().unwrap();
        assert_eq!(fault.why, "status 400: invalid_grant: bad: ...");
        let long = "no ".repeat(100);
        assert_eq!(cleaned(&long).len(), MAX_TOLD_CHARS);
        let place = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p";
        assert_eq!(cleaned(place), place);
    }
}
