//! What Google keeps for a project (caches, jobs, files, operations) belongs to whoever reaches
//! the project: Google knows one identity there, not its callers. So a role comes to stored state
//! only where no other role does anything, or where both say that they share it.

use crate::config::check::{Checked, place_of};
use crate::error::ConfigError;
use crate::policy::Role;
use crate::vertex::{Class, routes};

/// `shares` holds each role's `shares_state_with`.
pub(super) fn check(roles: &[Role], shares: &[Vec<String>]) -> Checked<()> {
    let names = || roles.iter().map(|role| role.name.as_str());
    for (index, (role, with)) in roles.iter().zip(shares).enumerate() {
        for (place, other) in with.iter().enumerate() {
            let at = format!("/roles/{index}/shares_state_with/{place}");
            place_of(&at, "role", other, names())?;
            if *other == role.name {
                return Err(ConfigError::at(at, "a role's callers share its state anyway"));
            }
        }
    }
    let shared = |one: usize, two: usize| {
        let says = |one: usize, two: usize| {
            let with = shares.get(one).map_or(&[][..], Vec::as_slice);
            roles.get(two).is_some_and(|two| with.contains(&two.name))
        };
        says(one, two) && says(two, one)
    };
    for (index, role) in roles.iter().enumerate() {
        let Some(method) = stateful_method(role) else {
            continue;
        };
        let other = roles.iter().enumerate().find(|(other, reaching)| {
            *other != index && !shared(index, *other) && reach_one_project(role, reaching)
        });
        if let Some((_, other)) = other {
            let (name, other) = (&role.name, &other.name);
            let problem = format!(
                "{method} reaches what Google keeps for a project, and role \"{other}\" reaches a \
                 project of these, too: give each a project of its own, or say that they trust \
                 each other with it: \"shares_state_with\": [\"{other}\"] here and [\"{name}\"] there"
            );
            return Err(ConfigError::at(format!("/roles/{index}/may/methods"), problem));
        }
    }
    Ok(())
}

fn stateful_method(role: &Role) -> Option<&'static str> {
    let stateful = routes().iter().filter(|route| route.class == Class::Stateful);
    stateful.map(|route| route.method.as_str()).find(|method| role.may.has_method(method))
}

fn reach_one_project(one: &Role, two: &Role) -> bool {
    let (one, two) = (&one.may.projects, &two.may.projects);
    one.iter().any(|one| two.iter().any(|two| one.overlaps(two)))
}
