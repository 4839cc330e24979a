//! Checks where frontends lead: to `vertex_…` backends only with the packaged rules, and with those
//! to nothing else.

use crate::error::ConfigError;
use crate::gateway::load::{FRONTEND_DEFAULTS, LOCATION_BACKEND, fault, is_location_backend};
use crate::haproxy::{Haproxy, Line, Section};

/// The variable that holds the location of an allowed request.
const LOCATION: &str = "txn.vertex.location";
const RIGHT: &str = "use_backend vertex_%[var(txn.vertex.location)]";

pub(super) fn faults(haproxy: &Haproxy) -> Vec<ConfigError> {
    let frontends = haproxy.sections.iter().filter(|section| section.is_frontend());
    let serving = frontends.filter(|section| section.settings("disabled").next().is_none());
    serving.filter_map(|frontend| fault_of(haproxy, frontend)).collect()
}

fn fault_of(haproxy: &Haproxy, frontend: &Section) -> Option<ConfigError> {
    let ways: Vec<(&Line, &str)> = ["use_backend", "default_backend"]
        .iter()
        .flat_map(|keyword| frontend.settings(keyword))
        .filter_map(|(line, words)| Some((line, words.first()?.as_str())))
        .collect();
    let title = frontend.title();
    if frontend.from != FRONTEND_DEFAULTS {
        let (line, name) = ways.into_iter().find(|(_, name)| is_location_backend(name))?;
        let problem = format!(
            "HAProxy's {title} leads to {name} without our rules, which decide there: write \
             `{title} from {FRONTEND_DEFAULTS}`"
        );
        return Some(fault(line, problem));
    }
    if ways.iter().any(|(_, name)| why_never(haproxy, name).is_none()) {
        return None;
    }
    let never = ways.iter().find_map(|(line, name)| {
        let why = why_never(haproxy, name).filter(|_| name.contains("%["))?;
        Some(fault(line, format!("HAProxy's {title} has `{}`: {why}: write `{RIGHT}`", line.text)))
    });
    let problem = format!(
        "HAProxy's {title} leads to no vertex_… backend, so no call arrives: write `{RIGHT}` in it"
    );
    Some(never.unwrap_or_else(|| ConfigError::in_haproxy(&frontend.place, problem)))
}

/// Why a name in `use_backend` can never be one of a location's backend.
fn why_never(haproxy: &Haproxy, name: &str) -> Option<String> {
    let Some((prefix, expression)) = name.split_once("%[") else {
        return (!is_location_backend(name)).then(|| format!("{name} is no backend of a location"));
    };
    let is_open = LOCATION_BACKEND.starts_with(prefix);
    let mut backends = haproxy.backends.iter().filter(|backend| is_location_backend(backend));
    if !is_open && !backends.any(|backend| backend.starts_with(prefix)) {
        return Some(format!("no backend of a location has a name that begins with {prefix}"));
    }
    let variable = expression.strip_prefix("var(").and_then(|rest| rest.split_once(')'));
    let (arguments, rest) = variable?;
    let variable = arguments.split(',').next().unwrap_or(arguments);
    let is_converted = rest.starts_with(',');
    match variable {
        LOCATION if prefix.is_empty() && !is_converted => {
            Some(format!("{variable} is a location, not the name of its backend"))
        }
        LOCATION => None,
        _ if variable.starts_with("txn.vertex.") && !is_converted => {
            Some(format!("{variable} is no location"))
        }
        _ => (!may_be_set(haproxy, variable)).then(|| format!("nothing sets {variable}")),
    }
}

/// Whether a line sets a variable, or something may that the files do not show.
fn may_be_set(haproxy: &Haproxy, variable: &str) -> bool {
    let scripts = ["lua-load", "lua-load-per-thread"];
    if scripts.iter().flat_map(|keyword| haproxy.global(keyword)).nth(1).is_some() {
        return true;
    }
    let sets = |word: &String| {
        ["set-var(", "set-var-fmt("].iter().any(|action| {
            let name = word.strip_prefix(action).and_then(|rest| rest.strip_prefix(variable));
            name.is_some_and(|rest| rest.starts_with([',', ')']))
        })
    };
    let mut lines = haproxy.sections.iter().flat_map(|section| &section.lines);
    lines.any(|line| {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["set-var" | "set-var-fmt", name, ..] => *name == variable,
            ["filter", "spoe", ..] => true,
            _ => line.words.iter().any(sets),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::load::tests::read;

    const BACKENDS: &str = "backend vertex_us-central1 from vertex-upstream\nbackend vertex_unrouted\n\
                            backend vertex_fetch_x from vertex-fetch\nbackend mine\n";

    fn problems(frontend: &str) -> Vec<String> {
        faults(&read(&format!("{frontend}\n{BACKENDS}"))).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_frontend_without_our_rules_leads_to_no_location() {
        for line in [
            "use_backend vertex_us-central1 if { path / }",
            "default_backend vertex_us-central1",
            "use_backend vertex_%[req.hdr(x)]",
            "use_backend \"vertex_%[var(txn.vertex.location)]\"",
        ] {
            for head in ["frontend a", "frontend a from vertex-internal", "listen a"] {
                let [problem] =
                    problems(&format!("{head}\n {line}")).try_into().expect("one fault");
                assert!(problem.starts_with("x.cfg:2: HAProxy's "), "{problem}");
                assert!(problem.ends_with("a from vertex`"), "{problem}");
            }
            assert_eq!(problems(&format!("frontend a from vertex\n {line}")), [""; 0], "{line}");
        }
        for line in [
            "use_backend vertex_fetch_%[req.hdr(host),lower]",
            "default_backend vertex_unrouted",
            "default_backend mine",
            "use_backend %[req.hdr(x)]",
            "# use_backend vertex_us-central1",
        ] {
            assert_eq!(problems(&format!("frontend a\n {line}")), [""; 0], "{line}");
        }
    }

    #[test]
    fn a_frontend_with_our_rules_leads_to_a_location() {
        for (lines, says) in [
            ("bind :1", "x.cfg:1: HAProxy's frontend a leads to no vertex_… backend"),
            ("default_backend mine", "x.cfg:1: "),
            ("default_backend vertex_unrouted", "x.cfg:1: "),
            ("use_backend vertex_%[var(txn.vertex.locaton)]", "x.cfg:2: "),
            ("use_backend vertex_%[var(txn.vertex.status)]", "txn.vertex.status is no location"),
            ("use_backend vertex_%[var(txn.location)]", "nothing sets txn.location"),
            ("use_backend vertx_%[var(txn.vertex.location)]", "begins with vertx_"),
            ("use_backend vertex-%[var(txn.vertex.location)]", "begins with vertex-"),
            ("use_backend vertex_eu%[str(-x)]", "begins with vertex_eu"),
            ("use_backend %[var(txn.vertex.location)]", "not the name of its backend"),
            ("use_backend vertex_fetch_%[var(txn.vertex.location)]", "x.cfg:2: "),
        ] {
            let [problem] =
                problems(&format!("frontend a from vertex\n {lines}")).try_into().expect(lines);
            assert!(problem.contains(says), "{problem}");
            assert!(problem.contains(RIGHT), "{problem}");
            // One way that leads somewhere is enough.
            let two = format!("frontend a from vertex\n {lines}\n use_backend vertex_us-central1");
            assert_eq!(problems(&two), [""; 0]);
            assert_eq!(problems(&format!("frontend a from vertex\n {lines}\n disabled")), [""; 0]);
        }
        for line in [
            RIGHT,
            "use_backend vertex_%[var(txn.vertex.location),lower] if TRUE",
            "use_backend vertex_us-%[str(central1)]",
            "use_backend vertex_%[var(txn.vertex.verdict),field(2,|)]\n http-request set-var(txn.vertex.verdict) str(x)",
            "use_backend vertex_%[var(txn.mine)]\n http-request set-var(txn.mine) str(us-central1)",
            "use_backend vertex_%[var(txn.mine)]\n http-request set-var-fmt(txn.mine,ifexists) us",
            "use_backend vertex_%[var(txn.mine)]\n filter spoe engine x config y",
            "use_backend %[path,map(/x)]",
            "default_backend vertex_us-central1",
        ] {
            assert_eq!(problems(&format!("frontend a from vertex\n {line}")), [""; 0], "{line}");
        }
    }
}
