//! The backends that a configuration needs in HAProxy: one for each location that a role names, and
//! one for each host that keys or tokens are fetched from.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::error::{ConfigError, ConfigErrors, each};
use crate::fetch::{Endpoint, Scheme};
use crate::oidc::KeySource;
use crate::vertex::host_of;

pub(super) fn check(
    config: &Config,
    backends: &[String],
    location_prefix: Option<&str>,
    fetch_prefix: &str,
) -> Result<(), ConfigErrors> {
    let mut seen: BTreeSet<String> = backends.iter().cloned().collect();
    let mut errors = Vec::new();
    for (issuer_index, issuer) in config.issuers.iter().enumerate() {
        let hosts = match &issuer.source {
            KeySource::Fetched { hosts, .. } => hosts.as_slice(),
            KeySource::File(_) => &[],
        };
        for authority in hosts {
            let name = format!("{fetch_prefix}{authority}");
            if seen.insert(name.clone()) {
                let at = format!("/issuers/{issuer_index}");
                errors.push(missing(at, &name, "vertex-fetch", authority));
            }
        }
    }
    for (index, credential) in config.credentials.iter().enumerate() {
        for endpoint in credential.source.now().endpoints() {
            let name = format!("{fetch_prefix}{}", endpoint.authority);
            if seen.insert(name.clone()) {
                errors.push(missing_fetch(format!("/credentials/{index}"), &name, endpoint));
            }
        }
    }
    for (role_index, role) in config.roles.iter().enumerate() {
        let listed = role.may.locations.iter().enumerate();
        let listed =
            listed.map(|(index, pattern)| (format!("may/locations/{index}"), pattern.exact()));
        let default = role.default.iter().map(|default| &*default.location);
        let default = default.map(|location| ("default/location".to_owned(), Some(location)));
        for (member, location) in listed.chain(default) {
            let (Some(location), Some(location_prefix)) = (location, location_prefix) else {
                continue;
            };
            let name = format!("{location_prefix}{location}");
            // Reported once, however many roles need it.
            if seen.insert(name.clone()) {
                let at = format!("/roles/{role_index}/{member}");
                errors.push(missing(
                    at,
                    &name,
                    "vertex-upstream",
                    &host_of(location, &config.universe_domain),
                ));
            }
        }
    }
    ConfigErrors::unless_empty(errors)
}

/// The locations that roles name one by one, if no backends tell which ones there are.
pub(super) fn named_locations(config: &Config) -> Result<Vec<String>, ConfigErrors> {
    let patterns = config.roles.iter().enumerate().flat_map(|(role_index, role)| {
        let patterns = role.may.locations.iter().enumerate();
        patterns.map(move |(index, pattern)| (role_index, index, pattern))
    });
    let locations = each(patterns.map(|(role_index, index, pattern)| {
        pattern.exact().map(str::to_owned).ok_or_else(|| {
            let problem = "without vertex.cfg no backends tell which locations there are: name \
                           them one by one";
            ConfigError::at(format!("/roles/{role_index}/may/locations/{index}"), problem)
        })
    }))?;
    Ok(locations.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

/// Google's metadata server has a fixed address; none that is asked by http has TLS.
fn missing_fetch(at: String, name: &str, endpoint: &Endpoint) -> ConfigError {
    match endpoint.scheme {
        Scheme::Https => missing(at, name, "vertex-fetch", &endpoint.authority),
        Scheme::Http => {
            let address = match endpoint.authority.as_str() {
                "metadata.google.internal" => "169.254.169.254:80".to_owned(),
                authority if authority.contains(':') => authority.to_owned(),
                authority => format!("{authority}:80"),
            };
            ConfigError::at(
                at,
                format!(
                    "HAProxy has no backend {name}; paste this into its configuration:\n\
                     backend {name} from vertex-fetch\n    server metadata {address}"
                ),
            )
        }
    }
}

fn missing(at: String, name: &str, defaults: &str, authority: &str) -> ConfigError {
    let (host, address) = match authority.split_once(':') {
        Some((host, _)) => (host, authority.to_owned()),
        None => (authority, format!("{authority}:443")),
    };
    let filter = match defaults {
        "vertex-upstream" => "filter lua.vertex-meter\n    ",
        _ => "",
    };
    ConfigError::at(
        at,
        format!(
            "HAProxy has no backend {name}; paste this into its configuration:\n\
             backend {name} from {defaults}\n    {filter}\
             server {host} {address} ssl verify required ca-file @system-ca sni str({host}) \
             resolvers vertex init-addr none"
        ),
    )
}
