//! What HAProxy's own configuration files say, as far as this module must know while HAProxy still
//! reads them: under `haproxy -c` nothing else tells which backends there are, and nothing ever
//! tells the buffer sizes. Lines under a false `.if` count too: HAProxy's own list, which comes
//! with `register_init`, has the last word on backends.

use std::collections::{HashMap, HashSet};

/// HAProxy's defaults, where the files say nothing.
const DEFAULT_BUFSIZE: usize = 16_384;
const DEFAULT_MAXREWRITE: usize = 1_024;

/// The variable of the rule set that bounds what an issuer may send.
const FETCH_MAX: &str = "VERTEX_FETCH_MAX";

/// The defaults of frontends and of backends, the filter of backends, and what a log format calls.
const FRONTEND_DEFAULTS: &str = "vertex";
const UPSTREAM_DEFAULTS: &str = "vertex-upstream";
const METER: &str = "lua.vertex-meter";
const ACCOUNT: &str = "lua.vertex_account";

/// The variable by which the rule set tells its version.
const RULES: &str = "VERTEX_RULES";

/// HAProxy as far as a configuration depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Haproxy {
    /// The names of its backends.
    pub backends: Vec<String>,
    /// The `defaults` that each backend is `from`, as far as files say.
    pub from: HashMap<String, String>,
    /// The backends that read answers as they pass.
    pub metered: HashSet<String>,
    /// The frontends that are `from vertex`, and the backends from `vertex-upstream`, that would not
    /// tell when a request has ended, each with the line that makes it so.
    pub silent: Vec<(String, String)>,
    /// Whether a log format asks what became of a call.
    pub accounts: bool,
    /// `tune.bufsize`, in bytes.
    pub bufsize: usize,
    /// `tune.maxrewrite`, in bytes.
    pub maxrewrite: usize,
    /// The largest document that the rule set lets an issuer send, in bytes.
    pub fetch_max: usize,
    /// Whether it runs without the packaged rule set: rules of the operator's own call the actions.
    pub is_bare: bool,
}

/// The files and folders that a command line of HAProxy's names with `-f` and after `--`.
pub fn configuration_files(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut files = Vec::new();
    let mut arguments = arguments.skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-f" => files.extend(arguments.next()),
            "--" => files.extend(arguments.by_ref()),
            _ => {}
        }
    }
    files
}

impl Haproxy {
    /// Reads the text of the files, in their order; `environment` stands for `${NAME}`.
    pub fn read(texts: &[String], environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut haproxy = Self {
            backends: Vec::new(),
            from: HashMap::new(),
            metered: HashSet::new(),
            silent: Vec::new(),
            accounts: false,
            bufsize: DEFAULT_BUFSIZE,
            maxrewrite: DEFAULT_MAXREWRITE,
            fetch_max: 0,
            is_bare: false,
        };
        // Later files are not in the process's environment yet.
        let mut set: HashMap<String, String> = HashMap::new();
        let (mut section, mut is_ours, mut is_upstream) = (String::new(), false, false);
        for line in texts.iter().flat_map(|text| text.lines()) {
            let mut words = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            let (Some(keyword), Some(value)) = (words.next(), words.next()) else {
                let ends = matches!(line.trim(), "global" | "defaults");
                (is_ours, is_upstream) = (is_ours && !ends, is_upstream && !ends);
                continue;
            };
            let expanded = match value.strip_prefix("${").and_then(|v| v.strip_suffix('}')) {
                Some(name) => set.get(name).cloned().or_else(|| environment(name)),
                None => Some(value.to_owned()),
            };
            let size = || expanded.as_ref().and_then(|value| value.parse().ok());
            match keyword {
                "backend" | "listen" => {
                    let named = words.next() == Some("from");
                    let defaults = words.next().filter(|_| named).unwrap_or_default();
                    if let Some(backend) = expanded {
                        section.clone_from(&backend);
                        is_ours = defaults == FRONTEND_DEFAULTS;
                        is_upstream = defaults == UPSTREAM_DEFAULTS;
                        haproxy.from.insert(backend.clone(), defaults.to_owned());
                        haproxy.backends.push(backend);
                    }
                }
                "frontend" => {
                    section = expanded.unwrap_or_default();
                    is_upstream = false;
                    is_ours =
                        words.next() == Some("from") && words.next() == Some(FRONTEND_DEFAULTS);
                }
                "global" | "defaults" => (is_ours, is_upstream) = (false, false),
                "filter" if value == METER => {
                    haproxy.metered.insert(section.clone());
                }
                _ if (is_ours && is_silent(line))
                    || ((is_ours || is_upstream) && is_silencing_rule(line)) =>
                {
                    haproxy.silent.push((section.clone(), line.trim().to_owned()));
                }
                "tune.bufsize" => haproxy.bufsize = size().unwrap_or(haproxy.bufsize),
                "tune.maxrewrite" => haproxy.maxrewrite = size().unwrap_or(haproxy.maxrewrite),
                "setenv" => {
                    set.extend(words.next().map(|text| (value.to_owned(), text.to_owned())));
                }
                "presetenv" if environment(value).is_none() && !set.contains_key(value) => {
                    set.extend(words.next().map(|text| (value.to_owned(), text.to_owned())));
                }
                _ => {}
            }
        }
        haproxy.accounts = texts.iter().any(|text| text.contains(ACCOUNT));
        let fetch_max = environment(FETCH_MAX).or_else(|| set.get(FETCH_MAX).cloned());
        haproxy.is_bare = environment(RULES).is_none() && !set.contains_key(RULES);
        haproxy.fetch_max = fetch_max.and_then(|value| value.parse().ok()).unwrap_or(0);
        haproxy
    }
}

/// Whether a line of a frontend's keeps some requests from having a log line with our fields, or has
/// it written before they have ended.
fn is_silent(line: &str) -> bool {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("log-format"), _) => !line.contains(ACCOUNT),
        (Some("option"), Some(option)) => {
            matches!(option, "dontlog-normal" | "httplog" | "httpslog" | "tcplog" | "logasap")
        }
        (Some("no"), Some("log")) | (Some("log-steps"), _) => true,
        _ => false,
    }
}

/// Whether a rule keeps requests from having a log line. Those that are refused have ended before
/// rules behind ours, so it can only be meant for calls.
fn is_silencing_rule(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_rule = words.next().is_some_and(|word| word.starts_with("http-"));
    is_rule && words.next() == Some("set-log-level") && words.next() == Some("silent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_files_backends_and_sizes() {
        let words = "haproxy -W -f a.cfg -p x -f dir -- b.cfg c.cfg";
        let files = configuration_files(words.split(' ').map(str::to_owned));
        assert_eq!(files, ["a.cfg", "dir", "b.cfg", "c.cfg"]);
        let texts = [
            "global\n presetenv SIZE 65536\n tune.bufsize \"${SIZE}\"\n# backend no".to_owned(),
            "backend vertex_global from x\nlisten b\nfrontend c\nglobal\n tune.maxrewrite 4096"
                .to_owned(),
        ];
        let haproxy = Haproxy::read(&texts, &|_| None);
        assert_eq!(haproxy.backends, ["vertex_global", "b"]);
        assert_eq!((haproxy.from["vertex_global"].as_str(), haproxy.from["b"].as_str()), ("x", ""));
        assert_eq!((haproxy.bufsize, haproxy.maxrewrite), (65_536, 4_096));
        let set = |name: &str| (name == "SIZE").then(|| "32768".to_owned());
        assert_eq!(Haproxy::read(&texts, &set).bufsize, 32_768);
    }
}
