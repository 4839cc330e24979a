//! Checks credentials, and reads the files that they name.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Checked, One, hosts, name, non_empty, unique};
use crate::config::{Files, ReadFile, raw};
use crate::error::{All as _, ConfigError, ConfigErrors, each};
use crate::google::{
    Credential, CredentialFiles, CredentialSource, HeldFile, Hosts, JwtForm, Noted, ServiceAccount,
    TokenSource,
};
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
    let noted = Noted::new(files.read);
    let source = source(&raw, at, &files.read_by(&|path| noted.read(path)));
    let name = name(&format!("{at}/name"), &raw.name);
    let (_, _, _, source) = (name, members(&raw, at), for_any_host(&raw, at), source).all()?;
    let held = noted.held();
    let files = (!held.is_empty()).then(|| made_anew(&raw, at, &files.folder, held));
    Ok(Credential {
        name: raw.name,
        source: source.into(),
        files,
        without_role: raw.without_role,
        file: raw.file,
        max_age_days: raw.max_age_days,
    })
}

/// The files of a credential, from which it is made anew as it was made here.
fn made_anew(
    raw: &raw::CredentialEntry,
    at: &str,
    folder: &Path,
    held: Vec<HeldFile>,
) -> CredentialFiles {
    let (raw, at, folder) = (raw.clone(), at.to_owned(), folder.to_owned());
    let make = move |read: ReadFile<'_>| {
        let problems = |errors: ConfigErrors| {
            errors.iter().map(|error| error.problem.clone()).collect::<Vec<_>>().join("; ")
        };
        source(&raw, &at, &Files { folder: folder.clone(), read }).map_err(problems)
    };
    CredentialFiles::new(make, held)
}

/// Without a role the location is not known, and a token for the host of one would not do.
fn for_any_host(raw: &raw::CredentialEntry, at: &str) -> One<()> {
    let is_for_one =
        raw.r#type == CredentialType::ServiceAccount && matches!(raw.form, None | Some(Form::Aud));
    match raw.without_role && is_for_one {
        false => Ok(()),
        true => {
            let problem = "without a role the host is not known: form scope or exchange is wanted";
            Err(ConfigError::at(format!("{at}/without_role"), problem))
        }
    }
}

/// Checks that each member is one of this type's.
fn members(raw: &raw::CredentialEntry, at: &str) -> Checked<()> {
    let kind = raw.r#type;
    let is_metadata = kind == CredentialType::Metadata;
    let names_hosts = match kind {
        CredentialType::ImpersonatedServiceAccount | CredentialType::ExternalAccount => true,
        CredentialType::ServiceAccount => raw.form == Some(Form::Exchange),
        CredentialType::AccessToken | CredentialType::Metadata => false,
    };
    let is_fetched = is_metadata || names_hosts;
    let given = [
        ("form", raw.form.is_some(), kind == CredentialType::ServiceAccount, "a service_account"),
        ("account", raw.account.is_some(), is_metadata, "a metadata credential"),
        ("scopes", raw.scopes.is_some(), is_fetched, "a credential whose token is fetched"),
        ("hosts", raw.hosts.is_some(), names_hosts, "a credential whose file names endpoints"),
        ("file", raw.file.is_some(), !is_metadata, "another type than metadata"),
        ("max_age_days", raw.max_age_days.is_some(), !is_metadata, "a credential with a file"),
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
    let Some(file) = &raw.file else {
        let problem = "`file` is missing: only a metadata credential has none";
        return Err(ConfigError::at(at, problem).into());
    };
    let listed = raw.hosts.as_deref().unwrap_or_default();
    let (hosts, scopes) = (hosts(&format!("{at}/hosts"), listed), scopes(raw, at)).all()?;
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
        |account, form| Ok(CredentialSource::ServiceAccount { account: Arc::new(account), form });
    let source = match raw.r#type {
        CredentialType::AccessToken => CredentialSource::access_token(&file),
        CredentialType::ServiceAccount | CredentialType::Metadata => ServiceAccount::parse(&file)
            .and_then(|account| match raw.form {
                None | Some(Form::Aud) => self_signed(account, JwtForm::Aud),
                Some(Form::Scope) => self_signed(account, JwtForm::Scope),
                Some(Form::Exchange) => {
                    TokenSource::exchange(account, scopes, hosts).map(CredentialSource::Fetched)
                }
            }),
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
