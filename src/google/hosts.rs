//! The hosts that a credential's file may name: whoever wrote the file must not choose who is given
//! a secret.

use crate::fetch::Endpoint;

const GOOGLE: &str = ".googleapis.com";
const UNIVERSE: &str = "googleapis.com";

/// Metadata servers of clouds: no network but a machine's own leads there, and none has TLS.
const METADATA_SERVERS: [&str; 2] = ["169.254.169.254", "metadata.google.internal"];

/// Names of the machine itself, which a sidecar serves without TLS.
const ITSELF: [&str; 2] = ["localhost", "127.0.0.1"];

/// Google's hosts, and those that the configuration lists besides.
#[derive(Clone, Copy, Debug)]
pub struct Hosts<'h>(pub &'h [String]);

impl Hosts<'_> {
    /// The endpoint behind a URL that stands at `pointer` of a file.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(super) fn endpoint(self, pointer: &str, url: &str) -> Result<Endpoint, String> {
        let endpoint = Endpoint::parse(url).map_err(|why| format!("{pointer}: {why}"))?;
        let authority = &endpoint.authority;
        match authority.ends_with(GOOGLE) || self.0.contains(authority) {
            true => Ok(endpoint),
            false => Err(format!(
                "{pointer}: {authority} is no host of Google's: one of *{GOOGLE} is wanted, or \
                 list it in `hosts` of this credential if you trust it"
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
        let is_listed = self.0.contains(authority);
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

/// Checks that a file is of Google's own universe, whose Vertex AI this gateway serves.
pub(super) fn check_universe(universe: Option<&str>) -> Result<(), String> {
    match universe {
        None | Some("" | UNIVERSE) => Ok(()),
        Some(_) => Err(format!("/universe_domain: only {UNIVERSE} is served")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_googles_or_listed_ones_are_asked() {
        let listed = ["sts.corp.example".to_owned()];
        let check = |url: &str| Hosts(&listed).endpoint("/token_url", url).map(|e| e.authority);
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
        let check = |url: &str| Hosts(&listed).source("/url", url).map(|e| e.authority);
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
