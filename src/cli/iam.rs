//! The Google permissions that the roles of each credential need, as custom roles; and, against
//! what `gcloud projects get-iam-policy --format=json` prints, what is missing and what is too wide.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::{ConfigFile, Report};
use crate::config::{Config, read_json};
use crate::error::system_fault;
use crate::google::Credential;
use crate::host;
use crate::policy::Role;
use crate::vertex::{Route, routes};

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
    policy: Option<PathBuf>,
    /// A custom role of the policy: `gcloud iam roles describe ID --project PROJECT --format=json`.
    #[arg(long, value_name = "FILE", requires = "policy")]
    role: Vec<PathBuf>,
}

/// Google's own roles that grant what is needed and far more, deletion and deployment included.
/// Source: Google's reference of IAM roles, aiplatform.
const TOO_WIDE: &[&str] = &["roles/owner", "roles/editor", "roles/aiplatform.admin"];

/// Google's role for people: as wide, without administration.
const FOR_PEOPLE: &str = "roles/aiplatform.user";

/// The needed parts of a policy (google.iam.v1.Policy).
#[derive(Debug, Deserialize)]
struct IamPolicy {
    #[serde(default)]
    bindings: Vec<Binding>,
}

#[derive(Debug, Deserialize)]
struct Binding {
    role: String,
    #[serde(default)]
    members: Vec<String>,
    condition: Option<serde_json::Value>,
}

/// The definition of a role (google.iam.admin.v1.Role).
#[derive(Debug, Deserialize)]
struct CustomRole {
    name: String,
    #[serde(rename = "includedPermissions", default)]
    permissions: BTreeSet<String>,
}

/// The permissions that a credential needs.
struct Needs<'c> {
    credential: &'c Credential,
    roles: Vec<&'c str>,
    permissions: BTreeSet<&'static str>,
    /// Methods whose permission Google does not document.
    unknown: BTreeSet<&'static str>,
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
    let Some(policy) = &arguments.policy else {
        let files: Vec<_> = all.iter().map(custom_role).collect();
        return Ok(Report { text: files.join("---\n"), good: true });
    };
    let policy: IamPolicy = read(policy)?;
    let roles: Vec<CustomRole> =
        arguments.role.iter().map(|f| read(f)).collect::<Result<_, _>>()?;
    let mut report = Report { text: String::new(), good: true };
    for needs in &all {
        compare(needs, &policy, &roles, &mut report);
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
        let mut needs = Needs {
            credential,
            roles: granting.iter().map(|role| role.name.as_str()).collect(),
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

/// A file for `gcloud iam roles create ID --project PROJECT --file FILE`.
fn custom_role(needs: &Needs<'_>) -> String {
    let name = &needs.credential.name;
    let mut text = format!("# For credential {name}, used by roles: {}.\n", needs.roles.join(", "));
    if !needs.unknown.is_empty() {
        let unknown: Vec<_> = needs.unknown.iter().copied().collect();
        let _ = writeln!(text, "# Google does not say what these need: {}.", unknown.join(", "));
    }
    let _ = writeln!(text, "title: haproxy-vertex {name}");
    let _ =
        writeln!(text, "description: What the roles of haproxy-vertex's credential {name} need");
    text.push_str("stage: GA\nincludedPermissions:");
    if needs.permissions.is_empty() {
        text.push_str(" []");
    }
    text.push('\n');
    for permission in &needs.permissions {
        let _ = writeln!(text, "- {permission}");
    }
    text
}

fn compare(needs: &Needs<'_>, policy: &IamPolicy, roles: &[CustomRole], report: &mut Report) {
    let name = &needs.credential.name;
    let mut say = |good: bool, text: String| {
        let _ = writeln!(report.text, "{name}: {text}");
        report.good &= good;
    };
    let Some(identity) = needs.credential.google_identity() else {
        return say(
            true,
            "not checked: its Google identity is not in the configuration".to_owned(),
        );
    };
    let member = format!("serviceAccount:{identity}");
    let mut missing: BTreeSet<&str> = needs.permissions.iter().copied().collect();
    let mut uncertain = false;
    for binding in policy.bindings.iter().filter(|binding| binding.members.contains(&member)) {
        let role = &binding.role;
        if binding.condition.is_some() {
            uncertain = true;
            say(true, format!("{role} is bound with a condition, which is not evaluated here"));
            continue;
        }
        if role == FOR_PEOPLE {
            uncertain = true;
            say(false, format!("{role} is too wide: bind the custom role of `iam` instead"));
        } else if TOO_WIDE.contains(&role.as_str()) {
            missing.clear();
            say(false, format!("{role} is too wide: bind the custom role of `iam` instead"));
        } else if let Some(known) = roles.iter().find(|known| known.name == *role) {
            missing.retain(|permission| !known.permissions.contains(*permission));
            let needed = |permission: &&String| !needs.permissions.contains(permission.as_str());
            let extra: Vec<_> = known.permissions.iter().filter(needed).cloned().collect();
            if !extra.is_empty() {
                say(false, format!("{role} is too wide by: {}", extra.join(", ")));
            }
        } else {
            uncertain = true;
            say(true, format!("what {role} grants is not known here: give it with --role"));
        }
    }
    if missing.is_empty() {
        say(true, format!("{identity} has what its roles need"));
    } else {
        let missing: Vec<_> = missing.into_iter().collect();
        let perhaps = if uncertain { ", unless a role above grants it" } else { "" };
        say(false, format!("{identity} lacks: {}{perhaps}", missing.join(", ")));
    }
}
