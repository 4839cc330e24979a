//! Sections that take our defaults: behind vertex.cfg, which is read once, and in HTTP's mode.

use crate::error::ConfigError;
use crate::gateway::load::{BACKEND_DEFAULTS, FRONTEND_DEFAULTS, fault};
use crate::haproxy::{Haproxy, Section, SectionKind};

const OURS: [&str; 3] = [FRONTEND_DEFAULTS, BACKEND_DEFAULTS, "vertex-fetch"];

pub(super) fn faults(haproxy: &Haproxy) -> Vec<ConfigError> {
    let ours: Vec<&Section> = haproxy.sections.iter().filter(|s| is_ours(&s.from)).collect();
    let is_read_later = |section: &&&Section| {
        let is_base =
            |other: &Section| other.kind == SectionKind::Defaults && other.name == section.from;
        section.base.is_none() && haproxy.sections.iter().any(is_base)
    };
    let early = ours.iter().filter(is_read_later).map(|section| {
        let problem = format!(
            "HAProxy's {} is from {}, and stands before it: name vertex.cfg before this file",
            section.title(),
            section.from
        );
        ConfigError::in_haproxy(&section.place, problem)
    });
    let modes = ours.iter().flat_map(|section| {
        let others = section.settings("mode");
        let others = others.filter(|(_, mode)| mode.first().is_none_or(|mode| mode != "http"));
        others.map(|(line, _)| {
            let problem = format!(
                "HAProxy's {} has `{}`: our rules are of HTTP, and do not run there; leave it out",
                section.title(),
                line.text
            );
            fault(line, problem)
        })
    });
    early.chain(modes).chain(twice(haproxy)).collect()
}

fn is_ours(name: &str) -> bool {
    OURS.contains(&name)
}

/// The rule set that is read again.
fn twice(haproxy: &Haproxy) -> Option<ConfigError> {
    let defaults = |section: &&Section| {
        section.kind == SectionKind::Defaults && section.name == FRONTEND_DEFAULTS
    };
    let mut found = haproxy.sections.iter().filter(defaults);
    let (first, again) = (found.next()?, found.next()?);
    let problem = format!(
        "HAProxy's {} was there before ({}): name vertex.cfg once",
        again.title(),
        first.place
    );
    Some(ConfigError::in_haproxy(&again.place, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::load::tests::read;

    const DEFAULTS: &str = "defaults vertex\ndefaults vertex-upstream\n";

    fn problems(text: &str) -> Vec<String> {
        faults(&read(text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sections_of_ours_stand_behind_vertex_cfg_in_mode_http() {
        for section in [
            "frontend a from vertex",
            "backend vertex_eu from vertex-upstream",
            "frontend a from vertex\n mode http",
            "defaults\nfrontend b\n mode tcp",
        ] {
            assert_eq!(problems(&format!("{DEFAULTS}{section}")), [""; 0], "{section}");
        }
        let early = problems(&format!("frontend a from vertex\n{DEFAULTS}"));
        assert_eq!(
            early,
            [
                "x.cfg:1: HAProxy's frontend a is from vertex, and stands before it: name vertex.cfg \
              before this file"
            ]
        );
        for section in ["frontend a from vertex", "backend vertex_eu from vertex-upstream"] {
            let found = problems(&format!("{DEFAULTS}{section}\n mode tcp"));
            assert!(found[0].starts_with("x.cfg:4: ") && found.len() == 1, "{found:?}");
        }
        let twice = problems(&format!("{DEFAULTS}{DEFAULTS}"));
        assert!(twice[0].starts_with("x.cfg:3: ") && twice[0].contains("x.cfg:1"), "{twice:?}");
    }
}
