//! Indexes grants, so that ten thousand roles cost what ten do: a token meets only the grants that
//! name one of its groups or its subject (or neither), and a request of a caller with many grants
//! only those for its project.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::policy::{Caller, Pattern, Who};

/// Number of grants up to which checking each is the cheapest way.
const FEW: usize = 32;

/// Numbers of grants by some name; each list is in order.
#[derive(Debug, Default)]
pub(super) struct Index {
    issuers: HashMap<String, OfIssuer>,
    projects: HashMap<String, Vec<u32>>,
    /// Grants for projects by pattern.
    many_projects: Vec<u32>,
}

#[derive(Debug, Default)]
struct OfIssuer {
    groups: HashMap<String, Vec<u32>>,
    subjects: HashMap<String, Vec<u32>>,
    /// Grants that name neither groups nor subjects.
    others: Vec<u32>,
}

impl Index {
    /// Indexes grants in order, each with its role's projects.
    pub(super) fn new<'r>(grants: impl Iterator<Item = (&'r Who, &'r [Pattern])>) -> Self {
        let mut index = Self::default();
        for ((who, projects), number) in grants.zip(0_u32..) {
            let issuer = index.issuers.entry(who.issuer.clone()).or_default();
            match (&who.subjects, &who.groups) {
                (Some(names), _) => add(&mut issuer.subjects, names, number),
                (None, Some(names)) => add(&mut issuer.groups, names, number),
                (None, None) => issuer.others.push(number),
            }
            let exact: Option<Vec<String>> =
                projects.iter().map(|project| project.exact().map(str::to_owned)).collect();
            match exact {
                Some(names) => add(&mut index.projects, &names, number),
                None => index.many_projects.push(number),
            }
        }
        index
    }

    /// A superset of the grants that a caller can have, in order.
    pub(super) fn candidates(&self, caller: &Caller<'_>) -> Vec<u32> {
        let Some(issuer) = self.issuers.get(caller.issuer) else {
            return Vec::new();
        };
        let mut numbers = issuer.others.clone();
        numbers.extend(issuer.subjects.get(caller.subject).into_iter().flatten());
        let groups = caller.groups.iter().filter_map(|group| issuer.groups.get(group));
        numbers.extend(groups.flatten());
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// A superset of those of `grants` that are for a project, in order.
    pub(super) fn within<'g>(&self, grants: &'g [u32], project: Option<&str>) -> Cow<'g, [u32]> {
        let Some(project) = project.filter(|_| grants.len() > FEW) else {
            return Cow::Borrowed(grants);
        };
        let exact = self.projects.get(project).map_or(&[][..], Vec::as_slice);
        if exact.len().saturating_add(self.many_projects.len()) >= grants.len() {
            return Cow::Borrowed(grants);
        }
        let mut numbers = [exact, &self.many_projects].concat();
        numbers.sort_unstable();
        numbers.retain(|number| grants.binary_search(number).is_ok());
        Cow::Owned(numbers)
    }
}

fn add(lists: &mut HashMap<String, Vec<u32>>, names: &[String], number: u32) {
    for name in names {
        let list = lists.entry(name.clone()).or_default();
        // A repeated name counts once.
        if list.last() != Some(&number) {
            list.push(number);
        }
    }
}
