//! What Google has to grant to each credential, as commands of `gcloud`; and, against what
//! `gcloud projects get-iam-policy --format=json` prints, what is missing and what is too wide.

mod against;
mod commands;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::{ConfigFile, Report};
use crate::config::{Config, read_json};
use crate::error::system_fault;
use crate::google::{Credential, Principal};
use crate::host;
use crate::oidc::IssuerConfig;
use crate::policy::{self, Role};
use crate::vertex::{Route, routes};
use against::{CustomRole, IamPolicy};

/// `iam`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Only this credential.
    #[arg(long, value_name = "NAME")]
    credential: Option<String>,
    /// The project's policy: `gcloud projects get-iam-policy PROJECT --format=json`.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// A custom role of the policy: `gcloud iam roles describe ID --project PROJECT --format=json`.
    #[arg(long, value_name = "FILE", requires = "against")]
    role: Vec<PathBuf>,
}

/// What a credential needs.
struct Needs<'c> {
    credential: &'c Credential,
    /// The identities that lead to the one that Google sees, which is the last.
    principals: Vec<Principal>,
    roles: Vec<&'c str>,
    /// The callers that the roles are for.
    callers: BTreeSet<Who<'c>>,
    /// The issuer of those callers; the first, if there are several.
    issuer: Option<&'c IssuerConfig>,
    projects: BTreeSet<String>,
    permissions: BTreeSet<&'static str>,
    /// Methods whose permission Google does not document.
    unknown: BTreeSet<&'static str>,
}

/// Callers that a role is for, as a pool names them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who<'c> {
    Subject(&'c str),
    Group(&'c str),
    Anyone,
}

impl<'c> Who<'c> {
    /// Whom one description is for, no narrower than it says.
    fn of(who: &'c policy::Who) -> Vec<Self> {
        match (&who.subjects, &who.groups) {
            (Some(subjects), _) => subjects.iter().map(|text| Self::Subject(text)).collect(),
            (None, Some(groups)) => groups.iter().map(|text| Self::Group(text)).collect(),
            (None, None) => vec![Self::Anyone],
        }
    }
}

impl Needs<'_> {
    /// The identity that Google sees.
    fn seen(&self) -> &Principal {
        self.principals.last().unwrap_or(&Principal::Unknown)
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Report, String> {
    let config = arguments.config.load().map_err(|errors| errors.to_string())?;
    let named = |needs: &Needs<'_>| {
        arguments.credential.as_ref().is_none_or(|name| *name == needs.credential.name)
    };
    let all: Vec<_> = needs(&config).into_iter().filter(named).collect();
    if all.is_empty() {
        return Err("there is no credential of that name".to_owned());
    }
    let Some(policy) = &arguments.against else {
        return Ok(Report { text: commands::script(&all, &config.universe_domain), good: true });
    };
    let policy: IamPolicy = read(policy)?;
    let roles: Vec<CustomRole> =
        arguments.role.iter().map(|f| read(f)).collect::<Result<_, _>>()?;
    let mut report = Report { text: String::new(), good: true };
    for needs in &all {
        against::compare(needs, &policy, &roles, &mut report);
    }
    Ok(report)
}

fn read<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, String> {
    let name = file.to_string_lossy();
    let bytes = host::read_file(file).map_err(|why| format!("{name}: {}", system_fault(&why)))?;
    read_json(&bytes).map_err(|errors| errors.in_file(&name).to_string())
}

fn needs(config: &Config) -> Vec<Needs<'_>> {
    let of = |(index, credential)| {
        let granting: Vec<&Role> =
            config.roles.iter().filter(|role| role.credential == index).collect();
        let granted =
            |route: &&Route| granting.iter().any(|role| role.may.has_method(&route.method));
        let who = || granting.iter().flat_map(|role| &role.who);
        let projects = granting.iter().flat_map(|role| &role.may.projects);
        let mut needs = Needs {
            credential,
            principals: credential.principals(),
            issuer: who()
                .next()
                .and_then(|who| config.issuers.iter().find(|issuer| issuer.name == who.issuer)),
            callers: who().flat_map(Who::of).collect(),
            roles: granting.iter().map(|role| role.name.as_str()).collect(),
            projects: projects.map(ToString::to_string).collect(),
            permissions: BTreeSet::new(),
            unknown: BTreeSet::new(),
        };
        for route in routes().iter().filter(granted) {
            needs.permissions.extend(&route.permissions);
            if route.permissions.is_empty() {
                needs.unknown.insert(&route.method);
            }
        }
        needs
    };
    config.credentials.iter().enumerate().map(of).collect()
}
