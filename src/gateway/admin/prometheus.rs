//! Writes the page for Prometheus: the counters, and the condition of issuers and credentials at
//! this moment.

use crate::error::Reason;
use crate::gateway::admin::View;
use crate::gateway::admin::counters::{Listed, Metrics, TokenKind};
use crate::gateway::admin::show_tables::{CredentialRow, IssuerRow};
use crate::google::Stage;
use crate::metrics::{MetricType, Page};
use crate::time::Now;

use MetricType::{Counter as C, Gauge as G, Histogram as H};

/// Times that HAProxy measured at the servers of a location: means over its latest 1,024 requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationTimes {
    /// The location.
    pub location: String,
    /// Milliseconds until connected; reused connections do not count.
    pub connect_millis: i64,
    /// Milliseconds from the request to the answer's head.
    pub response_millis: i64,
}

impl View<'_> {
    /// The page for Prometheus, in its text format 0.0.4.
    pub(in crate::gateway) fn metrics_page(&self, times: &[LocationTimes], now: Now) -> String {
        let mut page = Page::default();
        page.family("build_info", G, "The version of the module.")
            .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.family("ready", G, "Whether requests should be sent here.")
            .sample(&[], u8::from(self.ready(now).is_ready));
        self.admin.counters.write_decisions(&mut page);
        self.admin.counters.write_calls(&mut page);
        self.admin.counters.write_times(&mut page);
        self.write_issuers(&mut page, now);
        self.write_credentials(&mut page, now);
        self.write_bounds(&mut page);
        self.write_locations(&mut page, times);
        page.into_text()
    }

    fn write_issuers(&self, page: &mut Page, now: Now) {
        let rows = self.issuer_rows(now);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        gauge(page, "issuer_keys", "Keys of an issuer that serve.", &rows, |row| {
            Some(count(row.keys))
        });
        let help = "Since an issuer's keys were fetched.";
        gauge(page, "issuer_keys_age_seconds", help, &rows, |row| row.age_seconds);
        let help = "When an issuer's keys were fetched last, Unix time.";
        gauge(page, "issuer_last_success_timestamp_seconds", help, &rows, |row| row.fetched_at);
        let help = "Since when no fetch of an issuer's has succeeded; 0 if the latest did.";
        gauge(page, "issuer_failing_seconds", help, &rows, |row| {
            Some(row.failing_seconds.unwrap_or(0))
        });
        let help = "Fetches of an issuer's that failed; `vertex show issuers` says why.";
        let mut failures = page.family("issuer_fetch_failures_total", C, help);
        for row in &rows {
            failures.sample(&row.labels(), row.failures);
        }
    }

    fn write_credentials(&self, page: &mut Page, now: Now) {
        let rows = self.credential_rows(now);
        let help = "Whether a credential's token can be sent.";
        gauge(page, "credential_ready", help, &rows, |row| Some(row.ready.into()));
        let help = "Until a credential's token expires, where that is known.";
        gauge(page, "credential_expires_in_seconds", help, &rows, |row| row.expires_in_seconds);
        let help = "Since a credential's token was issued, where that is known.";
        gauge(page, "credential_age_seconds", help, &rows, |row| row.age_seconds);
        self.write_files(page, now);
    }

    fn write_files(&self, page: &mut Page, now: Now) {
        let files = self.rotations(now);
        let help = "Since when what a credential's file holds is not in use; 0 if it is.";
        let mut family = page.family("credential_file_pending_seconds", G, help);
        for (name, file) in &files {
            let secs = if file.stage == Stage::InUse { 0 } else { file.secs.max(1) };
            family.sample(&[("credential", name)], secs);
        }
        let help = "Since a credential's file was written, where that is known.";
        let mut family = page.family("credential_file_age_seconds", G, help);
        for (name, file) in &files {
            if let Some(age) = file.file_age_secs {
                family.sample(&[("credential", name)], age);
            }
        }
        let help = "Whether a credential's file is older than its max_age_days.";
        let mut family = page.family("credential_file_overdue", G, help);
        for (name, file) in &files {
            if let Some(is_overdue) = file.is_overdue {
                family.sample(&[("credential", name)], u8::from(is_overdue));
            }
        }
        let help = "New contents of a credential's file, by whether they came into use.";
        let mut family = page.family("credential_file_changes_total", C, help);
        for (name, file) in &files {
            for (outcome, count) in [("taken", file.taken), ("refused", file.refusals)] {
                family.sample(&[("credential", name), ("outcome", outcome)], count);
            }
        }
    }

    fn write_bounds(&self, page: &mut Page) {
        page.family("verified_tokens", G, "Callers' tokens that are kept as verified.")
            .sample(&[], self.decide.tokens.tokens().0);
        page.family("waiting", G, "Requests that wait for keys or a credential.")
            .sample(&[], self.decide.waiting.places().0);
        page.family("calls_in_flight", G, "Calls that were let through and are not over.")
            .sample(&[], self.calls.table.len());
        page.family("calls_lapsed_total", C, "Calls whose log line did not come within an hour.")
            .sample(&[], self.calls.table.lapses());
        let help = "Requests of callers for whom there was no room to keep a budget.";
        page.family("limit_overflow_total", C, help).sample(&[], self.calls.limits.overflowed());
        page.family("principals", G, "Callers whose history is kept, to see misuse.")
            .sample(&[], self.calls.watch.len());
        let help = "Histories of callers that made room for others.";
        page.family("principals_evicted_total", C, help).sample(&[], self.calls.watch.evicted());
    }

    /// Writes the times of the locations that are served here, whatever other backends HAProxy has.
    fn write_locations(&self, page: &mut Page, times: &[LocationTimes]) {
        let known = || {
            let served =
                |times: &&LocationTimes| self.decide.bearers.place(&times.location).is_some();
            times.iter().filter(served)
        };
        let mut connect = page.family(
            "location_connect_seconds",
            G,
            "Mean time to connect to a location, over its latest 1024 requests.",
        );
        for times in known() {
            connect.millis(&[("location", &times.location)], times.connect_millis);
        }
        let mut response = page.family(
            "location_response_seconds",
            G,
            "Mean time to the head of a location's answers, over its latest 1024 requests.",
        );
        for times in known() {
            response.millis(&[("location", &times.location)], times.response_millis);
        }
    }
}

impl Metrics {
    fn write_decisions(&self, page: &mut Page) {
        let mut family = page.family("decisions_total", C, "Requests decided on, by the outcome.");
        let labels = |decision, reason| [("decision", decision), ("reason", reason)];
        family.sample(&labels("allow", "ok"), self.allowed.get());
        for (reason, count) in Reason::ALL.iter().zip(&self.denied) {
            family.sample(&labels("deny", reason.code()), count.get());
        }
    }

    /// Writes the counts of calls. A counter at zero has no line, as there may be thousands of
    /// roles.
    fn write_calls(&self, page: &mut Page) {
        let models = || {
            self.roles.iter().flat_map(|role| role.models.iter().map(move |model| (role, model)))
        };
        let called = || models().filter(|(_, model)| model.requests.get() > 0);
        let help = "Requests that a role allowed, by the pattern of the model.";
        let mut requests = page.family("requests_total", C, help);
        for (role, model) in called() {
            requests.sample(&[("role", &role.role), ("model", &model.model)], model.requests.get());
        }
        let mut tokens = page.family("tokens_total", C, "Tokens that Google counted for calls.");
        for (role, model) in models() {
            for (kind, count) in TokenKind::ALL.iter().zip(&model.tokens) {
                let labels =
                    [("role", &*role.role), ("model", &*model.model), ("kind", kind.name())];
                if count.get() > 0 {
                    tokens.sample(&labels, count.get());
                }
            }
        }
        let help = "Calls whose tokens could not be counted.";
        write_listed(page, "calls_unmetered_total", help, "reason", &self.uncounted);
        write_listed(page, "signals_total", "Signs of misuse.", "signal", &self.signals);
    }

    fn write_times(&self, page: &mut Page) {
        let mut family = page.family(
            "time_to_first_byte_seconds",
            H,
            "From sending a request to Google to the first byte of the answer.",
        );
        for (location, histogram) in &self.first_bytes {
            family.histogram(&[("location", location)], histogram);
        }
        page.family("wait_seconds", H, "How long requests waited for keys or a credential.")
            .histogram(&[], &self.wait);
    }
}

/// A row that can be the labels of a sample.
trait Labelled {
    fn labels(&self) -> Vec<(&str, &str)>;
}

impl Labelled for IssuerRow {
    fn labels(&self) -> Vec<(&str, &str)> {
        vec![("issuer", &self.name)]
    }
}

impl Labelled for CredentialRow {
    fn labels(&self) -> Vec<(&str, &str)> {
        vec![("credential", &self.name), ("location", &self.location)]
    }
}

fn gauge<R: Labelled>(
    page: &mut Page,
    name: &'static str,
    help: &str,
    rows: &[R],
    value: impl Fn(&R) -> Option<i64>,
) {
    let mut family = page.family(name, G, help);
    for row in rows {
        if let Some(value) = value(row) {
            family.sample(&row.labels(), value);
        }
    }
}

fn write_listed(
    page: &mut Page,
    name: &'static str,
    help: &str,
    label: &'static str,
    counts: &Listed,
) {
    let mut family = page.family(name, C, help);
    for (value, count) in counts {
        family.sample(&[(label, value)], count.get());
    }
}
