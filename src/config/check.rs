//! From the file's shape to what the layers want. Each fault is told where it stands.

mod labels;
mod limits;
mod roles;
mod state;
mod who;

pub(super) use labels::labels;
pub(super) use limits::{OfRole, limits};
pub(super) use roles::roles;

use zeroize::Zeroizing;

use crate::config::{Files, raw};
use crate::error::ConfigError;
use crate::google::{Credential, CredentialSource, JwtForm, ServiceAccount};
use crate::jose::{Algorithm, Algorithms, KeySet};
use crate::oidc::{ClaimNames, Endpoint, IssuerConfig, KeySource};

type Checked<T> = Result<T, ConfigError>;

const NAME_LIMIT: usize = 64;

pub(super) fn issuers(raw: Vec<raw::Issuer>, files: &Files<'_>) -> Checked<Vec<IssuerConfig>> {
    non_empty("/issuers", &raw, "an issuer whose tokens are taken")?;
    unique("/issuers", raw.iter().map(|issuer| issuer.name.as_str()))?;
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for (index, issuer) in raw.into_iter().enumerate() {
        let at = format!("/issuers/{index}");
        let issuer = self::issuer(issuer, &at, files)?;
        if issuers.iter().any(|former| former.issuer == issuer.issuer) {
            let problem = format!("{} stands twice; list all its audiences once", issuer.issuer);
            return Err(ConfigError::at(format!("{at}/issuer"), problem));
        }
        issuers.push(issuer);
    }
    Ok(issuers)
}

fn issuer(raw: raw::Issuer, at: &str, files: &Files<'_>) -> Checked<IssuerConfig> {
    name(&format!("{at}/name"), &raw.name)?;
    let discovery = Endpoint::discovery(&raw.issuer)
        .map_err(|why| ConfigError::at(format!("{at}/issuer"), format!("{}: {why}", raw.issuer)))?;
    non_empty(
        &format!("{at}/audiences"),
        &raw.audiences,
        "the audience that tokens for this gateway name; without one, a token for any service would do",
    )?;
    texts(&format!("{at}/audiences"), &raw.audiences)?;
    let algorithms = match raw.algorithms {
        None => Algorithms::default(),
        Some(names) => algorithms(&format!("{at}/algorithms"), &names)?,
    };
    let places = [raw.jwks_file.is_some(), raw.jwks_uri.is_some(), !raw.jwks_hosts.is_empty()];
    if places.iter().filter(|given| **given).count() > 1 {
        let problem = "only one of jwks_file, jwks_uri and jwks_hosts is wanted: keys come from \
                       one place, and hosts are for the place that discovery names";
        return Err(ConfigError::at(at, problem));
    }
    let source = match (raw.jwks_file, raw.jwks_uri) {
        (Some(file), _) => {
            let keys = files
                .read(&file)
                .and_then(|bytes| KeySet::parse(&bytes, &algorithms).map_err(|why| why.to_string()))
                .map_err(|why| ConfigError::at(format!("{at}/jwks_file"), why))?;
            KeySource::File(keys)
        }
        (None, Some(uri)) => {
            let jwks = Endpoint::parse(&uri)
                .map_err(|why| ConfigError::at(format!("{at}/jwks_uri"), why))?;
            KeySource::Fetched { discovery, hosts: vec![jwks.authority.clone()], jwks: Some(jwks) }
        }
        (None, None) => {
            let mut hosts = vec![discovery.authority.clone()];
            hosts.extend(jwks_hosts(&format!("{at}/jwks_hosts"), &raw.jwks_hosts)?);
            KeySource::Fetched { discovery, jwks: None, hosts }
        }
    };
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

fn jwks_hosts(at: &str, hosts: &[String]) -> Checked<Vec<String>> {
    let authority = |(index, host): (usize, &String)| {
        let endpoint = Endpoint::parse(&format!("https://{host}/")).ok();
        endpoint.filter(|endpoint| endpoint.path == "/").map(|e| e.authority).ok_or_else(|| {
            let problem = format!("{host}: a host name is wanted, without https:// and path");
            ConfigError::at(format!("{at}/{index}"), problem)
        })
    };
    hosts.iter().enumerate().map(authority).collect()
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
    names.iter().enumerate().map(algorithm).collect::<Checked<_>>().map(Algorithms::listed)
}

pub(super) fn credentials(
    raw: Vec<raw::Credential>,
    files: &Files<'_>,
) -> Checked<Vec<Credential>> {
    non_empty("/credentials", &raw, "a Google identity for roles to act as")?;
    unique("/credentials", raw.iter().map(|credential| credential.name.as_str()))?;
    let credential = |(index, raw): (usize, raw::Credential)| {
        let at = format!("/credentials/{index}");
        name(&format!("{at}/name"), &raw.name)?;
        let any_host =
            raw.r#type == raw::CredentialType::AccessToken || raw.form == Some(JwtForm::Scope);
        if raw.without_role && !any_host {
            let problem = "without a role the host is not known: form scope is wanted";
            return Err(ConfigError::at(format!("{at}/without_role"), problem));
        }
        let file =
            files.read(&raw.file).map_err(|why| ConfigError::at(format!("{at}/file"), why))?;
        let file = Zeroizing::new(file);
        let source = match (raw.r#type, raw.form) {
            (raw::CredentialType::ServiceAccount, form) => {
                ServiceAccount::parse(&file).map(|account| CredentialSource::ServiceAccount {
                    account: Box::new(account),
                    form: form.unwrap_or_default(),
                })
            }
            (raw::CredentialType::AccessToken, None) => CredentialSource::access_token(&file),
            (raw::CredentialType::AccessToken, Some(_)) => {
                let problem = "only a service_account has a form: leave it out";
                return Err(ConfigError::at(format!("{at}/form"), problem));
            }
        };
        let source = source.map_err(|why| {
            ConfigError::at(format!("{at}/file"), format!("{}: {why}", raw.file.display()))
        })?;
        Ok(Credential {
            name: raw.name,
            source,
            without_role: raw.without_role,
            file: raw.file,
            max_age_days: raw.max_age_days,
        })
    };
    raw.into_iter().enumerate().map(credential).collect()
}

fn name(at: &str, name: &str) -> Checked<()> {
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

fn non_empty<T>(at: &str, list: &[T], wanted: &str) -> Checked<()> {
    match list {
        [] => Err(ConfigError::at(at, format!("empty; {wanted} is wanted"))),
        _ => Ok(()),
    }
}

fn texts(at: &str, list: &[String]) -> Checked<()> {
    match list.iter().position(String::is_empty) {
        Some(index) => Err(ConfigError::at(format!("{at}/{index}"), "empty; a text is wanted")),
        None => Ok(()),
    }
}

fn unique<'n>(at: &str, names: impl Iterator<Item = &'n str>) -> Checked<()> {
    let mut seen = std::collections::HashSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            let problem = format!("\"{name}\" stands twice; names are unique");
            return Err(ConfigError::at(format!("{at}/{index}/name"), problem));
        }
    }
    Ok(())
}

fn place_of<'n>(
    at: &str,
    noun: &str,
    name: &str,
    mut names: impl Iterator<Item = &'n str> + Clone,
) -> Checked<usize> {
    let known = names.clone();
    names.position(|known| known == name).ok_or_else(|| {
        let known = known.collect::<Vec<_>>().join(", ");
        ConfigError::at(at, format!("there is no {noun} \"{name}\": one of {known} is wanted"))
    })
}
