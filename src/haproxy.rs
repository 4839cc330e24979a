//! What HAProxy's own configuration files say, as far as this module must know while HAProxy still
//! reads them: under `haproxy -c` nothing else tells which backends there are, and nothing ever
//! tells the buffer sizes. Lines under a false `.if` count too: HAProxy's own list, which comes
//! with `register_init`, has the last word on backends.

mod size;

use std::collections::{HashMap, HashSet};

/// HAProxy's defaults, where the files say nothing.
const DEFAULT_BUFSIZE: usize = 16_384;
const DEFAULT_MAXREWRITE: usize = 1_024;

/// The variable of the rule set that bounds what an issuer may send.
const FETCH_MAX: &str = "VERTEX_FETCH_MAX";

/// The defaults of frontends and backends, the filter of backends, and what a log format calls.
const FRONTEND_DEFAULTS: &str = "vertex";
const BACKEND_DEFAULTS: &str = "vertex-upstream";
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
    /// The frontends and backends of ours that would not tell when a request has ended, each with
    /// the line that makes it so.
    pub silent: Vec<(String, String)>,
    /// The backends of ours that may send a call twice, each with the line that makes it so.
    pub repeating: Vec<(String, String)>,
    /// Whether a log format asks what became of a call.
    pub accounts: bool,
    /// `tune.bufsize`, in bytes.
    pub bufsize: usize,
    /// `tune.maxrewrite`, in bytes.
    pub maxrewrite: usize,
    /// Settings whose size cannot be read, each with why.
    pub unreadable: Vec<(&'static str, String)>,
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
            repeating: Vec::new(),
            accounts: false,
            bufsize: DEFAULT_BUFSIZE,
            maxrewrite: DEFAULT_MAXREWRITE,
            fetch_max: 0,
            unreadable: Vec::new(),
            is_bare: false,
        };
        // Later files are not in the process's environment yet.
        let mut set: HashMap<String, String> = HashMap::new();
        let (mut section, mut from) = (String::new(), String::new());
        for line in texts.iter().flat_map(|text| text.lines()) {
            let mut words = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            let (Some(keyword), Some(value)) = (words.next(), words.next()) else {
                if matches!(line.trim(), "global" | "defaults") {
                    from.clear();
                }
                continue;
            };
            let expanded = match value.strip_prefix("${").and_then(|v| v.strip_suffix('}')) {
                Some(name) => set.get(name).cloned().or_else(|| environment(name)),
                None => Some(value.to_owned()),
            };
            let given = || expanded.as_deref().unwrap_or_default();
            match keyword {
                "backend" | "listen" => {
                    let named = words.next() == Some("from");
                    let defaults = words.next().filter(|_| named).unwrap_or_default();
                    if let Some(backend) = expanded {
                        section.clone_from(&backend);
                        defaults.clone_into(&mut from);
                        haproxy.from.insert(backend.clone(), defaults.to_owned());
                        haproxy.backends.push(backend);
                    }
                }
                "frontend" => {
                    section = expanded.unwrap_or_default();
                    let named = words.next() == Some("from");
                    words.next().filter(|_| named).unwrap_or_default().clone_into(&mut from);
                }
                "global" | "defaults" => from.clear(),
                "filter" if value == METER => {
                    haproxy.metered.insert(section.clone());
                }
                _ if is_silent(line, &from) => {
                    haproxy.silent.push((section.clone(), line.trim().to_owned()));
                }
                "retry-on" if from == BACKEND_DEFAULTS && repeats(line) => {
                    haproxy.repeating.push((section.clone(), line.trim().to_owned()));
                }
                "tune.bufsize" => {
                    haproxy.bufsize =
                        haproxy.size("tune.bufsize", given()).unwrap_or(haproxy.bufsize);
                }
                "tune.maxrewrite" => {
                    haproxy.maxrewrite =
                        haproxy.size("tune.maxrewrite", given()).unwrap_or(haproxy.maxrewrite);
                }
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
        haproxy.fetch_max =
            fetch_max.and_then(|value| haproxy.size(FETCH_MAX, &value)).unwrap_or(0);
        haproxy
    }

    fn size(&mut self, setting: &'static str, given: &str) -> Option<usize> {
        size::bytes(given).map_err(|why| self.unreadable.push((setting, why))).ok()
    }
}

/// Whether a `retry-on` sends a call again that a model may have begun to answer: all of them but
/// those for connections that did not come about and for statuses, which cost nothing.
fn repeats(line: &str) -> bool {
    line.split_whitespace().skip(1).take_while(|word| !word.starts_with('#')).any(|word| {
        !matches!(word, "none" | "conn-failure" | "0rtt-rejected") && word.parse::<u16>().is_err()
    })
}

/// Whether a line, in a section that is `from` these defaults, keeps some requests from having a log
/// line with our fields, or has it written before the answer is over.
fn is_silent(line: &str, from: &str) -> bool {
    if !matches!(from, FRONTEND_DEFAULTS | BACKEND_DEFAULTS) {
        return false;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    // In either section: the rules of both see the request.
    if words.windows(2).any(|pair| pair == ["set-log-level", "silent"]) {
        return true;
    }
    match (from, words.as_slice()) {
        (FRONTEND_DEFAULTS, ["log-format", ..]) => !line.contains(ACCOUNT),
        (FRONTEND_DEFAULTS, ["option", option, ..]) => {
            matches!(*option, "dontlog-normal" | "httplog" | "httpslog" | "logasap" | "tcplog")
        }
        (FRONTEND_DEFAULTS, ["no", "log"] | ["log-steps", ..]) => true,
        _ => false,
    }
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

    #[test]
    fn tells_sizes_that_it_cannot_read() {
        let unreadable = |bufsize: &str, fetch_max: &str| {
            let text = format!(
                "global\n presetenv VERTEX_FETCH_MAX {fetch_max}\n tune.bufsize \"${{SIZE}}\""
            );
            let size = |name: &str| (name == "SIZE").then(|| bufsize.to_owned());
            let unreadable = Haproxy::read(&[text], &size).unreadable;
            unreadable.into_iter().map(|(setting, _)| setting).collect::<Vec<_>>()
        };
        assert_eq!(unreadable("65536", "22000"), [""; 0]);
        assert_eq!(unreadable("64k", "22000"), ["tune.bufsize"]);
        assert_eq!(unreadable("64k", "22k"), ["tune.bufsize", "VERTEX_FETCH_MAX"]);
    }

    #[test]
    fn finds_what_would_send_a_call_twice() {
        let repeating = |from: &str, events: &str| {
            let text = format!("backend vertex_global from {from}\n retry-on {events}\n");
            Haproxy::read(&[text], &|_| None).repeating.len()
        };
        for events in
            ["all-retryable-errors", "503 response-timeout", "empty-response", "junk-response"]
        {
            assert_eq!(repeating("vertex-upstream", events), 1, "{events}");
            assert_eq!(repeating("mine", events), 0, "{events}");
        }
        for events in ["none", "conn-failure 0rtt-rejected", "429 503", "503 # response-timeout"] {
            assert_eq!(repeating("vertex-upstream", events), 0, "{events}");
        }
    }

    #[test]
    fn finds_what_would_leave_a_request_without_its_line() {
        let silent = |from: &str, line: &str| {
            let text = format!("frontend ai from {from}\n bind :1\n  {line}\ndefaults\n no log\n");
            Haproxy::read(&[text], &|_| None).silent.len()
        };
        for line in [
            "log-format \"%ci\"",
            "option httplog clf",
            "option httpslog",
            "option logasap",
            "option dontlog-normal",
            "no log",
            "log-steps accept,close",
            "http-request set-log-level silent if { path /x }",
        ] {
            assert_eq!(silent("vertex", line), 1, "{line}");
            assert_eq!(silent("mine", line), 0, "{line}");
        }
        assert_eq!(silent("vertex-upstream", "http-response set-log-level silent"), 1);
        for line in [
            "log-format \"%ci %[str(-),lua.vertex_account]\"",
            "option dontlognull",
            "no option logasap",
            "http-request set-log-level notice",
            "# option logasap",
            "#option logasap",
        ] {
            assert_eq!(silent("vertex", line), 0, "{line}");
        }
    }
}
