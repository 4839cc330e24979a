//! The two kinds of failure: `Refusal` of a request, and `ConfigError` at load, where all faults
//! are reported at once.

use std::{fmt, io};

/// An HTTP status and Google's canonical name for it (google.rpc.Code, as `status` in Google's
/// error JSON).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The HTTP status.
    pub code: u16,
    /// The name of the google.rpc.Code.
    pub name: &'static str,
}

impl Status {
    /// The status with the name that google/rpc/code.proto maps to it, for statuses that HAProxy
    /// answers with.
    pub(crate) const fn of_http(code: u16) -> Self {
        let name = match code {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            408 | 504 => "DEADLINE_EXCEEDED",
            429 => "RESOURCE_EXHAUSTED",
            400..=499 => "INVALID_ARGUMENT",
            502 | 503 => "UNAVAILABLE",
            _ => "INTERNAL",
        };
        Self { code, name }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $code:literal $number:literal $status:literal $name:literal $text:literal;)*) => {
        /// Why a request is refused: a closed list. The code is a public interface (log,
        /// variable, metric label); the number is the C interface's and is never used again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
    /// The reason with this code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }

            /// Every reason, in the order of the C numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code, in snake case.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The number in the C interface.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The HTTP status and Google's name of it.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $(Self::$variant => Status { code: $status, name: $name },)* }
            }

            /// The message for the caller; it quotes nothing of the request.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    /// No credential header at all, among those that are read.
    TokenMissing "token_missing" 1 401 "UNAUTHENTICATED"
        "the request brings no token";
    /// Different credentials in several headers, or several times in one.
    TokenDuplicate "token_duplicate" 2 401 "UNAUTHENTICATED"
        "more than one credential: send one token, or the same in each header";
    /// Not a compact JWS with a JSON object inside (RFC 7515 section 7.1, RFC 7519).
    TokenMalformed "token_malformed" 3 401 "UNAUTHENTICATED"
        "the token is not a well-formed JWT";
    /// Longer than the limit of 16,384 bytes.
    TokenTooLong "token_too_long" 4 401 "UNAUTHENTICATED"
        "the token is longer than 16384 bytes";
    /// One of Google's own access tokens (`ya29.`…), which this gateway does not take.
    GoogleTokenNotAccepted "google_token_not_accepted" 5 401 "UNAUTHENTICATED"
        "a Google access token is not accepted here";
    /// `alg` is none of the supported ones or not the one the key is for (RFC 8725 section 3.1).
    AlgNotAllowed "alg_not_allowed" 6 401 "UNAUTHENTICATED"
        "the token's algorithm is not allowed for this issuer";
    /// The issuer publishes no key with this `kid`.
    KeyUnknown "key_unknown" 7 401 "UNAUTHENTICATED"
        "the token's key is not among the keys that its issuer publishes";
    /// The signature is wrong.
    BadSignature "bad_signature" 8 401 "UNAUTHENTICATED"
        "the token's signature is wrong";
    /// `iss` is no configured issuer.
    IssuerUnknown "issuer_unknown" 9 401 "UNAUTHENTICATED"
        "the token's issuer is not accepted here";
    /// The audience claim names none of the issuer's audiences.
    AudienceWrong "audience_wrong" 10 401 "UNAUTHENTICATED"
        "the token is for another audience";
    /// `exp` has passed.
    TokenExpired "token_expired" 11 401 "UNAUTHENTICATED"
        "the token has expired";
    /// `nbf` or `iat` lies in the future.
    TokenNotYetValid "token_not_yet_valid" 12 401 "UNAUTHENTICATED"
        "the token is not valid yet";
    /// `exp` lies more than 24 hours after `iat` (after now without one).
    LifetimeTooLong "lifetime_too_long" 13 401 "UNAUTHENTICATED"
        "the token's lifetime is longer than 24 hours";
    /// A claim that must be there is not.
    ClaimMissing "claim_missing" 14 401 "UNAUTHENTICATED"
        "the token lacks a required claim";
    /// The issuer's keys could not be fetched, or not yet.
    KeysUnavailable "keys_unavailable" 15 503 "UNAVAILABLE"
        "the keys of the token's issuer are not available now";
    /// A thousand requests wait already.
    Busy "busy" 16 503 "UNAVAILABLE"
        "too many requests wait for keys or credentials";
    /// A URL that is not the one spelling of what it names.
    UrlNotCanonical "url_not_canonical" 17 400 "INVALID_ARGUMENT"
        "the URL is not in its canonical form";
    /// No route of the closed grammar.
    RouteUnknown "route_unknown" 18 404 "NOT_FOUND"
        "this gateway has no such method or path";
    /// A query key or value outside the list.
    QueryNotAllowed "query_not_allowed" 19 400 "INVALID_ARGUMENT"
        "the query holds a parameter that is not allowed for this method";
    /// A header that would change what the request means.
    HeaderNotAllowed "header_not_allowed" 20 400 "INVALID_ARGUMENT"
        "a header is not allowed: no method override, field mask, Upgrade or Content-Encoding";
    /// No role of this caller allows this target.
    RoleNone "role_none" 21 403 "PERMISSION_DENIED"
        "no role allows you this method on this model, project and location";
    /// A role allows the location, and HAProxy has no backend for it.
    LocationWithoutBackend "location_without_backend" 22 403 "PERMISSION_DENIED"
        "this gateway does not serve this location";
    /// The role's Google credential has no token that is valid now.
    CredentialUnavailable "credential_unavailable" 23 503 "UNAVAILABLE"
        "the gateway has no valid Google credential now";
    /// A failure of the gateway itself; also when there is no verdict at all.
    Internal "internal" 24 503 "UNAVAILABLE"
        "the gateway could not decide";
    /// HAProxy answered before the rules ran (an unreadable request, a time-out): log only.
    Undecided "undecided" 25 400 "INVALID_ARGUMENT"
        "the request could not be read";
    /// Google answered 401 to the gateway's own credential.
    GoogleCredentialRefused "google_credential_refused" 26 503 "UNAVAILABLE"
        "Google refused the credential of the gateway";
    /// Google answered 403 to the gateway's own identity.
    GoogleDenied "google_denied" 27 502 "PERMISSION_DENIED"
        "Google denied the identity of the gateway this call";
    /// A body that had to be read is not strict JSON: a name twice, another charset, more behind it.
    BodyNotJson "body_not_json" 28 400 "INVALID_ARGUMENT"
        "the body is not strict JSON in UTF-8 with content type application/json and no name twice";
    /// A body that had to be read is longer than HAProxy's buffer, or does not say how long it is.
    BodyTooLargeToCheck "body_too_large_to_check" 29 413 "INVALID_ARGUMENT"
        "the body cannot be checked here: it is too large, or does not declare its length";
    /// The body names no model, or not in a form that is known.
    ModelMissing "model_missing" 30 400 "INVALID_ARGUMENT"
        "the body names no model, or not as publisher/model";
    /// The body names another model than the path, or a resource of another project or location.
    ModelMismatch "model_mismatch" 31 400 "INVALID_ARGUMENT"
        "the body names another model, project or location than the path";
    /// Roles would allow the target, but not what the body asks for.
    BodyNotAllowed "body_not_allowed" 32 403 "PERMISSION_DENIED"
        "no role allows you what the body asks for";
    /// A limit on requests in a minute or an hour is used up.
    LimitRequests "limit_requests" 33 429 "RESOURCE_EXHAUSTED"
        "too many requests";
    /// A limit on tokens in a minute or an hour has less left than the request may need.
    LimitTokens "limit_tokens" 34 429 "RESOURCE_EXHAUSTED"
        "too many tokens";
    /// The most requests that a limit allows are in flight already.
    LimitParallel "limit_parallel" 35 429 "RESOURCE_EXHAUSTED"
        "too many requests at once";
    /// The caller left, or the request's body broke off.
    RequestIncomplete "request_incomplete" 36 408 "DEADLINE_EXCEEDED"
        "the request did not come whole: its body broke off";
    /// HAProxy's rules lead an allowed request to no backend of its location.
    Unrouted "unrouted" 37 503 "UNAVAILABLE"
        "the gateway's routing leads to no backend of this location";
    /// No connection to Google came about: there is no server, or it cannot be reached.
    UpstreamUnavailable "upstream_unavailable" 38 503 "UNAVAILABLE"
        "Google could not be reached";
    /// Google closed the connection before its answer was whole, or the answer is no HTTP.
    UpstreamClosed "upstream_closed" 39 502 "UNAVAILABLE"
        "Google closed the connection before it answered, or its answer cannot be read";
    /// Google did not answer within `timeout server`; it may have done what was asked.
    UpstreamTimeout "upstream_timeout" 40 504 "DEADLINE_EXCEEDED"
        "Google did not answer in time; the call may still be billed";
    /// A rule of the operator's own answered an allowed request: log only.
    AnsweredByRule "answered_by_rule" 41 403 "PERMISSION_DENIED"
        "a rule of this gateway's configuration answered";
    /// A body that had to be read holds more or longer names, addresses and the like than is
    /// looked into.
    BodyTooComplex "body_too_complex" 42 400 "INVALID_ARGUMENT"
        "the body cannot be checked here: it holds too many or too long names, addresses or the like";
    /// The body of a request brought nothing for too long.
    BodyTimeout "body_timeout" 43 408 "DEADLINE_EXCEEDED"
        "the request's body did not come in time";
    /// Roles would allow the target, but not the tier of capacity or price that a header asks for.
    TierNotAllowed "tier_not_allowed" 44 403 "PERMISSION_DENIED"
        "no role allows you the tier that a header asks for";
    /// Google refused the exchange of the caller's own token.
    GoogleExchangeRefused "google_exchange_refused" 45 403 "PERMISSION_DENIED"
        "Google does not take your token in exchange for one of its own";
}

impl Reason {
    /// The `error` of RFC 6750 section 3.1 in `WWW-Authenticate`: none for a request without token.
    #[must_use]
    pub const fn bearer_error(self) -> Option<&'static str> {
        match self {
            Self::TokenMissing => None,
            Self::TokenDuplicate => Some("invalid_request"),
            _ => Some("invalid_token"),
        }
    }
}

/// The longest detail of a refusal, in bytes.
const MAX_DETAIL_BYTES: usize = 160;

/// A refusal of a request: the reason and, if that helps the caller, the part of the request at
/// fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// Printable ASCII of bounded length, safe to send and to log.
    pub detail: Option<Box<str>>,
}

impl Refusal {
    /// A refusal with a detail: non-printable or non-ASCII characters become `?`, and a long detail
    /// is cut.
    #[must_use]
    pub fn detailed(reason: Reason, detail: &str) -> Self {
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        let detail: String = detail.chars().take(MAX_DETAIL_BYTES).map(printable).collect();
        Self { reason, detail: Some(detail.into()) }
    }

    /// The message for the caller.
    #[must_use]
    pub fn message(&self) -> String {
        let text = self.reason.text();
        match &self.detail {
            Some(detail) => format!("{text}: {detail}"),
            None => text.to_owned(),
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None }
    }
}

/// A configuration that cannot be used: it says where, what is wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as the operator named it.
    pub file: String,
    /// RFC 6901 JSON pointer into it; empty for the whole file.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl ConfigError {
    /// An error at `pointer`; the loader adds the file.
    pub fn at(pointer: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { file: String::new(), pointer: pointer.into(), problem: problem.into() }
    }

    /// An error at a line of HAProxy's own files, named as `file:number`.
    pub fn in_haproxy(place: &str, problem: impl Into<String>) -> Self {
        Self { file: place.to_owned(), pointer: String::new(), problem: problem.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, pointer, problem } = self;
        match pointer.as_str() {
            "" => write!(f, "{file}: {problem}"),
            _ => write!(f, "{file}: {pointer}: {problem}"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// All errors of a configuration, at least one, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `Ok` if there is no error.
    ///
    /// # Errors
    /// The given errors, if there are any.
    pub fn unless_empty(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The errors, with this file's name where they have none.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        let nameless = self.0.iter_mut().filter(|error| error.file.is_empty());
        nameless.for_each(|error| file.clone_into(&mut error.file));
        self
    }

    /// These errors, followed by those of `result`.
    #[must_use]
    pub fn and<T, E: Into<Self>>(mut self, result: Result<T, E>) -> Self {
        self.0.extend(result.err().into_iter().flat_map(|errors| errors.into().0));
        self
    }

    /// The errors in order.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for ConfigErrors {
    type Item = ConfigError;
    type IntoIter = std::vec::IntoIter<ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'e> IntoIterator for &'e ConfigErrors {
    type Item = &'e ConfigError;
    type IntoIter = std::slice::Iter<'e, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Gathers several results: all values, or all errors.
pub(crate) trait All {
    /// The values.
    type Values;

    /// Gathers them.
    fn all(self) -> Result<Self::Values, ConfigErrors>;
}

macro_rules! all_of_tuple {
    ($($value:ident $error:ident),+) => {
        impl<$($value, $error: Into<ConfigErrors>),+> All for ($(Result<$value, $error>,)+) {
            type Values = ($($value,)+);

            #[allow(non_snake_case, reason = "each value is called as its type")]
            fn all(self) -> Result<Self::Values, ConfigErrors> {
                let ($($value,)+) = self;
                let mut errors = Vec::new();
                $(let $value = kept($value, &mut errors);)+
                match ($($value,)+) {
                    ($(Some($value),)+) => Ok(($($value,)+)),
                    _ => Err(ConfigErrors(errors)),
                }
            }
        }
    };
}

all_of_tuple!(A EA, B EB);
all_of_tuple!(A EA, B EB, C EC);
all_of_tuple!(A EA, B EB, C EC, D ED);
all_of_tuple!(A EA, B EB, C EC, D ED, E EE);
all_of_tuple!(A EA, B EB, C EC, D ED, E EE, F EF);
all_of_tuple!(A EA, B EB, C EC, D ED, E EE, F EF, G EG);

/// Gathers a list of results: all values, or all errors.
pub(crate) fn each<T, E: Into<ConfigErrors>>(
    results: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Vec<T>, ConfigErrors> {
    let mut errors = Vec::new();
    let values = results.into_iter().filter_map(|result| kept(result, &mut errors)).collect();
    ConfigErrors::unless_empty(errors).map(|()| values)
}

fn kept<T, E: Into<ConfigErrors>>(
    result: Result<T, E>,
    errors: &mut Vec<ConfigError>,
) -> Option<T> {
    result.map_err(|error| errors.extend(error.into())).ok()
}

/// The system's message for an error on a file, without the error's number.
pub(crate) fn system_fault(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => {
            let why = why.to_string();
            why.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_numbers_are_distinct() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(usize::try_from(reason.number()).unwrap(), index + 1, "{}", reason.code());
            let others = &Reason::ALL[index + 1..];
            assert!(others.iter().all(|other| other.code() != reason.code()), "{}", reason.code());
        }
    }

    #[test]
    fn a_detail_is_printable_and_bounded() {
        let message = |detail: &str| Refusal::detailed(Reason::ClaimMissing, detail).message();
        let text = Reason::ClaimMissing.text();
        assert_eq!(Refusal::from(Reason::ClaimMissing).message(), text);
        assert_eq!(message("client_id"), format!("{text}: client_id"));
        assert_eq!(message("a\r\nb\u{e9}\0"), format!("{text}: a??b??"));
        let long = message(&"\u{1f600}".repeat(5000));
        assert_eq!(long, format!("{text}: {}", "?".repeat(MAX_DETAIL_BYTES)));
    }
}
