//! The hosts that a credential's file may name: whoever wrote the file must not choose who is given
//! a secret.

use crate::fetch::Endpoint;

/// The domain of Google's own universe.
pub const GOOGLES_UNIVERSE: &str = "googleapis.com";

/// Metadata servers of clouds: no network but a machine's own leads there, and none has TLS.
const METADATA_SERVERS: [&str; 2] = ["169.254.169.254", "metadata.google.internal"];

/// Names of the machine itself, which a sidecar serves without TLS.
const ITSELF: [&str; 2] = ["localhost", "127.0.0.1"];

/// The hosts of a universe of Google's, and those that the configuration lists besides.
#[derive(Clone, Copy, Debug)]
pub struct Hosts<'h> {
    /// The universe's domain.
    pub universe: &'h str,
    /// Those that are listed.
    pub listed: &'h [String],
}

impl Hosts<'_> {
    /// Those of Google's own universe, and no others.
    pub(super) const GOOGLES: Self = Self { universe: GOOGLES_UNIVERSE, listed: &[] };

    /// Whether the universe is Google's own.
    #[must_use]
    pub fn are_googles(self) -> bool {
        self.universe == GOOGLES_UNIVERSE
    }

    /// Checks the universe that a credential's file says it is of.
    ///
    /// # Errors
    /// Which one is wanted.
    pub(super) fn check_universe(self, said: Option<&str>) -> Result<(), String> {
        let said = said.filter(|said| !said.is_empty()).unwrap_or(GOOGLES_UNIVERSE);
        match said == self.universe {
            true => Ok(()),
            false => Err(format!(
                "/universe_domain: it is of {said}, and this gateway serves {}: one and the same \
                 `universe_domain` is wanted here and in vertex.json",
                self.universe
            )),
        }
    }

    /// Where its Security Token Service is.
    pub(super) fn sts_url(self) -> String {
        format!("https://sts.{}/v1/token", self.universe)
    }

    fn are_of_universe(self, authority: &str) -> bool {
        authority.strip_suffix(self.universe).is_some_and(|rest| rest.ends_with('.'))
    }

    /// The endpoint behind a URL that stands at `pointer` of a file.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(super) fn endpoint(self, pointer: &str, url: &str) -> Result<Endpoint, String> {
        let endpoint = Endpoint::parse(url).map_err(|why| format!("{pointer}: {why}"))?;
        let authority = &endpoint.authority;
        match self.are_of_universe(authority) || self.listed.contains(authority) {
            true => Ok(endpoint),
            false => Err(format!(
                "{pointer}: {authority} is no host of Google's: one of *.{} is wanted, or \
                 list it in `hosts` of this credential if you trust it",
                self.universe
            )),
        }
    }

    /// The endpoint behind a URL at `pointer` that gives another issuer's token, or leads to it.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(super) fn source(self, pointer: &str, url: &str) -> Result<Endpoint, String> {
        if !url.starts_with("http://") {
            return self.endpoint(pointer, url);
        }
        let endpoint = Endpoint::parse_http(url).map_err(|why| format!("{pointer}: {why}"))?;
        let authority = &endpoint.authority;
        let host = authority.split(':').next().unwrap_or_default();
        let is_listed = self.listed.contains(authority);
        match METADATA_SERVERS.contains(&authority.as_str()) || ITSELF.contains(&host) && is_listed
        {
            true => Ok(endpoint),
            false if ITSELF.contains(&host) => Err(format!(
                "{pointer}: list {authority} in `hosts` of this credential if you trust it"
            )),
            false => Err(format!(
                "{pointer}: {authority} is asked without TLS: https:// is wanted; http:// is for \
                 {} and, if listed in `hosts`, localhost",
                METADATA_SERVERS.join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_googles_or_listed_ones_are_asked() {
        let listed = ["sts.corp.example".to_owned()];
        let check = |url: &str| {
            Hosts { listed: &listed, ..Hosts::GOOGLES }
                .endpoint("/token_url", url)
                .map(|e| e.authority)
        };
        for (url, host) in [
            ("https://sts.googleapis.com/v1/token", "sts.googleapis.com"),
            ("https://STS.googleapis.com:443/v1/token", "sts.googleapis.com"),
            ("https://sts.eu.rep.googleapis.com/", "sts.eu.rep.googleapis.com"),
            ("https://sts.corp.example/", "sts.corp.example"),
        ] {
            assert_eq!(check(url).as_deref(), Ok(host));
        }
        for url in [
            "https://googleapis.com/",
            "https://evilgoogleapis.com/",
            "https://sts.googleapis.com.evil.example/",
            "https://sts.googleapis.com:8443/",
            "https://sts.googleapis.com@evil.example/",
            "https://evil.example/?.googleapis.com",
            "https://other.corp.example/",
            "http://sts.googleapis.com/",
        ] {
            let why = check(url).unwrap_err();
            assert!(why.starts_with("/token_url: ") && why.contains("wanted"), "{why}");
        }
    }

    #[test]
    fn clear_text_is_for_metadata_servers_and_the_machine_itself() {
        let listed = ["localhost:8080".to_owned(), "idp.corp.example".to_owned()];
        let check = |url: &str| {
            Hosts { listed: &listed, ..Hosts::GOOGLES }.source("/url", url).map(|e| e.authority)
        };
        for (url, host) in [
            ("http://169.254.169.254/metadata/identity/oauth2/token?x=y", "169.254.169.254"),
            ("http://169.254.169.254:80/latest/api/token", "169.254.169.254"),
            ("http://metadata.google.internal/x", "metadata.google.internal"),
            ("http://localhost:8080/token", "localhost:8080"),
            ("https://idp.corp.example/token", "idp.corp.example"),
        ] {
            assert_eq!(check(url).as_deref(), Ok(host));
        }
        for (url, why) in [
            ("http://localhost:8081/token", "list localhost:8081 in `hosts`"),
            ("http://idp.corp.example/token", "https:// is wanted"),
            ("http://169.254.169.254:8080/", "https:// is wanted"),
            ("http://169.254.169.254@evil.example/", "without user"),
            ("http://[fd00:ec2::254]/latest", "without user or brackets"),
            ("http://169.254.169.254.evil.example/", "https:// is wanted"),
            ("https://evil.example/", "no host of Google's"),
            ("file:///etc/passwd", "https://"),
        ] {
            let told = check(url).unwrap_err();
            assert!(told.starts_with("/url: ") && told.contains(why), "{told}");
        }
    }
}
