//! Servers of a backend: where each leads, and how its certificate is checked.

use std::net::IpAddr;

use crate::haproxy::section::{Line, Section};

/// Google's metadata server, on the machine's own link, answers without TLS.
const METADATA: &[&str] = &["169.254.169.254", "fd20:ce::254", "metadata.google.internal"];

/// Families of addresses that stay on the machine.
const LOCAL_FAMILIES: &[&str] = &["unix", "abns", "abnsz", "sockpair", "fd"];

/// A server, with what `default-server` lines before it say.
#[derive(Debug)]
pub struct Server<'s> {
    /// Where it is written.
    pub line: &'s Line,
    /// Its address.
    pub address: &'s str,
    options: Options,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    is_tls: bool,
    is_unverified: Option<bool>,
    names_host: bool,
}

impl Options {
    fn read(mut self, words: &[String]) -> Self {
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "ssl" => self.is_tls = true,
                "no-ssl" => self.is_tls = false,
                "verify" => self.is_unverified = Some(words.next() == Some("none")),
                "sni" | "verifyhost" => self.names_host = words.next().is_some(),
                _ => {}
            }
        }
        self
    }
}

impl Server<'_> {
    /// Whether what it answers comes over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.options.is_tls
    }

    /// Whether any certificate would do; `by_default` where the server does not say.
    #[must_use]
    pub fn is_unverified(&self, by_default: bool) -> bool {
        self.options.is_unverified.unwrap_or(by_default)
    }

    /// Whether the name in its certificate is compared with one.
    #[must_use]
    pub const fn names_host(&self) -> bool {
        self.options.names_host
    }

    /// Whether it is on this machine or its own link, where nobody else listens in.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address = match self.address.split_once('@') {
            Some((family, _)) if LOCAL_FAMILIES.contains(&family) => return true,
            Some((_, address)) => address,
            None => self.address,
        };
        let host = match address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => host,
            _ => address,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
        host.starts_with('/')
            || host == "localhost"
            || METADATA.contains(&host)
            || host.parse().is_ok_and(is_loopback)
            || address.parse().is_ok_and(is_loopback)
    }
}

impl Section {
    /// Its servers.
    #[must_use]
    pub fn servers(&self) -> Vec<Server<'_>> {
        let (mut servers, mut defaults) = (Vec::new(), Options::default());
        for line in &self.lines {
            let words: Vec<&str> = line.words.iter().map(String::as_str).take(4).collect();
            let after = |taken: usize| line.words.get(taken..).unwrap_or_default();
            let (address, options) = match words.as_slice() {
                ["default-server", ..] => {
                    defaults = defaults.read(after(1));
                    continue;
                }
                ["server", _, address, ..] => (*address, defaults.read(after(3))),
                ["server-template", _, _, address, ..] => (*address, defaults.read(after(4))),
                ["dispatch", address, ..] => (*address, Options::default()),
                _ => continue,
            };
            servers.push(Server { line, address, options });
        }
        servers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::section::SectionKind;

    fn section(lines: &[&str]) -> Section {
        let line = |text: &&str| Line {
            place: String::new(),
            text: (*text).to_owned(),
            words: text.split(' ').map(str::to_owned).collect(),
        };
        let lines = lines.iter().map(line).collect();
        let (name, from, place) = (String::new(), String::new(), String::new());
        Section { kind: SectionKind::Backend, name, from, base: None, place, lines }
    }

    #[test]
    fn tells_addresses_of_the_machine_from_others() {
        let is_local = |address: &str| {
            section(&[&format!("server s {address}")]).servers().iter().all(Server::is_local)
        };
        for address in [
            "127.0.0.1:80",
            "127.9.9.9",
            "::1",
            "[::1]:443",
            "::1:443",
            "localhost:1",
            "/run/x.sock",
            "unix@/run/x.sock",
            "unix@x",
            "abns@x",
            "ipv4@127.0.0.1:80",
            "ipv6@[::1]:80",
            "tcp@127.0.0.1:1",
            "169.254.169.254:80",
            "metadata.google.internal:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(is_local(address), "{address}");
        }
        for address in [
            "10.0.0.1:80",
            "127.example:80",
            "169.254.169.253:80",
            "localhost.example:80",
            "[fe80::1]:80",
            "accounts.google.com:443",
            "ipv4@10.0.0.1:80",
            "0.0.0.0:80",
            "x/127.0.0.1:80",
            "evil.example@127.0.0.2.example:80",
        ] {
            assert!(!is_local(address), "{address}");
        }
    }

    #[test]
    fn a_server_has_what_default_servers_before_it_say() {
        let section = section(&[
            "server a x:1",
            "default-server ssl verify none",
            "server b x:1",
            "server c x:1 verify required sni str(x)",
            "server d x:1 no-ssl",
            "server-template e 3 x:1 verifyhost x",
            "dispatch x:1",
        ]);
        let found: Vec<_> = section
            .servers()
            .iter()
            .map(|s| (s.is_tls(), s.is_unverified(false), s.names_host()))
            .collect();
        let (tls, plain) = ((true, true, false), (false, false, false));
        let c = (true, false, true);
        assert_eq!(found, [plain, tls, c, (false, true, false), (true, true, true), plain]);
    }
}
