//! Builds a gateway from a checked configuration: checks what it needs of HAProxy, takes over the
//! keys that the former process stored, and signs tokens for Google.

mod backends;
mod counting;
mod frontends;
mod process;
mod sections;
mod switches;

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use crate::config::{Config, StateFile};
use crate::error::{All as _, ConfigError, ConfigErrors};
use crate::gateway::Gateway;
use crate::gateway::admin::Admin;
use crate::gateway::admin::counters::Metrics;
use crate::gateway::admin::health_log::HealthLog;
use crate::gateway::admin::readiness::Readiness;
use crate::gateway::calls::Calls;
use crate::gateway::decide::Decide;
use crate::gateway::decide::buffer::Buffer;
use crate::gateway::decide::reply::Accepted;
use crate::gateway::decide::request_id::RequestIds;
use crate::gateway::decide::upload::Uploads;
use crate::gateway::decide::verified_token::VerifiedTokens;
use crate::gateway::decide::waiting::Waiting;
use crate::google::{Bearers, Credential};
use crate::haproxy::{API_KEYS, Haproxy, Line, Unreadable};
use crate::jose;
use crate::oidc::{Issuer, IssuerConfig, KeySource, TokenHeader, Verifier};
use crate::policy::Policy;
use crate::time::Now;
use crate::vertex::host_of;

/// Prefix of the backends that lead to Google; the location follows.
const LOCATION_BACKEND: &str = "vertex_";

/// Prefix of the backends that lead to an issuer's host; its authority follows.
const FETCH_BACKEND: &str = "vertex_fetch_";

/// The backend for requests whose location has none; it is no location itself.
const UNROUTED_BACKEND: &str = "vertex_unrouted";

/// The `defaults` of frontends and of locations' backends, which hold the packaged rules.
const FRONTEND_DEFAULTS: &str = "vertex";
const BACKEND_DEFAULTS: &str = "vertex-upstream";

/// The filter that reads answers.
const METER: &str = "lua.vertex-meter";

/// Bytes that a request may grow by its Host and path, beside the bearer, within `tune.maxrewrite`.
const REWRITE_RESERVE_BYTES: usize = 1024;

/// Bytes that an issuer's headers take in the buffer, beside its document.
const FETCH_RESERVE_BYTES: usize = 2048;

impl Gateway {
    /// Opens a gateway on a checked configuration; tokens for Google are signed before this
    /// returns.
    ///
    /// # Errors
    /// Everything that HAProxy lacks for it: backends, rules, room in its buffers.
    pub fn open(config: Config, haproxy: &Haproxy, now: Now) -> Result<Self, ConfigErrors> {
        let file = config.file.clone();
        Self::try_open(config, haproxy, now).map_err(|errors| errors.in_file(&file))
    }

    fn try_open(config: Config, haproxy: &Haproxy, now: Now) -> Result<Self, ConfigErrors> {
        let location_backend = (!haproxy.is_bare).then_some(LOCATION_BACKEND);
        let checked = (
            config.check_backends(&haproxy.backends, location_backend, FETCH_BACKEND),
            check_accounts(&config, haproxy),
            check_fetches(&config, haproxy),
            check_api_keys(&config, haproxy),
            check_rules(haproxy, &config.universe_domain),
        )
            .all();
        let locations = match haproxy.is_bare {
            true => config.named_locations(),
            false => Ok(locations_of(&haproxy.backends)),
        };
        let gateway = locations.and_then(|locations| {
            let gateway = Self::build(config, locations, now)?;
            gateway.check_buffers(haproxy)?;
            Ok(gateway)
        });
        let (_, gateway) = (checked, gateway).all()?;
        Ok(gateway.with(haproxy))
    }

    /// A gateway for these locations without HAProxy, which only explains decisions.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn offline(config: Config, locations: Vec<String>, now: Now) -> Result<Self, ConfigError> {
        Self::build(config, locations, now)
    }

    fn build(config: Config, locations: Vec<String>, now: Now) -> Result<Self, ConfigError> {
        let hosts = locations.into_iter().map(|location| {
            let host = host_of(&location, &config.universe_domain);
            (location, host)
        });
        let seal = jose::random_hex()
            .ok_or_else(|| ConfigError::at("", "the system gives no random numbers"))?;
        let accepted = accepted(&config);
        let issuers: Vec<_> =
            config.issuers.into_iter().map(|issuer| Issuer::new(issuer, now)).collect();
        restore(&issuers, &config.state, now);
        let bearers = Bearers::new(config.credentials, hosts.collect(), &seal, now);
        let policy = Policy::new(config.roles);
        let admin = Admin {
            counters: Metrics::new(policy.roles(), bearers.locations()),
            health_log: HealthLog::new(&issuers, bearers.credentials()),
            readiness: Readiness::new(now),
            may_change: config.admin_commands,
        };
        let decide = Decide {
            verifier: Verifier::new(issuers),
            tokens: VerifiedTokens::default(),
            policy,
            bearers,
            buffer: Buffer::of(&Haproxy::default()),
            waiting: Waiting::default(),
            uploads: Uploads::default(),
            labels: config.labels,
            ids: RequestIds::default(),
            learnt: AtomicU64::new(0),
            token_headers: config.token_headers,
            accepted,
        };
        Ok(Self { decide, calls: Calls::new(config.limits), admin })
    }

    /// Adapts the gateway to this HAProxy's settings.
    fn with(self, haproxy: &Haproxy) -> Self {
        Self {
            decide: Decide {
                buffer: Buffer::of(haproxy),
                bearers: self
                    .decide
                    .bearers
                    .with_room(haproxy.maxrewrite.saturating_sub(REWRITE_RESERVE_BYTES))
                    .with_askable(askable(haproxy)),
                ..self.decide
            },
            calls: Calls { accounts: haproxy.accounts, ..self.calls },
            ..self
        }
    }

    /// Checks `tune.maxrewrite` and `tune.bufsize`: HAProxy fails a request whose headers outgrow
    /// the first, and cannot tell an endless document from one that fills its buffer.
    fn check_buffers(&self, haproxy: &Haproxy) -> Result<(), ConfigError> {
        let longest = self.decide.bearers.longest_header();
        let Haproxy { bufsize, maxrewrite, fetch_max, .. } = *haproxy;
        let wanted = longest.saturating_add(REWRITE_RESERVE_BYTES);
        let room = bufsize.saturating_sub(maxrewrite);
        let fetch_room = fetch_max.saturating_add(FETCH_RESERVE_BYTES);
        let fits = maxrewrite >= wanted && room >= maxrewrite && room >= fetch_room;
        // Unreadable sizes are reported on their own.
        if fits || !haproxy.unreadable.is_empty() {
            return Ok(());
        }
        let maxrewrite_wanted = wanted.next_power_of_two().max(8192);
        let bufsize_wanted = maxrewrite_wanted
            .saturating_mul(4)
            .max(maxrewrite_wanted.saturating_add(fetch_room).next_multiple_of(4096));
        // A line that takes no variable of ours stands behind the one of vertex.cfg that does.
        let own = ["tune.bufsize", "tune.maxrewrite"].iter().find_map(|keyword| {
            let (line, _) = haproxy.global(keyword).last()?;
            (!haproxy.is_bare && !line.text.contains("VERTEX_")).then_some(line)
        });
        let remedy = match own {
            Some(line) => format!(
                "`{}` takes the place of what vertex.cfg sets: leave it out, or write \
                 tune.maxrewrite {maxrewrite_wanted} and tune.bufsize {bufsize_wanted}",
                line.text
            ),
            None if haproxy.is_bare => format!(
                "write tune.maxrewrite {maxrewrite_wanted} and tune.bufsize {bufsize_wanted} in \
                 the global section"
            ),
            None => format!(
                "set VERTEX_MAXREWRITE={maxrewrite_wanted} and VERTEX_BUFSIZE={bufsize_wanted} in \
                 HAProxy's environment"
            ),
        };
        let problem = format!(
            "tune.bufsize {bufsize} with tune.maxrewrite {maxrewrite} is too small for an \
             Authorization header of {longest} bytes and documents of {fetch_max} bytes: {remedy}"
        );
        Err(match own {
            Some(line) => fault(line, problem),
            None => ConfigError::at("/credentials", problem),
        })
    }
}

/// The hosts that HAProxy has a backend for.
fn askable(haproxy: &Haproxy) -> impl Iterator<Item = String> {
    haproxy.backends.iter().filter_map(|name| name.strip_prefix(FETCH_BACKEND)).map(str::to_owned)
}

fn locations_of(backends: &[String]) -> Vec<String> {
    let locations = backends.iter().filter(|name| is_location_backend(name));
    locations.filter_map(|name| name.strip_prefix(LOCATION_BACKEND)).map(str::to_owned).collect()
}

fn is_location_backend(name: &str) -> bool {
    name.starts_with(LOCATION_BACKEND)
        && !name.starts_with(FETCH_BACKEND)
        && name != UNROUTED_BACKEND
}

fn check_accounts(config: &Config, haproxy: &Haproxy) -> Result<(), ConfigError> {
    match config.limits.parallel().filter(|_| !haproxy.accounts) {
        None => Ok(()),
        Some(pointer) => {
            let problem = "nobody tells when a request has ended, so none can be counted as in \
                           flight: call lua.vertex_log_fields in the log-format, or leave \
                           `parallel_requests` out";
            Err(ConfigError::at(pointer, problem))
        }
    }
}

/// The rules of vertex.cfg send no API key unless they are told to.
fn check_api_keys(config: &Config, haproxy: &Haproxy) -> Result<(), ConfigErrors> {
    if haproxy.is_bare || haproxy.switches.get(API_KEYS).is_some_and(|given| given == "on") {
        return Ok(());
    }
    let credentials = config.credentials.iter().enumerate();
    let keys = credentials.filter(|(_, credential)| credential.source.is_api_key());
    let fault = |(index, _)| {
        let problem = format!(
            "no API key is sent: set {API_KEYS}=on in HAProxy's environment, or another type"
        );
        ConfigError::at(format!("/credentials/{index}/type"), problem)
    };
    ConfigErrors::unless_empty(keys.map(fault).collect())
}

fn check_fetches(config: &Config, haproxy: &Haproxy) -> Result<(), ConfigErrors> {
    let fetched = |issuer: &IssuerConfig| match issuer.source {
        KeySource::Fetched { .. } => true,
        KeySource::File(_) => false,
    };
    let is_fetched = |credential: &Credential| credential.source.now().endpoints().next().is_some();
    match config.issuers.iter().any(fetched) || config.credentials.iter().any(is_fetched) {
        true => ConfigErrors::unless_empty(process::faults_of_socket(haproxy)),
        false => Ok(()),
    }
}

/// Faults of HAProxy's own files that do not depend on the configuration; what would be right names hosts
/// of this universe. Without the packaged
/// rules there are no packaged defaults, and only the operator's gate.
///
/// # Errors
/// Every fault.
pub fn check_rules(haproxy: &Haproxy, universe: &str) -> Result<(), ConfigErrors> {
    let size = |Unreadable { setting, place, why }: &Unreadable| {
        let problem = format!("HAProxy's {setting}: {why}");
        match place.as_str() {
            "" => ConfigError::at("", problem),
            place => ConfigError::in_haproxy(place, problem),
        }
    };
    let mut faults: Vec<_> = haproxy.unreadable.iter().map(size).collect();
    if !haproxy.is_bare {
        faults.extend(switches::faults(haproxy));
        faults.extend(sections::faults(haproxy));
        faults.extend(frontends::faults(haproxy));
        faults.extend(backends::faults_of_rules(haproxy));
    }
    faults.extend(backends::faults_of_servers(haproxy, universe));
    faults.extend(counting::faults(haproxy));
    faults.extend(process::faults_of_scripts(haproxy));
    ConfigErrors::unless_empty(faults)
}

/// Possible faults of HAProxy's own files, which cannot be told for sure.
#[must_use]
pub fn doubts_of_rules(haproxy: &Haproxy) -> Vec<String> {
    let log = counting::doubt_of_log(haproxy);
    process::doubts_of_scripts(haproxy).into_iter().chain(log).collect()
}

fn fault(line: &Line, problem: String) -> ConfigError {
    ConfigError::in_haproxy(&line.place, problem)
}

/// The texts that tell a refused caller what this gateway takes.
fn accepted(config: &Config) -> Accepted {
    let tokens = config.issuers.iter().fold(String::new(), |mut text, issuer| {
        let separator = if text.is_empty() { "" } else { "; or " };
        let audiences = issuer.audiences.join(" or ");
        let _ = write!(text, "{separator}issuer {}, audience {audiences}", issuer.issuer);
        text
    });
    let headers = config.token_headers.iter().map(|header| match header {
        TokenHeader::Authorization => "Authorization as a Bearer token",
        other => other.name(),
    });
    Accepted { tokens, headers: headers.collect::<Vec<_>>().join(", or in ") }
}

fn restore(issuers: &[Issuer], state: &StateFile, now: Now) {
    for stored in &state.issuers {
        for issuer in issuers.iter().filter(|issuer| issuer.config.issuer == stored.issuer) {
            if let Err(why) = issuer.restore(stored, now) {
                let (file, name) = (state.name.display(), &issuer.config.name);
                log::warn!(
                    "state file {file}: keys of issuer {name} not used, they are fetched: {why}"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::check_rules;
    use crate::haproxy::{File, Haproxy, System, Version};

    /// HAProxy with one file, `x.cfg`, and the packaged rule set.
    pub(super) fn read(text: &str) -> Haproxy {
        read_on("", text)
    }

    pub(super) fn read_on(version: &str, text: &str) -> Haproxy {
        let files = [File { name: "x.cfg".to_owned(), text: text.to_owned() }];
        let system = System {
            environment: &|name| (name == "VERTEX_RULES").then(String::new),
            version: Version::parse(version),
            users: HashMap::from([("haproxy".to_owned(), 99), ("root".to_owned(), 0)]),
            real_path: &str::to_owned,
        };
        Haproxy::read(&files, &system)
    }

    #[test]
    fn a_size_that_cannot_be_read_is_told_where_it_stands() {
        let told = |text: &str| {
            let faults = check_rules(&read(text), "googleapis.com").err();
            let faults = faults.into_iter().flatten().map(|fault| fault.to_string());
            faults.collect::<Vec<_>>()
        };
        assert_eq!(
            told("global\n tune.bufsize 64k"),
            ["x.cfg:2: HAProxy's tune.bufsize: 64k is not the same in every HAProxy: write 65536"]
        );
        assert_eq!(told("global\n tune.bufsize 65536"), [""; 0]);
    }
}
