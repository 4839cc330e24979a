//! The hosts that a credential's file may name: whoever wrote the file must not choose who is given
//! a secret.

use crate::fetch::Endpoint;

const GOOGLE: &str = ".googleapis.com";
const UNIVERSE: &str = "googleapis.com";

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
}
