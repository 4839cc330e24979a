//! Checks the values of the file and converts them to the types of the layers. Each fault is
//! reported at its place.

mod credentials;
mod exchange;
mod express;
mod labels;
mod limits;
mod roles;
mod state;
mod who;

pub(super) use credentials::credentials;
pub(super) use express::express;
pub(super) use labels::labels;
pub(super) use limits::{OfRole, limits};
pub(super) use roles::roles;

use crate::config::{Files, raw};
use crate::error::{All as _, ConfigError, ConfigErrors, each};
use crate::fetch::Endpoint;
use crate::google::GOOGLES_UNIVERSE;
use crate::jose::{Algorithm, Algorithms, KeySet};
use crate::oidc::{ClaimNames, IssuerConfig, KeySource, TokenHeader, TokenHeaders, discovery};
use crate::policy::ClaimPath;

/// The result of a check of one value, and of several.
type One<T> = Result<T, ConfigError>;
type Checked<T> = Result<T, ConfigErrors>;

const NAME_LIMIT: usize = 64;

/// The names that other places may refer to; `None` if not all are known.
pub(super) struct KnownNames {
    pub(super) issuers: Option<Vec<String>>,
    pub(super) credentials: Option<Vec<String>>,
    pub(super) roles: Option<Vec<String>>,
}

/// An element with a unique name.
pub(super) trait Named {
    fn name(&self) -> &str;
}

impl Named for raw::IssuerEntry {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for raw::CredentialEntry {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for raw::RoleEntry {
    fn name(&self) -> &str {
        &self.name
    }
}

pub(super) fn names_of(list: &[impl Named]) -> Vec<String> {
    list.iter().map(|named| named.name().to_owned()).collect()
}

pub(super) fn issuers(raw: Vec<raw::IssuerEntry>, files: &Files<'_>) -> Checked<Vec<IssuerConfig>> {
    non_empty("/issuers", &raw, "an issuer whose tokens are taken")?;
    let names = unique("/issuers", &raw);
    let urls = once(raw.iter().map(|issuer| issuer.issuer.as_str()), |index, url| {
        let problem = format!("{url} stands twice; list all its audiences once");
        ConfigError::at(format!("/issuers/{index}/issuer"), problem)
    });
    let issuer = |(index, raw)| issuer(raw, &format!("/issuers/{index}"), files);
    let issuers = each(raw.into_iter().enumerate().map(issuer));
    let (_, _, issuers) = (names, urls, issuers).all()?;
    Ok(issuers)
}

fn issuer(raw: raw::IssuerEntry, at: &str, files: &Files<'_>) -> Checked<IssuerConfig> {
    let discovery = discovery(&raw.issuer)
        .map_err(|why| ConfigError::at(format!("{at}/issuer"), format!("{}: {why}", raw.issuer)));
    let at_audiences = format!("{at}/audiences");
    let wanted = "the audience that tokens for this gateway name (without one, a token for any \
                  service would do)";
    let audiences =
        (non_empty(&at_audiences, &raw.audiences, wanted), texts(&at_audiences, &raw.audiences))
            .all();
    let algorithms = match &raw.algorithms {
        None => Ok(Algorithms::default()),
        Some(names) => algorithms(&format!("{at}/algorithms"), names),
    };
    let place = place_of_keys(&raw, at, files, algorithms.as_ref().ok());
    let (_, _, discovery, algorithms, place) =
        (name(&format!("{at}/name"), &raw.name), audiences, discovery, algorithms, place).all()?;
    let source = match place {
        PlaceOfKeys::File(keys) => KeySource::File(keys),
        PlaceOfKeys::Uri(jwks) => {
            KeySource::Fetched { discovery, hosts: vec![jwks.authority.clone()], jwks: Some(jwks) }
        }
        PlaceOfKeys::Discovered(others) => {
            let mut hosts = vec![discovery.authority.clone()];
            hosts.extend(others);
            KeySource::Fetched { discovery, jwks: None, hosts }
        }
    };
    claim(&format!("{at}/claims/subject"), raw.claims.subject.as_deref())?;
    claim(&format!("{at}/claims/groups"), raw.claims.groups.as_deref())?;
    claim(&format!("{at}/claims/display"), raw.claims.display.as_deref())?;
    let audience = match raw.claims.audience.unwrap_or(raw::AudienceClaim::Aud) {
        raw::AudienceClaim::Aud => "aud",
        raw::AudienceClaim::Azp => "azp",
        raw::AudienceClaim::ClientId => "client_id",
    };
    Ok(IssuerConfig {
        name: raw.name,
        issuer: raw.issuer,
        audiences: raw.audiences,
        algorithms,
        claims: ClaimNames {
            audience: audience.to_owned(),
            subject: raw.claims.subject.unwrap_or_else(|| "sub".to_owned()),
            groups: raw.claims.groups.unwrap_or_else(|| "groups".to_owned()),
            display: raw.claims.display,
        },
        source,
    })
}

/// The source of an issuer's keys.
enum PlaceOfKeys {
    File(KeySet),
    Uri(Endpoint),
    /// At the URL in its discovery document: on its own host, or one of these.
    Discovered(Vec<String>),
}

fn place_of_keys(
    raw: &raw::IssuerEntry,
    at: &str,
    files: &Files<'_>,
    algorithms: Option<&Algorithms>,
) -> Checked<PlaceOfKeys> {
    let places = [raw.jwks_file.is_some(), raw.jwks_uri.is_some(), !raw.jwks_hosts.is_empty()];
    if places.iter().filter(|given| **given).count() > 1 {
        let problem = "only one of jwks_file, jwks_uri and jwks_hosts is wanted: keys come from \
                       one place, and hosts are for the place that discovery names";
        return Err(ConfigError::at(at, problem).into());
    }
    match (&raw.jwks_file, &raw.jwks_uri) {
        (Some(file), _) => {
            let keys = files.read(file).and_then(|bytes| match algorithms {
                None => Ok(KeySet::default()),
                Some(algorithms) => KeySet::parse(&bytes, algorithms)
                    .map_err(|why| format!("{}: {why}", file.display())),
            });
            let keys = keys.map_err(|why| ConfigError::at(format!("{at}/jwks_file"), why))?;
            Ok(PlaceOfKeys::File(keys))
        }
        (None, Some(uri)) => {
            let jwks = Endpoint::parse(uri)
                .map_err(|why| ConfigError::at(format!("{at}/jwks_uri"), why))?;
            Ok(PlaceOfKeys::Uri(jwks))
        }
        (None, None) => {
            let hosts = hosts(&format!("{at}/jwks_hosts"), &raw.jwks_hosts)?;
            Ok(PlaceOfKeys::Discovered(hosts))
        }
    }
}

fn claim(at: &str, name: Option<&str>) -> One<()> {
    let path = name.map(ClaimPath::parse).transpose();
    path.map(drop).map_err(|why| ConfigError::at(at, why))
}

fn hosts(at: &str, hosts: &[String]) -> Checked<Vec<String>> {
    let authority = |(index, host): (usize, &String)| {
        let endpoint = Endpoint::parse(&format!("https://{host}/")).ok();
        endpoint.filter(|endpoint| endpoint.path == "/").map(|e| e.authority).ok_or_else(|| {
            let problem = format!("{host}: a host name is wanted, without https:// and path");
            ConfigError::at(format!("{at}/{index}"), problem)
        })
    };
    each(hosts.iter().enumerate().map(authority))
}

fn algorithms(at: &str, names: &[String]) -> Checked<Algorithms> {
    non_empty(at, names, "an algorithm")?;
    let known = || Algorithm::ALL.iter().map(|alg| alg.name()).collect::<Vec<_>>().join(", ");
    let algorithm = |(index, name): (usize, &String)| {
        Algorithm::from_name(name).ok_or_else(|| {
            let problem = format!("{name} is not supported: one of {} is wanted", known());
            ConfigError::at(format!("{at}/{index}"), problem)
        })
    };
    each(names.iter().enumerate().map(algorithm)).map(Algorithms::listed)
}

pub(super) fn universe_domain(raw: Option<String>) -> One<String> {
    let Some(domain) = raw else {
        return Ok(GOOGLES_UNIVERSE.to_owned());
    };
    let is_label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_address = domain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_domain = domain.contains('.') && domain.len() <= 128 && !is_address;
    match is_domain && domain.split('.').all(is_label) {
        true => Ok(domain),
        false => {
            let problem =
                format!("\"{domain}\": a domain in small letters is wanted, as googleapis.com");
            Err(ConfigError::at("/universe_domain", problem))
        }
    }
}

pub(super) fn token_headers(raw: Option<&[TokenHeader]>) -> Checked<TokenHeaders> {
    let Some(listed) = raw else {
        return Ok(TokenHeaders::default());
    };
    let at = "/token_headers";
    let repeated = once(listed.iter().map(|header| header.name()), |index, name| {
        ConfigError::at(format!("{at}/{index}"), format!("\"{name}\" stands twice; once is wanted"))
    });
    let wanted = "authorization, x-api-key or x-goog-api-key, or more of them,";
    (non_empty(at, listed, wanted), repeated).all()?;
    Ok(TokenHeaders::listed(listed))
}

fn name(at: &str, name: &str) -> One<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    match (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(plain) {
        true => Ok(()),
        false => {
            let problem = format!(
                "\"{name}\": 1 to {NAME_LIMIT} of letters, digits, `.`, `_`, `-` are wanted"
            );
            Err(ConfigError::at(at, problem))
        }
    }
}

fn non_empty<T>(at: &str, list: &[T], wanted: &str) -> One<()> {
    match list {
        [] => Err(ConfigError::at(at, format!("empty; {wanted} is wanted"))),
        _ => Ok(()),
    }
}

fn texts(at: &str, list: &[String]) -> Checked<()> {
    let text = |(index, text): (usize, &String)| match text.is_empty() {
        true => Err(ConfigError::at(format!("{at}/{index}"), "empty; a text is wanted")),
        false => Ok(()),
    };
    each(list.iter().enumerate().map(text)).map(|_| ())
}

fn unique(at: &str, list: &[impl Named]) -> Checked<()> {
    once(list.iter().map(Named::name), |index, name| {
        let problem = format!("\"{name}\" stands twice; names are unique");
        ConfigError::at(format!("{at}/{index}/name"), problem)
    })
}

fn once<'n>(
    names: impl Iterator<Item = &'n str>,
    fault: impl Fn(usize, &str) -> ConfigError,
) -> Checked<()> {
    let mut seen = std::collections::HashSet::new();
    let repeated = names.enumerate().filter(|(_, name)| !seen.insert(*name));
    ConfigErrors::unless_empty(repeated.map(|(index, name)| fault(index, name)).collect())
}

/// Checks that `name` is one of `known`; any is accepted if not all are known.
fn named(at: &str, noun: &str, name: &str, known: Option<&[String]>) -> One<()> {
    match known {
        // An empty list is reported at the list itself.
        Some(known) if !known.is_empty() && !known.iter().any(|known| known == name) => {
            let problem =
                format!("there is no {noun} \"{name}\": one of {} is wanted", known.join(", "));
            Err(ConfigError::at(at, problem))
        }
        _ => Ok(()),
    }
}
