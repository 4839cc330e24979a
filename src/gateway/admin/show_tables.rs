//! Tables of what the gateway holds at one moment, and their text: columns below their names, or
//! JSON. A row has no secret, and of an issuer's own texts only what is marked as such.

use serde::Serialize;
use serde_json::Value;

use crate::gateway::admin::View;
use crate::google::{BearerStatus, Credential, RotationStatus};
use crate::limits::{self, LimitStatus, Window};
use crate::oidc::{Issuer, KeyStatus, Origin};
use crate::policy::Pattern;
use crate::time::{Monotonic, Now, UnixTime};
use crate::watch;

/// A row of a table; its columns are its members, in their order.
pub(in crate::gateway) trait Row: Serialize {
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];
}

macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident { $($(#[$about:meta])* $column:ident: $kind:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Serialize)]
        pub(in crate::gateway) struct $row { $($(#[$about])* pub(in crate::gateway) $column: $kind,)* }

        impl Row for $row {
            const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),*];
        })*
    };
}

rows! {
    /// An issuer.
    IssuerRow {
        name: String,
        /// `iss`.
        issuer: String,
        /// Whether its tokens can be verified.
        ready: bool,
        /// Number of keys in use.
        keys: usize,
        /// `file`, `state_file`, `fetched`.
        from: Option<&'static str>,
        /// When its keys were published last, Unix seconds.
        fetched_at: Option<i64>,
        age_seconds: Option<i64>,
        next_fetch_seconds: Option<i64>,
        /// Number of failed fetches since the start.
        failures: u64,
        /// Seconds since fetches began to fail; `None` if the latest succeeded.
        failing_seconds: Option<i64>,
        /// Seconds since the latest failure.
        last_error_seconds: Option<i64>,
        /// The latest failure; may quote the issuer.
        last_error: Option<String>,
    }

    /// A public key of an issuer.
    KeyRow {
        /// The issuer's name.
        issuer: String,
        /// The key's id, as the issuer wrote it.
        kid: String,
        /// The algorithms that it verifies.
        alg: String,
        /// Whether it is in use.
        current: bool,
        /// When it was seen first, Unix seconds.
        since: Option<i64>,
    }

    /// A credential at a location.
    CredentialRow {
        name: String,
        r#type: &'static str,
        location: String,
        host: String,
        google_identity: Option<String>,
        /// Whether it has a bearer that can be sent.
        ready: bool,
        age_seconds: Option<i64>,
        expires_in_seconds: Option<i64>,
        next_signing_seconds: Option<i64>,
        /// The id of the private key in use.
        key_id: Option<String>,
        /// Since its file was written.
        file_age_seconds: Option<i64>,
        /// How far what its file holds is from being in use: `in_use`, `proving`, `refused`, `unreadable`.
        file: Option<&'static str>,
        /// Since when, in seconds.
        file_seconds: Option<i64>,
        /// Why it is not in use; may quote an endpoint.
        file_error: Option<String>,
        /// Seconds since signing or fetching failed last.
        last_error_seconds: Option<i64>,
        /// How; may quote the endpoint.
        last_error: Option<String>,
    }

    /// A role.
    RoleRow {
        name: String,
        /// Number of alternatives in its `who`.
        who: usize,
        r#as: String,
        locations: String,
        models: String,
        /// Number of requests that it allowed since the start.
        requests: u64,
    }

    /// A limit.
    LimitRow {
        /// Its JSON pointer in the configuration.
        limit: String,
        /// Number of keys that have used some of it.
        keys: usize,
        /// The fullest amount of the fullest key: `requests`, `tokens`, `parallel`.
        fullest: Option<&'static str>,
        /// `minute`, `hour`; `None` for requests in flight.
        span: Option<&'static str>,
        used: Option<u64>,
        of: Option<u64>,
        /// Seconds until the window ends.
        reset_seconds: Option<i64>,
        /// Number of requests that were counted together for want of room.
        overflowed: u64,
    }

    /// A table of bounded size that grows with requests.
    CacheRow {
        name: &'static str,
        entries: usize,
        capacity: usize,
    }
}

impl View<'_> {
    pub(in crate::gateway) fn issuer_rows(&self, now: Now) -> Vec<IssuerRow> {
        self.decide.verifier.issuers().iter().map(|issuer| issuer_row(issuer, now)).collect()
    }

    pub(in crate::gateway) fn key_rows(&self) -> Vec<KeyRow> {
        let of = |issuer: &Issuer| {
            let name = issuer.config.name.clone();
            let row = move |key: KeyStatus| KeyRow {
                issuer: name.clone(),
                kid: key.kid.unwrap_or_else(|| "-".to_owned()),
                alg: key.algorithms.join(","),
                current: key.is_current,
                since: key.since.map(|UnixTime(secs)| secs),
            };
            issuer.key_statuses().into_iter().map(row)
        };
        self.decide.verifier.issuers().iter().flat_map(of).collect()
    }

    pub(in crate::gateway) fn credential_rows(&self, now: Now) -> Vec<CredentialRow> {
        let bearers = &self.decide.bearers;
        let rows = bearers.statuses(now);
        rows.map(|(index, status)| {
            credential_row(&status, bearers.rotation_status(index, now), now)
        })
        .collect()
    }

    /// The state of the files of each credential that has some, by its name.
    pub(in crate::gateway) fn rotations(&self, now: Now) -> Vec<(&str, RotationStatus)> {
        let bearers = &self.decide.bearers;
        let credentials = bearers.credentials().iter().enumerate();
        let of = |(index, credential)| {
            let credential: &Credential = credential;
            Some((credential.name.as_str(), bearers.rotation_status(index, now)?))
        };
        credentials.filter_map(of).collect()
    }

    pub(in crate::gateway) fn role_rows(&self) -> Vec<RoleRow> {
        let listed = |patterns: &[Pattern]| {
            patterns.iter().map(Pattern::to_string).collect::<Vec<_>>().join(",")
        };
        let counters = self.admin.counters.roles.iter();
        let roles = self.decide.policy.roles().iter().zip(counters);
        roles
            .map(|(role, counters)| RoleRow {
                name: role.name.clone(),
                who: role.who.len(),
                r#as: self
                    .decide
                    .bearers
                    .credential(role.credential)
                    .map(|credential| credential.name.clone())
                    .unwrap_or_default(),
                locations: listed(&role.may.locations),
                models: listed(&role.may.models),
                requests: counters.requests(),
            })
            .collect()
    }

    pub(in crate::gateway) fn limit_rows(&self, now: Now) -> Vec<LimitRow> {
        let row = |status: LimitStatus<'_>| LimitRow {
            limit: status.pointer.to_owned(),
            keys: status.keys,
            fullest: status.fullest.map(|usage| usage.what.name()),
            span: status.fullest.and_then(|usage| usage.window).map(Window::name),
            used: status.fullest.map(|usage| usage.used),
            of: status.fullest.map(|usage| usage.limit),
            reset_seconds: status
                .fullest
                .and_then(|usage| usage.reset)
                .map(|reset| reset - now.wall),
            overflowed: status.overflowed,
        };
        self.calls.limits.statuses(now).into_iter().map(row).collect()
    }

    pub(in crate::gateway) fn cache_rows(&self) -> Vec<CacheRow> {
        let row = |name, (entries, capacity)| CacheRow { name, entries, capacity };
        vec![
            row("verified_tokens", self.decide.tokens.tokens()),
            row("lists_of_roles", self.decide.tokens.lists()),
            row("waiting_requests", self.decide.waiting.places()),
            row("limit_keys", (self.calls.limits.keys(), limits::MAX_KEYS)),
            row("principals", (self.calls.watch.len(), watch::MAX_PRINCIPALS)),
        ]
    }
}

fn issuer_row(issuer: &Issuer, now: Now) -> IssuerRow {
    let status = issuer.status(now);
    let ago = |at: Monotonic| now.mono.millis_since(at) / 1000;
    let (failed_at, why) = status.record.last_failure.clone().unzip();
    IssuerRow {
        name: issuer.config.name.clone(),
        issuer: issuer.config.issuer.clone(),
        ready: status.is_ready(),
        keys: status.keys,
        from: match status.origin {
            Origin::Nowhere => None,
            Origin::File => Some("file"),
            Origin::StateFile => Some("state_file"),
            Origin::Fetched => Some("fetched"),
        },
        fetched_at: status.fetched_at.map(|UnixTime(secs)| secs),
        age_seconds: status.age_secs,
        next_fetch_seconds: status.next_fetch_secs,
        failures: status.record.failures,
        failing_seconds: status.record.failing_since.map(ago),
        last_error_seconds: failed_at.map(ago),
        last_error: why,
    }
}

fn credential_row(
    status: &BearerStatus<'_>,
    file: Option<RotationStatus>,
    now: Now,
) -> CredentialRow {
    let (credential, file) = (status.credential, file.as_ref());
    CredentialRow {
        name: credential.name.clone(),
        r#type: credential.source.type_name(),
        location: status.location.to_owned(),
        host: status.host.to_owned(),
        google_identity: credential.google_identity().map(str::to_owned),
        ready: status.is_ready,
        age_seconds: status.age_secs,
        expires_in_seconds: status.expires_in_secs,
        next_signing_seconds: status.next_signing_secs,
        key_id: file.and_then(|file| file.key_id.clone()),
        file_age_seconds: file.and_then(|file| file.file_age_secs),
        file: file.map(|file| file.stage.name()),
        file_seconds: file.map(|file| file.secs),
        file_error: file.and_then(|file| file.why.clone()),
        last_error_seconds: status.failed_at.map(|at| now.mono.millis_since(at) / 1000),
        last_error: status.failure.clone(),
    }
}

/// Rows as text: two spaces between columns, none at the end of a line.
pub(in crate::gateway) fn table<R: Row>(rows: &[R]) -> String {
    let columns: Vec<&str> = R::COLUMNS.iter().map(|name| name.trim_start_matches("r#")).collect();
    let last = columns.len().saturating_sub(1);
    let cells = rows.iter().map(|row| {
        let row = serde_json::to_value(row).unwrap_or_default();
        let cell = |(place, name): (usize, &&str)| {
            text(row.get(name), place == last || name.ends_with("_error"))
        };
        columns.iter().enumerate().map(cell).collect::<Vec<_>>()
    });
    let head = columns.iter().map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    let width = |place: usize| {
        lines.iter().filter_map(|line| line.get(place)).map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let start = out.len();
        for (cell, width) in line.iter().zip(&widths) {
            out.push_str(cell);
            out.push_str(&" ".repeat(width.saturating_sub(cell.len()) + 2));
        }
        out.truncate(start + out.get(start..).unwrap_or_default().trim_end().len());
        out.push('\n');
    }
    out
}

/// Rows as `{"<name>":[…]}`, their members in the order of the columns.
pub(in crate::gateway) fn json<R: Row>(name: &str, rows: &[R]) -> String {
    let rows = serde_json::to_string(rows).unwrap_or_default();
    format!("{{\"{name}\":{rows}}}")
}

/// A cell. A terminal obeys control characters and some texts come from outside, so whatever is not
/// printable ASCII is escaped, a space too where it would look like the next column: two do, where a
/// cell may hold blanks.
fn text(value: Option<&Value>, may_hold_blanks: bool) -> String {
    let text = match value {
        None | Some(Value::Null) => return "-".to_owned(),
        Some(Value::Bool(true)) => return "yes".to_owned(),
        Some(Value::Bool(false)) => return "no".to_owned(),
        Some(Value::String(text)) => text,
        Some(other) => return other.to_string(),
    };
    if text.is_empty() {
        return "-".to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' if may_hold_blanks && !out.is_empty() && !out.ends_with(' ') => out.push(c),
            '\\' => out.push_str("\\\\"),
            _ if c.is_ascii_graphic() => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(issuer: &str, kid: &str) -> KeyRow {
        let (issuer, kid) = (issuer.to_owned(), kid.to_owned());
        KeyRow { issuer, kid, alg: "RS256".to_owned(), current: true, since: None }
    }

    #[test]
    fn columns_stand_below_their_names() {
        let text = table(&[key("corp", "k"), key("a-longer-name", "1")]);
        assert_eq!(
            text,
            "issuer         kid  alg    current  since\n\
             corp           k    RS256  yes      -\n\
             a-longer-name  1    RS256  yes      -\n"
        );
        assert_eq!(table::<KeyRow>(&[]), "issuer  kid  alg  current  since\n");
    }

    #[test]
    fn no_text_of_an_issuer_can_leave_its_cell_or_speak_to_a_terminal() {
        let text = table(&[key("corp", "a b\n\u{1b}[2Jé\\u{20}")]);
        assert!(text.contains(r" a\u{20}b\u{a}\u{1b}[2J\u{e9}\\u{20} "), "{text}");
        assert!(text.is_ascii() && text.lines().count() == 2);
    }

    #[test]
    fn json_has_the_columns_in_their_order() {
        let text = json("keys", &[key("corp", "k")]);
        assert_eq!(
            text,
            r#"{"keys":[{"issuer":"corp","kid":"k","alg":"RS256","current":true,"since":null}]}"#
        );
    }
}
