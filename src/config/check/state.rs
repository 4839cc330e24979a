//! What Google keeps for a project (caches, jobs, files, operations) belongs to whoever reaches
//! the project: Google knows one identity there, not its callers. So a role comes to stored state
//! only where no other role does anything, or where both say that they share it.

use std::collections::HashMap;

use crate::config::check::{Checked, named as is_named};
use crate::config::raw;
use crate::error::{ConfigError, ConfigErrors, each};
use crate::policy::{Pattern, Role};
use crate::vertex::{Class, routes};

/// Whether the roles that `shares_state_with` names are others of the file.
pub(super) fn named(roles: &[raw::RoleEntry], known: Option<&[String]>) -> Checked<()> {
    let shares = roles.iter().enumerate().flat_map(|(index, role)| {
        let others = role.shares_state_with.iter().enumerate();
        others.map(move |(place, other)| {
            let at = format!("/roles/{index}/shares_state_with/{place}");
            is_named(&at, "role", other, known)?;
            match *other == role.name {
                true => Err(ConfigError::at(at, "a role's callers share its state anyway")),
                false => Ok(()),
            }
        })
    });
    each(shares).map(|_| ())
}

/// `shares` holds each role's `shares_state_with`.
pub(super) fn check(roles: &[Role], shares: &[Vec<String>]) -> Checked<()> {
    let shared = |one: usize, two: usize| {
        let says = |one: usize, two: usize| {
            let with = shares.get(one).map_or(&[][..], Vec::as_slice);
            roles.get(two).is_some_and(|two| with.contains(&two.name))
        };
        says(one, two) && says(two, one)
    };
    let reach = Reach::of(roles);
    let mut faults = Vec::new();
    for (index, role) in roles.iter().enumerate() {
        let Some(method) = stateful_method(role) else {
            continue;
        };
        let mut others = reach.sharing_a_project_with(role);
        let other = others.find(|other| *other != index && !shared(index, *other));
        if let Some(other) = other.and_then(|other| roles.get(other)) {
            let (name, other) = (&role.name, &other.name);
            let problem = format!(
                "{method} reaches what Google keeps for a project, and role \"{other}\" reaches a \
                 project of these, too: give each a project of its own, or say that they trust \
                 each other with it: \"shares_state_with\": [\"{other}\"] here and [\"{name}\"] there"
            );
            faults.push(ConfigError::at(format!("/roles/{index}/may/methods"), problem));
        }
    }
    ConfigErrors::unless_empty(faults)
}

fn stateful_method(role: &Role) -> Option<&'static str> {
    let stateful = routes().iter().filter(|route| route.class == Class::Stateful);
    stateful.map(|route| route.method.as_str()).find(|method| role.may.has_method(method))
}

/// Which roles reach a project: most name it, and there may be thousands.
struct Reach<'r> {
    named: HashMap<&'r str, Vec<usize>>,
    all: Vec<(usize, &'r Pattern)>,
    by_pattern: Vec<(usize, &'r Pattern)>,
}

impl<'r> Reach<'r> {
    fn of(roles: &'r [Role]) -> Self {
        let mut reach = Self { named: HashMap::new(), all: Vec::new(), by_pattern: Vec::new() };
        for (index, role) in roles.iter().enumerate() {
            for project in &role.may.projects {
                reach.all.push((index, project));
                match project.exact() {
                    Some(name) => reach.named.entry(name).or_default().push(index),
                    None => reach.by_pattern.push((index, project)),
                }
            }
        }
        reach
    }

    fn sharing_a_project_with(&self, role: &'r Role) -> impl Iterator<Item = usize> {
        role.may.projects.iter().flat_map(|own| {
            let named = own.exact().and_then(|name| self.named.get(name));
            let patterns = if own.exact().is_some() { &self.by_pattern } else { &self.all };
            let overlapping = patterns.iter().filter(|(_, other)| own.overlaps(other));
            named.into_iter().flatten().copied().chain(overlapping.map(|(index, _)| *index))
        })
    }
}
