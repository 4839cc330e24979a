//! Checks credentials, and reads the files that they name.

use std::path::Path;

use zeroize::Zeroizing;

use super::{Checked, One, exchange, hosts, name, non_empty, unique};
use crate::config::{Files, raw};
use crate::error::{All as _, ConfigError, each};
use crate::google::{Credential, CredentialSource, Hosts, JwtForm, ServiceAccount, TokenSource};
use raw::{CredentialType, Form};

pub(in crate::config) fn credentials(
    raw: Vec<raw::CredentialEntry>,
    files: &Files<'_>,
) -> Checked<Vec<Credential>> {
    non_empty("/credentials", &raw, "a Google identity for roles to act as")?;
    let names = unique("/credentials", &raw);
    let credential = |(index, raw)| credential(raw, &format!("/credentials/{index}"), files);
    let credentials = each(raw.into_iter().enumerate().map(credential));
    let (_, credentials) = (names, credentials).all()?;
    Ok(credentials)
}

fn credential(raw: raw::CredentialEntry, at: &str, files: &Files<'_>) -> Checked<Credential> {
    let source = source(&raw, at, files);
    let name = name(&format!("{at}/name"), &raw.name);
    let (_, _, _, source) = (name, members(&raw, at), without_role(&raw, at), source).all()?;
    Ok(Credential {
        name: raw.name,
        source,
        without_role: raw.without_role,
        file: raw.file,
        max_age_days: raw.max_age_days,
    })
}

/// Without a role the location is not known, and a token for the host of one would not do; nor is the
/// caller known.
fn without_role(raw: &raw::CredentialEntry, at: &str) -> One<()> {
    let problem = match (raw.r#type, raw.form) {
        _ if !raw.without_role => return Ok(()),
        (CredentialType::ServiceAccount, None | Some(Form::Aud)) => {
            "without a role the host is not known: form scope or exchange is wanted"
        }
        (CredentialType::Exchange, _) => "without a role the caller is not known: leave it out",
        _ => return Ok(()),
    };
    Err(ConfigError::at(format!("{at}/without_role"), problem))
}

/// Checks that each member is one of this type's.
fn members(raw: &raw::CredentialEntry, at: &str) -> Checked<()> {
    let kind = raw.r#type;
    let is_metadata = kind == CredentialType::Metadata;
    let is_exchange = kind == CredentialType::Exchange;
    let has_file = !is_metadata && !is_exchange;
    let names_hosts = match kind {
        CredentialType::ImpersonatedServiceAccount
        | CredentialType::ExternalAccount
        | CredentialType::Exchange => true,
        CredentialType::ServiceAccount => raw.form == Some(Form::Exchange),
        CredentialType::AccessToken | CredentialType::Metadata => false,
    };
    let is_fetched = is_metadata || names_hosts;
    let given = [
        ("form", raw.form.is_some(), kind == CredentialType::ServiceAccount, "a service_account"),
        (
            "account",
            raw.account.is_some(),
            is_metadata || is_exchange,
            "a metadata or exchange credential",
        ),
        ("scopes", raw.scopes.is_some(), is_fetched, "a credential whose token is fetched"),
        ("hosts", raw.hosts.is_some(), names_hosts, "a credential that names endpoints"),
        ("file", raw.file.is_some(), has_file, "another type than metadata and exchange"),
        ("max_age_days", raw.max_age_days.is_some(), has_file, "a credential with a file"),
        ("audience", raw.audience.is_some(), is_exchange, EXCHANGE),
        ("subject_token_type", raw.subject_token_type.is_some(), is_exchange, EXCHANGE),
        ("sts_url", raw.sts_url.is_some(), is_exchange, EXCHANGE),
        ("user_project", raw.user_project.is_some(), is_exchange, EXCHANGE),
        ("max_callers", raw.max_callers.is_some(), is_exchange, EXCHANGE),
        ("exchanges_per_second", raw.exchanges_per_second.is_some(), is_exchange, EXCHANGE),
    ];
    let misplaced = given.into_iter().filter(|(_, is_given, fits, _)| *is_given && !fits);
    each(misplaced.map(|(member, _, _, whose)| {
        let problem = format!("only {whose} has `{member}`: leave it out");
        Err::<(), _>(ConfigError::at(format!("{at}/{member}"), problem))
    }))
    .map(|_| ())
}

fn source(raw: &raw::CredentialEntry, at: &str, files: &Files<'_>) -> Checked<CredentialSource> {
    if raw.r#type == CredentialType::Metadata {
        return metadata(raw, at);
    }
    let listed = raw.hosts.as_deref().unwrap_or_default();
    let (hosts, scopes) = (hosts(&format!("{at}/hosts"), listed), scopes(raw, at)).all()?;
    if raw.r#type == CredentialType::Exchange {
        return exchange::source(raw, at, &scopes, Hosts(&hosts));
    }
    let Some(file) = &raw.file else {
        let problem = "`file` is missing: only a metadata or exchange credential has none";
        return Err(ConfigError::at(at, problem).into());
    };
    let source = of_file(raw, file, files, &scopes, Hosts(&hosts))
        .map_err(|why| ConfigError::at(format!("{at}/file"), why));
    Ok(source?)
}

fn of_file(
    raw: &raw::CredentialEntry,
    name: &Path,
    files: &Files<'_>,
    scopes: &[String],
    hosts: Hosts<'_>,
) -> Result<CredentialSource, String> {
    let file = Zeroizing::new(files.read(name)?);
    let self_signed =
        |account, form| Ok(CredentialSource::ServiceAccount { account: Box::new(account), form });
    let source = match raw.r#type {
        CredentialType::AccessToken => CredentialSource::access_token(&file),
        CredentialType::ServiceAccount | CredentialType::Metadata | CredentialType::Exchange => {
            ServiceAccount::parse(&file).and_then(|account| match raw.form {
                None | Some(Form::Aud) => self_signed(account, JwtForm::Aud),
                Some(Form::Scope) => self_signed(account, JwtForm::Scope),
                Some(Form::Exchange) => {
                    TokenSource::exchange(account, scopes, hosts).map(CredentialSource::Fetched)
                }
            })
        }
        CredentialType::ImpersonatedServiceAccount | CredentialType::ExternalAccount => {
            let kind = match raw.r#type {
                CredentialType::ExternalAccount => "external_account",
                _ => "impersonated_service_account",
            };
            let read = |name: &Path| files.read(name).map(Zeroizing::new);
            TokenSource::of_file(&file, kind, scopes, hosts, &read).map(CredentialSource::Fetched)
        }
    };
    source.map_err(|why| format!("{}: {why}", name.display()))
}

fn metadata(raw: &raw::CredentialEntry, at: &str) -> Checked<CredentialSource> {
    let account = match raw.account.as_deref() {
        Some(account) if !is_account(account) => {
            let problem = format!(
                "\"{account}\": the address of a service account of this machine is wanted, or \
                 none for its default one"
            );
            Err(ConfigError::at(format!("{at}/account"), problem))
        }
        account => Ok(account),
    };
    let (account, scopes) = (account, scopes(raw, at)).all()?;
    let source = TokenSource::metadata(account, &scopes);
    Ok(source.map(CredentialSource::Fetched).map_err(|why| ConfigError::at(at, why))?)
}

const EXCHANGE: &str = "an exchange credential";

fn is_account(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'@');
    text == "default" || text.contains('@') && text.bytes().all(plain)
}

fn scopes(raw: &raw::CredentialEntry, at: &str) -> Checked<Vec<String>> {
    let Some(scopes) = &raw.scopes else {
        return Ok(Vec::new());
    };
    let at = format!("{at}/scopes");
    non_empty(&at, scopes, "an OAuth scope, as https://www.googleapis.com/auth/cloud-platform,")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'/' | b'.' | b'-' | b'_');
    let scope =
        |(index, scope): (usize, &String)| match !scope.is_empty() && scope.bytes().all(plain) {
            true => Ok(scope.clone()),
            false => {
                let problem = format!(
                    "\"{scope}\": one OAuth scope is wanted, as \
                     https://www.googleapis.com/auth/cloud-platform"
                );
                Err(ConfigError::at(format!("{at}/{index}"), problem))
            }
        };
    each(scopes.iter().enumerate().map(scope))
}
