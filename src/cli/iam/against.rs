//! A project's policy, as `gcloud projects get-iam-policy --format=json` prints it, against what the
//! credentials need.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::cli::Report;
use crate::cli::iam::Needs;
use crate::cli::iam::commands::members;
use crate::google::Principal;

/// Google's own roles that grant what is needed and far more, deletion and deployment included.
/// Source: Google's reference of IAM roles, aiplatform.
const TOO_WIDE: &[&str] = &["roles/owner", "roles/editor", "roles/aiplatform.admin"];

/// Google's role for people: as wide, without administration.
const FOR_PEOPLE: &str = "roles/aiplatform.user";

/// The needed parts of a policy (google.iam.v1.Policy).
#[derive(Debug, Deserialize)]
pub(super) struct IamPolicy {
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
pub(super) struct CustomRole {
    name: String,
    #[serde(rename = "includedPermissions", default)]
    permissions: BTreeSet<String>,
}

pub(super) fn compare(
    needs: &Needs<'_>,
    policy: &IamPolicy,
    roles: &[CustomRole],
    report: &mut Report,
) {
    let name = &needs.credential.name;
    let mut say = |good: bool, text: String| {
        let _ = writeln!(report.text, "{name}: {text}");
        report.good &= good;
    };
    if needs.seen() == &Principal::Nobody {
        return say(true, "not checked: an API key has no Google identity".to_owned());
    }
    let members = members(needs, needs.seen());
    if members.is_empty() {
        return say(
            true,
            "not checked: its Google identity is not in the configuration".to_owned(),
        );
    }
    for member in &members {
        compare_member(needs, member, policy, roles, &mut say);
    }
}

fn compare_member(
    needs: &Needs<'_>,
    member: &String,
    policy: &IamPolicy,
    roles: &[CustomRole],
    say: &mut impl FnMut(bool, String),
) {
    let mut missing: BTreeSet<&str> = needs.permissions.iter().copied().collect();
    let mut uncertain = false;
    for binding in policy.bindings.iter().filter(|binding| binding.members.contains(member)) {
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
        say(true, format!("{member} has what its roles need"));
    } else {
        let missing: Vec<_> = missing.into_iter().collect();
        let perhaps = if uncertain { ", unless a role above grants it" } else { "" };
        say(false, format!("{member} lacks: {}{perhaps}", missing.join(", ")));
    }
}
