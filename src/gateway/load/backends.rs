//! Checks the backends that lead to Google or an issuer: they have the packaged rules and a filter
//! that reads answers, and servers whose identity is verified.

use crate::error::ConfigError;
use crate::gateway::load::{
    BACKEND_DEFAULTS, FETCH_BACKEND, LOCATION_BACKEND, METER, fault, is_location_backend,
};
use crate::haproxy::{Haproxy, Line, Section, Server, Version};
use crate::vertex::host_of;

const FETCH_DEFAULTS: &str = "vertex-fetch";

/// Faults in the rules of backends. A backend that is not `from` the packaged defaults has no gate,
/// and sends the caller's token on.
pub(super) fn faults_of_rules(haproxy: &Haproxy) -> Vec<ConfigError> {
    let mut faults = Vec::new();
    for section in haproxy.sections.iter().filter(|section| section.is_backend()) {
        let name = &section.name;
        let wanted = match section.name.as_str() {
            name if name.starts_with(FETCH_BACKEND) => FETCH_DEFAULTS,
            name if is_location_backend(name) => BACKEND_DEFAULTS,
            _ => continue,
        };
        if section.from != wanted {
            let problem = format!(
                "HAProxy's backend {name} lacks our rules: write `backend {name} from {wanted}`"
            );
            faults.push(ConfigError::in_haproxy(&section.place, problem));
        }
        if wanted == BACKEND_DEFAULTS && !reads_answers(section) {
            let problem = format!(
                "HAProxy's backend {name} does not read answers: write `filter {METER}` in it"
            );
            faults.push(ConfigError::in_haproxy(&section.place, problem));
        }
    }
    let upstream = haproxy.sections.iter().filter(|section| section.from == BACKEND_DEFAULTS);
    for section in upstream {
        let repeating = section.settings("retry-on").filter(|(_, events)| repeats(events));
        faults.extend(repeating.map(|(line, _)| {
            let problem = format!(
                "HAProxy's backend {} has `{}`: a call that a model has begun to answer would be \
                 sent, and billed, twice, and counted once; conn-failure and statuses alone are \
                 wanted",
                section.name, line.text
            );
            fault(line, problem)
        }));
    }
    faults
}

fn reads_answers(section: &Section) -> bool {
    section.settings("filter").any(|(_, words)| words.first().is_some_and(|name| name == METER))
}

/// Whether a `retry-on` may send a call again that a model has begun to answer: every event but
/// failed connections and statuses, which cost nothing.
fn repeats(events: &[String]) -> bool {
    events.iter().any(|event| {
        !matches!(event.as_str(), "none" | "conn-failure" | "0rtt-rejected")
            && event.parse::<u16>().is_err()
    })
}

/// Faults in the servers of backends: there are none, or anyone could answer in their place.
pub(super) fn faults_of_servers(haproxy: &Haproxy, universe: &str) -> Vec<ConfigError> {
    let any_by_default =
        haproxy.global("ssl-server-verify").last().is_some_and(|(_, v)| v == "none");
    let sets_sni = haproxy.version.is_some_and(|version| version >= Version::V3_3);
    let mut faults = Vec::new();
    for section in haproxy.sections.iter().filter(|section| section.is_backend()) {
        let name = section.name.as_str();
        let host = match name.strip_prefix(FETCH_BACKEND) {
            Some(authority) => authority.split(':').next().unwrap_or(authority).to_owned(),
            None if is_location_backend(name) && !haproxy.is_bare => {
                host_of(name.strip_prefix(LOCATION_BACKEND).unwrap_or(name), universe)
            }
            None => continue,
        };
        let right = format!("ssl verify required ca-file @system-ca sni str({host})");
        let servers = section.servers();
        if servers.is_empty() {
            let problem = format!(
                "HAProxy's backend {name} has no server: write `server {host} {host}:443 {right} \
                 resolvers vertex init-addr none` in it"
            );
            faults.push(ConfigError::in_haproxy(&section.place, problem));
        }
        let trust = Trust { any_by_default, sets_sni };
        faults.extend(servers.iter().filter_map(|server| {
            let why = trust.lacks(server)?;
            Some(untrusted(section, server.line, &format!("{why}: write `{right}`")))
        }));
    }
    faults
}

fn untrusted(section: &Section, line: &Line, why: &str) -> ConfigError {
    fault(line, format!("HAProxy's backend {} has `{}`: {why}", section.name, line.text))
}

/// How HAProxy verifies servers that do not say it themselves.
struct Trust {
    any_by_default: bool,
    sets_sni: bool,
}

impl Trust {
    /// What a server needs before its answers can be trusted; `None` if nothing.
    fn lacks(&self, server: &Server<'_>) -> Option<&'static str> {
        if server.is_local() {
            return None;
        }
        if !server.is_tls() {
            return Some("without ssl, whoever is on the way reads and writes along");
        }
        if server.is_unverified(self.any_by_default) {
            return Some("with verify none, any certificate would do");
        }
        let names_host = server.names_host() || self.sets_sni;
        (!names_host).then_some("without sni, a certificate of any other name would do")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::load::tests::read;

    #[test]
    fn finds_what_would_send_a_call_twice() {
        let repeating = |from: &str, events: &str| {
            let text = format!("backend b from {from}\n retry-on {events}\n");
            faults_of_rules(&read(&text)).len()
        };
        for events in [
            "all-retryable-errors",
            "503 response-timeout",
            "empty-response",
            "junk-response",
            "503 \"response-timeout\"",
            "503 \\x72esponse-timeout",
        ] {
            assert_eq!(repeating("vertex-upstream", events), 1, "{events}");
            assert_eq!(repeating("mine", events), 0, "{events}");
        }
        for events in
            ["none", "conn-failure 0rtt-rejected", "429 \"503\"", "503 # response-timeout"]
        {
            assert_eq!(repeating("vertex-upstream", events), 0, "{events}");
        }
    }

    #[test]
    fn a_backend_of_ours_has_our_rules_and_reads_answers() {
        let said = |text: &str| {
            faults_of_rules(&read(text)).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let one = |text: &str| -> String {
            let [fault] = <[String; 1]>::try_from(said(text)).expect("one fault");
            fault
        };
        let filter = "filter \"lua.vertex-meter\"";
        assert_eq!(said(&format!("backend vertex_eu from vertex-upstream\n {filter}")), [""; 0]);
        assert_eq!(
            said("backend vertex_fetch_x from vertex-fetch\nbackend vertex_unrouted\nbackend b"),
            [""; 0]
        );
        assert!(one(&format!("\nbackend vertex_eu\n {filter}")).starts_with("x.cfg:2: "));
        assert!(
            one("backend vertex_eu from vertex-upstream\n# filter lua.vertex-meter")
                .contains(METER)
        );
        assert!(one("backend vertex_fetch_x from vertex-upstream").ends_with("from vertex-fetch`"));
    }

    fn servers(lines: &str, head: &str) -> Vec<String> {
        let text = format!("{head}\nbackend vertex_fetch_idp.example\n {lines}\n");
        faults_of_servers(&read(&text), "googleapis.com").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_server_proves_who_it_is() {
        let verified = "ssl verify required ca-file @system-ca sni str(idp.example)";
        for (lines, says) in [
            ("mode http", "has no server: write `server idp.example idp.example:443 ssl verify"),
            ("server i idp.example:443", "without ssl"),
            ("server i idp.example:443 ssl verify none sni str(idp.example)", "verify none"),
            ("server i idp.example:443 ssl verify required ca-file @system-ca", "without sni"),
            ("default-server ssl verify none\n server i 10.0.0.1:443 sni str(x)", "verify none"),
            (
                "default-server ssl verify required sni str(x)\n server i 10.0.0.1:443 no-ssl",
                "without ssl",
            ),
            ("server-template i 3 idp.example:443", "without ssl"),
            ("dispatch 10.0.0.1:443", "without ssl"),
        ] {
            let [problem] = servers(lines, "").try_into().expect(lines);
            assert!(problem.contains(says) && problem.starts_with("x.cfg:"), "{problem}");
            assert!(problem.contains(verified), "{problem}");
        }
        let [problem] = servers("server i x:443 ssl sni str(x)", "global\n ssl-server-verify none")
            .try_into()
            .expect("one fault");
        assert!(problem.contains("verify none"), "{problem}");
        for lines in [
            format!("server i idp.example:443 {verified}"),
            format!(
                "default-server {verified}\n server i idp.example:443\n server j idp.example:443"
            ),
            format!("server i idp.example:443 {}", verified.replace("sni str(", "verifyhost x #(")),
            "server i 127.0.0.1:8080".to_owned(),
            "server i unix@/run/idp.sock".to_owned(),
            "server i 169.254.169.254:80".to_owned(),
        ] {
            assert_eq!(servers(&lines, ""), [""; 0], "{lines}");
            if lines.contains("ssl") {
                assert_eq!(servers(&lines, "global\n ssl-server-verify none"), [""; 0], "{lines}");
            }
        }
    }
}
