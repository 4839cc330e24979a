//! Reads HAProxy's own configuration files, as far as this module depends on them, while HAProxy
//! still reads them: under `haproxy -c` nothing else tells which backends there are, and nothing
//! ever tells the buffer sizes and how sections are written. Once HAProxy passes its own list of
//! backends to `register_init`, that list replaces the one read here.

mod condition;
mod environment;
mod log_format;
mod section;
mod server;
mod size;
mod socket;
mod version;
mod words;

use std::collections::HashMap;

pub use environment::Lookup;
pub use log_format::waits_for_the_end;
pub use section::{File, Line, Section, SectionKind};
pub use server::Server;
pub use socket::{FetchSocket, Listener, User};
pub use version::Version;

use environment::Environment;

/// HAProxy's defaults, where the files say nothing.
const DEFAULT_BUFSIZE: usize = 16_384;
const DEFAULT_MAXREWRITE: usize = 1_024;

/// The variable of the rule set that limits the size of an issuer's documents.
const FETCH_MAX: &str = "VERTEX_FETCH_MAX";

/// The variable that holds the rule set's version.
const RULES: &str = "VERTEX_RULES";

/// The variables of the rule set that choose between two ways, and their valid words.
pub const SWITCHES: [(&str, [&str; 2]); 3] = [
    ("VERTEX_ABORTONCLOSE", ["on", "off"]),
    ("VERTEX_LOG_STYLE", ["text", "json"]),
    (API_KEYS, ["on", "off"]),
];

/// The one that lets API keys be sent.
pub const API_KEYS: &str = "VERTEX_API_KEYS";

/// The function that a log format calls for the module's fields.
const ACCOUNT: &str = "lua.vertex_log_fields";

/// HAProxy's settings, as far as a gateway depends on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Haproxy {
    /// The names of its backends.
    pub backends: Vec<String>,
    /// The sections of its files; empty if no file was named.
    pub sections: Vec<Section>,
    /// Its version, if known.
    pub version: Option<Version>,
    /// The socket that keys are fetched by.
    pub fetch_socket: FetchSocket,
    /// Whether a log format asks for the fields of an ended call.
    pub accounts: bool,
    /// `tune.bufsize`, in bytes.
    pub bufsize: usize,
    /// `tune.maxrewrite`, in bytes.
    pub maxrewrite: usize,
    /// `tune.bufsize.large`, in bytes, where a body may be held that the buffer does not fit.
    pub large_bufsize: Option<usize>,
    /// Settings whose size cannot be parsed.
    pub unreadable: Vec<Unreadable>,
    /// The largest document that the rule set accepts from an issuer, in bytes.
    pub fetch_max: usize,
    /// Whether it runs without the packaged rule set: the operator's own rules call the actions.
    pub is_bare: bool,
    /// The values of `SWITCHES` that are set.
    pub switches: HashMap<&'static str, String>,
}

/// A size that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The setting or variable.
    pub setting: &'static str,
    /// The line that sets it, if any.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

/// The system that HAProxy runs on.
pub struct System<'s> {
    /// The environment.
    pub environment: Lookup<'s>,
    /// The version of HAProxy.
    pub version: Option<Version>,
    /// User ids by name.
    pub users: HashMap<String, u32>,
    /// Resolves the links in a path.
    pub real_path: &'s dyn Fn(&str) -> String,
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

/// Whether a word of this line asks for the fields of an ended call.
#[must_use]
pub fn asks_for_log_fields(line: &Line) -> bool {
    line.words.iter().any(|word| word.contains(ACCOUNT))
}

impl Haproxy {
    /// Reads the files in order.
    #[must_use]
    pub fn read(files: &[File], system: &System<'_>) -> Self {
        let mut environment = Environment::new(system.environment, system.version);
        let sections = section::sections(files, &mut environment);
        let backends = sections.iter().filter(|section| section.is_backend());
        let backends = backends.map(|section| section.name.clone()).collect();
        let mut lines = sections.iter().flat_map(|section| &section.lines);
        let accounts = lines.any(asks_for_log_fields);
        let mut haproxy = Self {
            backends,
            version: system.version,
            fetch_socket: FetchSocket::read(&sections, &environment, system),
            accounts,
            bufsize: DEFAULT_BUFSIZE,
            maxrewrite: DEFAULT_MAXREWRITE,
            large_bufsize: None,
            fetch_max: 0,
            unreadable: Vec::new(),
            switches: HashMap::new(),
            is_bare: environment.get(RULES).is_none(),
            sections,
        };
        let set = |(name, _): &(&'static str, _)| Some((*name, environment.get(name)?));
        haproxy.switches = SWITCHES.iter().filter_map(set).collect();
        let fetch_max = environment.get(FETCH_MAX);
        haproxy.bufsize = haproxy.size("tune.bufsize").unwrap_or(haproxy.bufsize);
        haproxy.maxrewrite = haproxy.size("tune.maxrewrite").unwrap_or(haproxy.maxrewrite);
        haproxy.large_bufsize = haproxy.size("tune.bufsize.large");
        haproxy.fetch_max =
            fetch_max.and_then(|size| haproxy.bytes(FETCH_MAX, "", &size)).unwrap_or(0);
        haproxy
    }

    /// The values of a setting of the global section, each with its line.
    pub fn global<'h>(&'h self, keyword: &'h str) -> impl Iterator<Item = (&'h Line, &'h str)> {
        section::global(&self.sections, keyword)
    }

    /// The lines of a section, after those that it takes from its `defaults`.
    #[must_use]
    pub fn lines_of<'h>(&'h self, section: &'h Section) -> Vec<&'h Line> {
        let mut chain = vec![section];
        let mut base = section.base;
        // A base precedes the sections that inherit from it, so this ends.
        while let Some(section) = base.and_then(|base| self.sections.get(base)) {
            chain.push(section);
            base = section.base;
        }
        chain.into_iter().rev().flat_map(|section| &section.lines).collect()
    }

    fn size(&mut self, keyword: &'static str) -> Option<usize> {
        let (line, given) = self.global(keyword).last()?;
        let (place, given) = (line.place.clone(), given.to_owned());
        self.bytes(keyword, &place, &given)
    }

    fn bytes(&mut self, setting: &'static str, place: &str, given: &str) -> Option<usize> {
        let unreadable = |why| Unreadable { setting, place: place.to_owned(), why };
        size::bytes(given).map_err(|why| self.unreadable.push(unreadable(why))).ok()
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
        let file = |text: &str| File { name: "x.cfg".to_owned(), text: text.to_owned() };
        let files = [
            file("global\n presetenv SIZE 65536\n tune.bufsize \"${SIZE}\"\n# backend no"),
            file(
                "backend vertex_global from x\nlisten b\nfrontend c\nglobal\n tune.maxrewrite 4096",
            ),
        ];
        let read = |environment: Lookup<'_>| {
            let (users, real_path) = (HashMap::new(), &str::to_owned);
            Haproxy::read(&files, &System { environment, version: None, users, real_path })
        };
        let haproxy = read(&|_| None);
        assert_eq!(haproxy.backends, ["vertex_global", "b"]);
        assert_eq!((haproxy.bufsize, haproxy.maxrewrite), (65_536, 4_096));
        assert!(haproxy.is_bare && !haproxy.accounts);
        let set = |name: &str| (name == "SIZE").then(|| "32768".to_owned());
        assert_eq!(read(&set).bufsize, 32_768);
    }

    #[test]
    fn tells_sizes_that_it_cannot_read() {
        let unreadable = |bufsize: &str, fetch_max: &str| {
            let text = format!(
                "global\n presetenv VERTEX_FETCH_MAX {fetch_max}\n tune.bufsize \"${{SIZE}}\""
            );
            let files = [File { name: "x.cfg".to_owned(), text }];
            let environment = &|name: &str| (name == "SIZE").then(|| bufsize.to_owned());
            let (users, real_path) = (HashMap::new(), &str::to_owned);
            let system = System { environment, version: None, users, real_path };
            let unreadable = Haproxy::read(&files, &system).unreadable;
            unreadable.into_iter().map(|size| size.setting).collect::<Vec<_>>()
        };
        assert_eq!(unreadable("65536", "22000"), [""; 0]);
        assert_eq!(unreadable("64k", "22000"), ["tune.bufsize"]);
        assert_eq!(unreadable("64k", "22k"), ["tune.bufsize", "VERTEX_FETCH_MAX"]);
    }

    #[test]
    fn a_comment_calls_nothing() {
        let read = |text: &str| {
            let files = [File { name: "x.cfg".to_owned(), text: text.to_owned() }];
            let (users, real_path) = (HashMap::new(), &str::to_owned);
            let system = System { environment: &|_| None, version: None, users, real_path };
            Haproxy::read(&files, &system).accounts
        };
        assert!(!read("frontend a\n # log-format %[str(),lua.vertex_log_fields]"));
        assert!(read("frontend a\n log-format %[str(),lua.vertex_log_fields]"));
    }
}
