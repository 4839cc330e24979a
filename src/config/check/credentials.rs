//! Checks credentials, and reads the files that they name.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Checked, One, exchange, hosts, name, non_empty, unique};
use crate::config::{Files, ReadFile, raw};
use crate::error::{All as _, ConfigError, ConfigErrors, each};
use crate::google::{
    Credential, CredentialFiles, CredentialSource, FileType, GOOGLES_UNIVERSE, HeldFile, Hosts,
    JwtForm, Noted, ServiceAccount, TokenSource,
};
use raw::{CredentialType, Form};

/// The variables of the environment by which Google's libraries find a file.
const ADC_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const GCLOUD_FOLDER: &str = "CLOUDSDK_CONFIG";

pub(in crate::config) fn credentials(
    raw: Vec<raw::CredentialEntry>,
    files: &Files<'_>,
    universe: &str,
) -> Checked<Vec<Credential>> {
    non_empty("/credentials", &raw, "a Google identity for roles to act as")?;
    let names = unique("/credentials", &raw);
    let credential =
        |(index, raw)| credential(raw, &format!("/credentials/{index}"), files, universe);
    let credentials = each(raw.into_iter().enumerate().map(credential));
    let (_, credentials) = (names, credentials).all()?;
    Ok(credentials)
}

fn credential(
    raw: raw::CredentialEntry,
    at: &str,
    files: &Files<'_>,
    universe: &str,
) -> Checked<Credential> {
    let noted = Noted::new(files.read);
    let variables = RefCell::default();
    let variable = |name: &str| noted_variable(name, files, &variables);
    let noting =
        Files { folder: files.folder.clone(), read: &|path| noted.read(path), variable: &variable };
    let resolved = resolve(&raw, at, files).map_err(ConfigErrors::from).and_then(|resolved| {
        let source = source(&resolved, &raw, at, &noting, universe);
        let members = members(resolved.kind, &raw, at);
        let (_, _, source) =
            (members, without_role(resolved.kind, &raw, at, universe), source).all()?;
        Ok((resolved, source))
    });
    let (_, (resolved, source)) = (name(&format!("{at}/name"), &raw.name), resolved).all()?;
    if let Some(found) = &resolved.found {
        log::info!("credential {}: {found}", raw.name);
    }
    let Resolved { file, found, .. } = resolved.clone();
    let (folder, held) = (files.folder.clone(), noted.held());
    let files = file.is_some().then(|| {
        let place = (at.to_owned(), universe.to_owned());
        made_anew(resolved, raw.clone(), place, (folder, variables.into_inner()), held)
    });
    Ok(Credential {
        name: raw.name,
        source: source.into(),
        files,
        without_role: raw.without_role,
        file,
        found,
        max_age_days: raw.max_age_days,
    })
}

/// What a credential is, and the file that holds it, if there is one.
#[derive(Clone)]
struct Resolved {
    kind: CredentialType,
    file: Option<PathBuf>,
    found: Option<String>,
}

/// What is given, what the file says, or what Google's libraries would find.
fn resolve(raw: &raw::CredentialEntry, at: &str, files: &Files<'_>) -> One<Resolved> {
    let file = raw.file.clone();
    match (raw.r#type, &raw.file) {
        (Some(CredentialType::Adc), _) => look_up(files).map_err(|why| ConfigError::at(at, why)),
        (Some(kind), _) => Ok(Resolved { kind, file, found: None }),
        (None, Some(name)) => {
            let kind = type_of(name, files);
            let kind = kind.map_err(|why| ConfigError::at(format!("{at}/file"), why))?;
            Ok(Resolved { kind, file, found: None })
        }
        (None, None) => {
            let problem = "`type` is missing: it is wanted, or a `file` that says it";
            Err(ConfigError::at(at, problem))
        }
    }
}

/// Application Default Credentials, in the order in which Google's libraries look for them.
fn look_up(files: &Files<'_>) -> Result<Resolved, String> {
    let variable = |name| (files.variable)(name).filter(|value: &String| !value.is_empty());
    let found = |file: PathBuf, by: &str| {
        let kind = type_of(&file, files).map_err(|why| format!("adc: {by}: {why}"))?;
        let found = format!("adc is {}: {by} names {}", kind.name(), file.display());
        Ok(Resolved { kind, file: Some(file), found: Some(found) })
    };
    if let Some(file) = variable(ADC_FILE) {
        return found(file.into(), ADC_FILE);
    }
    let folder = variable(GCLOUD_FOLDER).map(|folder| (PathBuf::from(folder), GCLOUD_FOLDER));
    let home = || Some((PathBuf::from(variable("HOME")?).join(".config/gcloud"), "HOME"));
    if let Some((folder, by)) = folder.or_else(home) {
        let file = folder.join("application_default_credentials.json");
        match files.read_if_there(&file) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                drop(Zeroizing::new(bytes));
                return found(file, by);
            }
            Err(why) => return Err(format!("adc: {}: {why}", file.display())),
        }
    }
    let found = "adc is metadata: there is no file, so the machine is asked";
    Ok(Resolved { kind: CredentialType::Metadata, file: None, found: Some(found.to_owned()) })
}

fn type_of(name: &Path, files: &Files<'_>) -> Result<CredentialType, String> {
    let file = files.read(name).map(Zeroizing::new)?;
    let kind = FileType::of(&file).map_err(|why| format!("{}: {why}", name.display()))?;
    Ok(match kind {
        FileType::ServiceAccount => CredentialType::ServiceAccount,
        FileType::AuthorizedUser => CredentialType::AuthorizedUser,
        FileType::ExternalAccount => CredentialType::ExternalAccount,
        FileType::ImpersonatedServiceAccount => CredentialType::ImpersonatedServiceAccount,
    })
}

impl CredentialType {
    const fn name(self) -> &'static str {
        match self {
            Self::ServiceAccount => "service_account",
            Self::AccessToken => "access_token",
            Self::ApiKey => "api_key",
            Self::Metadata => "metadata",
            Self::ImpersonatedServiceAccount => "impersonated_service_account",
            Self::ExternalAccount => "external_account",
            Self::AuthorizedUser => "authorized_user",
            Self::Adc => "adc",
            Self::Exchange => "exchange",
        }
    }
}

/// Variables of the environment that were read at load.
type Variables = Vec<(String, Zeroizing<String>)>;

/// A variable of the environment, which is noted.
fn noted_variable(name: &str, files: &Files<'_>, noted: &RefCell<Variables>) -> Option<String> {
    let value = (files.variable)(name)?;
    noted.borrow_mut().push((name.to_owned(), Zeroizing::new(value.clone())));
    Some(value)
}

/// The files of a credential, from which it is made anew as it was made here.
fn made_anew(
    resolved: Resolved,
    raw: raw::CredentialEntry,
    (at, universe): (String, String),
    (folder, variables): (PathBuf, Variables),
    held: Vec<HeldFile>,
) -> CredentialFiles {
    let make = move |read: ReadFile<'_>| {
        let problems = |errors: ConfigErrors| {
            errors.iter().map(|error| error.problem.clone()).collect::<Vec<_>>().join("; ")
        };
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.to_string())
        };
        let files = Files { folder: folder.clone(), read, variable: &variable };
        source(&resolved, &raw, &at, &files, &universe).map_err(problems)
    };
    CredentialFiles::new(make, held)
}

/// Without a role the location is not known, and a token for the host of one would not do; nor is the
/// caller known.
fn without_role(
    kind: CredentialType,
    raw: &raw::CredentialEntry,
    at: &str,
    universe: &str,
) -> One<()> {
    let problem = match (kind, raw.form) {
        _ if !raw.without_role => return Ok(()),
        // It is for the scope there.
        (CredentialType::ServiceAccount, None) if universe != GOOGLES_UNIVERSE => return Ok(()),
        (CredentialType::ServiceAccount, None | Some(Form::Aud)) => {
            "without a role the host is not known: form scope or exchange is wanted"
        }
        (CredentialType::Exchange, _) => "without a role the caller is not known: leave it out",
        (CredentialType::ApiKey, _) => {
            "without a role the path is not known, and a key goes to express mode only: leave it out"
        }
        _ => return Ok(()),
    };
    Err(ConfigError::at(format!("{at}/without_role"), problem))
}

/// Checks that each member is one of this type's.
fn members(kind: CredentialType, raw: &raw::CredentialEntry, at: &str) -> Checked<()> {
    let is_metadata = kind == CredentialType::Metadata;
    let is_exchange = kind == CredentialType::Exchange;
    let names_hosts = match kind {
        CredentialType::ImpersonatedServiceAccount
        | CredentialType::ExternalAccount
        | CredentialType::Exchange => true,
        CredentialType::ServiceAccount => raw.form == Some(Form::Exchange),
        CredentialType::AccessToken
        | CredentialType::ApiKey
        | CredentialType::Metadata
        | CredentialType::AuthorizedUser
        | CredentialType::Adc => false,
    };
    let is_looked_for = raw.r#type == Some(CredentialType::Adc);
    let has_file = !is_metadata && !is_looked_for && !is_exchange;
    let may_name_hosts = names_hosts || is_looked_for;
    let is_fetched = is_metadata || names_hosts || kind == CredentialType::AuthorizedUser;
    let given = [
        ("form", raw.form.is_some(), kind == CredentialType::ServiceAccount, "a service_account"),
        (
            "account",
            raw.account.is_some(),
            is_metadata || is_exchange,
            "a metadata or exchange credential",
        ),
        ("scopes", raw.scopes.is_some(), is_fetched, "a credential whose token is fetched"),
        ("hosts", raw.hosts.is_some(), may_name_hosts, "a credential that names endpoints"),
        ("file", raw.file.is_some(), has_file, "another type than metadata, adc and exchange"),
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

fn source(
    resolved: &Resolved,
    raw: &raw::CredentialEntry,
    at: &str,
    files: &Files<'_>,
    universe: &str,
) -> Checked<CredentialSource> {
    let kind = resolved.kind;
    if kind == CredentialType::Metadata {
        return metadata(raw, at);
    }
    let listed = raw.hosts.as_deref().unwrap_or_default();
    let (listed, scopes) = (hosts(&format!("{at}/hosts"), listed), scopes(raw, at)).all()?;
    let hosts = Hosts { universe, listed: &listed };
    if kind == CredentialType::Exchange {
        return exchange::source(raw, at, &scopes, hosts);
    }
    if kind == CredentialType::ApiKey && !hosts.are_googles() {
        let problem = "express mode is of Google's own universe: another type is wanted";
        return Err(ConfigError::at(format!("{at}/type"), problem).into());
    }
    let Some(file) = &resolved.file else {
        let problem = "`file` is missing: only a metadata or exchange credential has none";
        return Err(ConfigError::at(at, problem).into());
    };
    let source =
        of_file(kind, raw.form, file, files, &scopes, hosts).map_err(|why| match resolved.found {
            None => ConfigError::at(format!("{at}/file"), why),
            Some(_) => ConfigError::at(at, format!("adc: {why}")),
        });
    Ok(source?)
}

fn of_file(
    kind: CredentialType,
    form: Option<Form>,
    name: &Path,
    files: &Files<'_>,
    scopes: &[String],
    hosts: Hosts<'_>,
) -> Result<CredentialSource, String> {
    let file = Zeroizing::new(files.read(name)?);
    let read = |name: &Path| files.read(name).map(Zeroizing::new);
    let fetched = |kind| {
        TokenSource::of_file(&file, kind, scopes, hosts, &read, files.variable)
            .map(CredentialSource::Fetched)
    };
    let source = match kind {
        CredentialType::AccessToken => CredentialSource::access_token(&file),
        CredentialType::ApiKey => CredentialSource::api_key(&file),
        CredentialType::ServiceAccount
        | CredentialType::Metadata
        | CredentialType::Adc
        | CredentialType::Exchange => {
            ServiceAccount::parse(&file).and_then(|account| of_key(account, form, scopes, hosts))
        }
        CredentialType::ImpersonatedServiceAccount => fetched(FileType::ImpersonatedServiceAccount),
        CredentialType::ExternalAccount => fetched(FileType::ExternalAccount),
        CredentialType::AuthorizedUser => fetched(FileType::AuthorizedUser),
    };
    source.map_err(|why| format!("{}: {why}", name.display()))
}

fn of_key(
    account: ServiceAccount,
    form: Option<Form>,
    scopes: &[String],
    hosts: Hosts<'_>,
) -> Result<CredentialSource, String> {
    account.check_universe(hosts)?;
    // As Google's clients: other universes take the scope form alone.
    if !hosts.are_googles() && matches!(form, Some(Form::Aud | Form::Exchange)) {
        let problem = "in another universe than Google's own a key's tokens are self-signed for the \
                       scope: form scope is wanted, or none";
        return Err(problem.to_owned());
    }
    let form = match form {
        None if !hosts.are_googles() => JwtForm::Scope,
        None | Some(Form::Aud) => JwtForm::Aud,
        Some(Form::Scope) => JwtForm::Scope,
        Some(Form::Exchange) => {
            return TokenSource::exchange(account, scopes, hosts).map(CredentialSource::Fetched);
        }
    };
    Ok(CredentialSource::ServiceAccount { account: Arc::new(account), form })
}

fn metadata(raw: &raw::CredentialEntry, at: &str) -> Checked<CredentialSource> {
    let account = match raw.account.as_deref() {
        Some(account) if account != "default" && !ServiceAccount::is_address(account) => {
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
