//! Checks for lines that would leave calls uncounted: each request must have one log line, written
//! when its answer has ended, that calls `vertex_log_fields`.

use crate::error::ConfigError;
use crate::gateway::load::{BACKEND_DEFAULTS, FRONTEND_DEFAULTS, METER, fault};
use crate::haproxy::{
    Haproxy, Line, Section, SectionKind, Version, asks_for_log_fields, waits_for_the_end,
};

/// Options that set a log format of HAProxy's own.
const FORMATS: &[&str] = &["httplog", "httpslog", "tcplog"];

/// Options that suppress log lines or write them early.
const SILENCING: &[&str] = &["dontlog-normal", "logasap"];

pub(super) fn faults(haproxy: &Haproxy) -> Vec<ConfigError> {
    let formats = haproxy.sections.iter().flat_map(early_formats);
    let silent = haproxy.sections.iter().flat_map(|section| {
        let lines = silent_lines(haproxy, section).into_iter();
        lines.map(|line| {
            let problem = format!(
                "HAProxy's {} has `{}`: each request must have its log line once, at its end, and \
                 that must call lua.vertex_log_fields, or calls never end; leave the line out, or take \
                 the log-format of vertex.cfg into yours",
                section.title(),
                line.text
            );
            fault(line, problem)
        })
    });
    formats.chain(silent).collect()
}

/// The doubt that lines which HAProxy does not write go to `global`'s log, if no other log is
/// known.
pub(super) fn doubt_of_log(haproxy: &Haproxy) -> Option<String> {
    let tells = haproxy.version.is_some_and(|version| version >= Version::V3_0);
    let is_needed = haproxy.accounts && (haproxy.is_bare || !tells);
    let has_log = haproxy.sections.is_empty() || haproxy.global("log").next().is_some();
    if !is_needed || has_log {
        return None;
    }
    let since = if haproxy.is_bare { "" } else { "before HAProxy 3.0 " };
    Some(format!(
        "HAProxy's global section has no log, and {since}the lines of calls that Google closes the \
         connection on go there: write `log /dev/log local0` in it"
    ))
}

/// Log formats that HAProxy fills in at the head of an answer, before its tokens are known.
fn early_formats(section: &Section) -> impl Iterator<Item = ConfigError> {
    let asking = section.settings("log-format").filter(|(line, _)| asks_for_log_fields(line));
    let early = asking.filter(|(_, format)| !format.first().is_some_and(|f| waits_for_the_end(f)));
    let early = early.map(|(line, _)| {
        let problem = format!(
            "the log-format of HAProxy's {} has no field that waits for the end of the answer, so \
             its line would be written at the answer's head, with no tokens to count yet, and end \
             the call: write %B, %Ta, %Tt or %ts into it",
            section.title()
        );
        fault(line, problem)
    });
    // HAProxy does not wait for what a profile's format holds.
    let profiles = (section.kind == SectionKind::LogProfile).then_some(&section.lines);
    let twice =
        profiles.into_iter().flatten().filter(|line| asks_for_log_fields(line)).map(|line| {
            let problem = format!(
                "HAProxy's {} calls lua.vertex_log_fields: a call ends once, with the line of the \
             frontend's log-format; leave it out of the profile",
                section.title()
            );
            fault(line, problem)
        });
    early.chain(twice)
}

fn silent_lines<'h>(haproxy: &'h Haproxy, section: &'h Section) -> Vec<&'h Line> {
    let own = || section.lines.iter();
    if section.is_frontend() && !haproxy.is_bare && section.from == FRONTEND_DEFAULTS {
        let mut silent = silencing(own());
        silent.extend(format_of(own()).filter(|line| !asks_for_log_fields(line)));
        return silent;
    }
    if section.is_backend() && !haproxy.is_bare && section.from == BACKEND_DEFAULTS {
        return own().filter(|line| is_silencing_rule(line)).collect();
    }
    let lines = haproxy.lines_of(section);
    // In rules of the operator's own, a backend that signs or reads answers has calls to end.
    if haproxy.accounts && section.is_backend() && has_calls(&lines) {
        return lines.into_iter().filter(|line| is_silencing_rule(line)).collect();
    }
    // Of the operator's frontends, only those whose log line asks count.
    match format_of(lines.iter().copied()) {
        Some(format) if section.is_frontend() && asks_for_log_fields(format) => {
            silencing(lines.into_iter())
        }
        _ => Vec::new(),
    }
}

/// Whether these lines send a call to Google.
fn has_calls(lines: &[&Line]) -> bool {
    let is_ours = |word: &String| matches!(word.as_str(), METER | "lua.vertex-sign" | "lua.vertex");
    lines.iter().any(|line| line.words.iter().any(is_ours))
}

/// The last line that sets the log format.
fn format_of<'h>(lines: impl Iterator<Item = &'h Line>) -> Option<&'h Line> {
    let sets = |line: &&Line| match words(line).as_slice() {
        ["log-format", ..] => true,
        ["option", option, ..] => FORMATS.contains(option),
        _ => false,
    };
    lines.filter(sets).last()
}

fn silencing<'h>(lines: impl Iterator<Item = &'h Line> + Clone) -> Vec<&'h Line> {
    let is_of = |line: &Line, name: &str| matches!(words(line).as_slice(), ["option", option, ..] | ["no", "option", option, ..] if *option == name);
    let options = SILENCING.iter().filter_map(|name| {
        let last = lines.clone().filter(|line| is_of(line, name)).last()?;
        (words(last).first() == Some(&"option")).then_some(last)
    });
    let rules = lines.clone().filter(|line| is_silencing_rule(line));
    let logs = lines.clone().filter(|line| match words(line).as_slice() {
        ["no", "log"] => true,
        // HAProxy logs at steps from 3.1 on.
        ["log-steps", steps, ..] => *steps != "close",
        ["log-steps"] => true,
        _ => false,
    });
    options.chain(rules).chain(logs).collect()
}

/// Whether a rule, in a frontend or a backend, suppresses the request's log line or writes it at
/// once, as `do-log` does.
fn is_silencing_rule(line: &Line) -> bool {
    let words = words(line);
    words.windows(2).any(|pair| pair == ["set-log-level", "silent"]) || words.contains(&"do-log")
}

fn words(line: &Line) -> Vec<&str> {
    line.words.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::load::tests::{read, read_on};

    fn problems(text: &str) -> Vec<String> {
        faults(&read(text)).iter().map(ToString::to_string).collect()
    }

    /// What is said of a line in a section that is `from` these.
    fn said(from: &str, line: &str) -> usize {
        let text = format!("frontend ai from {from}\n bind :1\n  {line}\ndefaults\n no log\n");
        problems(&text).len()
    }

    #[test]
    fn finds_what_would_leave_a_request_without_its_line() {
        for line in [
            "log-format \"%ci %B\"",
            "option httplog clf",
            "option httpslog",
            "option tcplog",
            "option logasap",
            "option \"logasap\"",
            "option 'dontlog-normal'",
            "\"option\" log\\x61sap # no option logasap",
            "no option logasap\n option logasap",
            "option dontlog-normal",
            "no log",
            "log-steps accept,close",
            "http-request set-log-level silent if { path /x }",
            "http-request \"set-log-level\" 'silent'",
            "http-request do-log",
            "tcp-request content do-log",
            "log-format \"%B %[str(-),lua.vertex_log_fields]\"\n option httplog",
        ] {
            assert_eq!(said("vertex", line), 1, "{line}");
            assert_eq!(said("mine", line), 0, "{line}");
        }
        for line in [
            "log-format \"%ci %B %[str(-),lua.vertex_log_fields]\"",
            "option httplog\n log-format \"%ci %B %[str(-),lua.vertex_log_fields]\"",
            "error-log-format %ci",
            "option dontlognull",
            "no option logasap",
            "option logasap\n no option \"logasap\"",
            "log-steps close",
            "http-request set-log-level notice",
            "http-request set-header set-log-level\\ silent x",
            "# option logasap",
            "#option logasap",
        ] {
            assert_eq!(said("vertex", line), 0, "{line}");
        }
        let upstream = "backend vertex_global from vertex-upstream\n http-response";
        assert_eq!(problems(&format!("{upstream} set-log-level silent")).len(), 1);
        assert_eq!(problems(&format!("{upstream} do-log")).len(), 1);
        assert_eq!(problems(&format!("{upstream} set-log-level info")).len(), 0);
    }

    #[test]
    fn finds_formats_that_are_written_at_the_answers_head() {
        let ask = "%[str(-),lua.vertex_log_fields]";
        for fields in ["%ci", "%tsc", "%ST %r", "%%B", "%[bytes_out]"] {
            let [problem] =
                problems(&format!("frontend a from vertex\n log-format \"{fields} {ask}\"\n"))
                    .try_into()
                    .expect("one fault");
            assert!(
                problem.starts_with("x.cfg:2: the log-format of HAProxy's frontend a "),
                "{problem}"
            );
            assert!(problem.contains("write %B, %Ta, %Tt or %ts"), "{problem}");
        }
        for fields in ["%B", "%Ta", "%Tt", "%ts", "%ID", "%{+Q}U"] {
            let text = format!("frontend a from vertex\n log-format \"{fields} {ask}\"\n");
            assert_eq!(problems(&text), [""; 0], "{fields}");
        }
        let profile =
            |format: &str| problems(&format!("log-profile p\n on close format \"{format}\""));
        assert_eq!(profile(&format!("%B {ask}")).len(), 1);
        assert_eq!(profile("%B").len(), 0);
    }

    #[test]
    fn rules_of_ones_own_are_held_to_the_same_where_their_line_asks() {
        let bare = |defaults: &str, own: &str| {
            let text = format!("defaults d\n {defaults}\nfrontend a from d\n {own}\n");
            let haproxy = Haproxy { is_bare: true, ..read(&text) };
            faults(&haproxy).len()
        };
        let ask = "log-format \"%B %[str(-),lua.vertex_log_fields]\"";
        assert_eq!(bare(ask, "bind :1"), 0);
        assert_eq!(bare(ask, "option logasap"), 1);
        assert_eq!(bare("option logasap", ask), 1);
        assert_eq!(bare("option logasap", &format!("no option logasap\n {ask}")), 0);
        assert_eq!(bare("option logasap", "option httplog"), 0);
        assert_eq!(bare(&ask.replace("%B", "%ci"), "bind :1"), 1);
        let chain = format!("defaults\n option logasap\ndefaults d\n {ask}\ndefaults\n{ask}\n");
        let last = |tail: &str| {
            let text = format!("{chain}{tail}\nfrontend a\n bind :1\n");
            faults(&Haproxy { is_bare: true, ..read(&text) }).len()
        };
        assert_eq!(
            (last(""), last("defaults\n option logasap"), last(" option logasap")),
            (0, 0, 1)
        );
        assert_eq!(last("defaults e from d\n option logasap"), 1);
    }

    #[test]
    fn the_packaged_formats_wait_for_the_end() {
        let rules = include_str!("../../../haproxy-conf/vertex.cfg");
        // Both styles count: here nothing decides which one is taken.
        let haproxy = read(&rules.replace("streq(\"${VERTEX_LOG_STYLE}\",json)", "feature(X)"));
        let formats: Vec<_> =
            haproxy.sections.iter().flat_map(|section| section.settings("log-format")).collect();
        assert_eq!(formats.len(), 2);
        assert!(formats.iter().all(|(line, _)| asks_for_log_fields(line)));
        assert_eq!(faults(&haproxy), []);
    }

    #[test]
    fn in_rules_of_ones_own_a_backend_with_calls_is_not_silent() {
        let bare = |backend: &str| {
            let text = format!(
                "frontend f\n log-format \"%B %[str(),lua.vertex_log_fields]\"\nbackend b\n {backend}\n"
            );
            let haproxy = Haproxy { is_bare: true, ..read(&text) };
            faults(&haproxy).len()
        };
        let filter = "filter lua.vertex-meter";
        for rule in [
            "http-request set-log-level silent",
            "http-response set-log-level silent if { status 204 }",
            "http-after-response set-log-level \"silent\"",
        ] {
            assert_eq!(bare(&format!("{filter}\n {rule}")), 1, "{rule}");
            assert_eq!(bare(&format!("http-request lua.vertex-sign role\n {rule}")), 1, "{rule}");
            assert_eq!(bare(rule), 0, "{rule}");
        }
        assert_eq!(bare(&format!("{filter}\n http-request set-log-level info")), 0);
    }

    #[test]
    fn lines_that_are_left_to_us_have_a_log() {
        let doubt = |version: &str, global: &str| {
            let account = "frontend f\n log-format \"%B %[str(),lua.vertex_log_fields]\"";
            let text = format!("global\n {global}\n{account}\n");
            doubt_of_log(&read_on(version, &text)).is_some()
        };
        assert!(doubt("2.6.12", "maxconn 1"));
        assert!(!doubt("2.6.12", "log /dev/log local0"));
        assert!(!doubt("3.2.1", "maxconn 1"));
    }
}
