//! HAProxy's files as sections of lines of words. Of a condition that cannot be decided here, the
//! lines of every branch count.

use crate::haproxy::condition::holds;
use crate::haproxy::environment::Environment;
use crate::haproxy::words::words;

/// A file of HAProxy's configuration.
#[derive(Clone, Debug)]
pub struct File {
    /// As the operator named it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// `global`
    Global,
    /// `defaults`
    Defaults,
    /// `frontend`
    Frontend,
    /// `backend`
    Backend,
    /// `listen`, which is both.
    Listen,
    /// `log-profile`
    LogProfile,
    /// Any other.
    Other,
}

/// A section: its head and its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is.
    pub kind: SectionKind,
    /// Its name, if it has one.
    pub name: String,
    /// The name of the `defaults` that it takes what it does not say from; the last without `from`.
    pub from: String,
    /// Which section that is.
    pub base: Option<usize>,
    /// Where it begins.
    pub place: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A line: one word at least, quotes and escapes read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `file:number`
    pub place: String,
    /// As it was written.
    pub text: String,
    /// The words.
    pub words: Vec<String>,
}

impl Section {
    /// Whether requests come in by it.
    #[must_use]
    pub const fn is_frontend(&self) -> bool {
        matches!(self.kind, SectionKind::Frontend | SectionKind::Listen)
    }

    /// Whether requests leave by it.
    #[must_use]
    pub const fn is_backend(&self) -> bool {
        matches!(self.kind, SectionKind::Backend | SectionKind::Listen)
    }

    /// The lines that begin with this word, and what follows it.
    pub fn settings<'s>(
        &'s self,
        keyword: &'s str,
    ) -> impl DoubleEndedIterator<Item = (&'s Line, &'s [String])> {
        self.lines.iter().filter_map(move |line| {
            let (first, rest) = line.words.split_first()?;
            (first == keyword).then_some((line, rest))
        })
    }

    /// The section's kind and name, as the operator knows it.
    #[must_use]
    pub fn title(&self) -> String {
        let kind = match self.kind {
            SectionKind::Global => return "global".to_owned(),
            SectionKind::Defaults => "defaults",
            SectionKind::Frontend => "frontend",
            SectionKind::Backend => "backend",
            SectionKind::Listen => "listen",
            SectionKind::LogProfile => "log-profile",
            SectionKind::Other => "section",
        };
        format!("{kind} {}", self.name)
    }
}

impl SectionKind {
    /// The section that a line of this keyword begins.
    fn of(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "global" => Self::Global,
            "defaults" => Self::Defaults,
            "frontend" => Self::Frontend,
            "backend" => Self::Backend,
            "listen" => Self::Listen,
            "log-profile" => Self::LogProfile,
            "acme" | "cache" | "crt-store" | "fcgi-app" | "healthcheck" | "http-errors"
            | "log-forward" | "mailers" | "peers" | "program" | "resolvers" | "ring" | "traces"
            | "userlist" => Self::Other,
            _ => return None,
        })
    }

    const fn is_proxy(self) -> bool {
        matches!(self, Self::Frontend | Self::Backend | Self::Listen)
    }
}

/// One `.if`: whether its lines count now, and whether a branch before surely did.
#[derive(Clone, Copy)]
struct Branch {
    counts: bool,
    is_decided: bool,
    is_within: bool,
}

impl Branch {
    fn first(is_within: bool, condition: Option<bool>) -> Self {
        Self { counts: false, is_decided: false, is_within }.next(condition)
    }

    fn next(self, condition: Option<bool>) -> Self {
        let may_be = self.is_within && !self.is_decided;
        Self {
            counts: may_be && condition != Some(false),
            is_decided: self.is_decided || condition == Some(true),
            ..self
        }
    }
}

/// The values of a setting of the global section, each with its line.
pub(super) fn global<'s>(
    sections: &'s [Section],
    keyword: &'s str,
) -> impl Iterator<Item = (&'s Line, &'s str)> {
    let sections = sections.iter().filter(|section| section.kind == SectionKind::Global);
    let lines = sections.flat_map(move |section| section.settings(keyword));
    lines.filter_map(|(line, words)| words.first().map(|value| (line, value.as_str())))
}

/// The sections of all files, in their order.
pub(super) fn sections(files: &[File], environment: &mut Environment<'_>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for file in files {
        let mut branches: Vec<Branch> = Vec::new();
        for (index, text) in file.text.lines().enumerate() {
            let number = index.saturating_add(1);
            let name = sections.last().map_or("", |section| section.name.as_str());
            environment.stand_at(&file.name, number, name);
            let Some(words) = words(text, environment) else {
                continue;
            };
            let Some(keyword) = words.first() else {
                continue;
            };
            let counts = branches.last().is_none_or(|branch| branch.counts);
            if keyword.starts_with('.') {
                let condition = words.get(1..).unwrap_or_default().join(" ");
                turn(&mut branches, keyword, counts, &condition, environment);
                continue;
            }
            if !counts {
                continue;
            }
            let place = format!("{}:{number}", file.name);
            match SectionKind::of(keyword) {
                Some(kind) => sections.push(begun(kind, &words, place, &sections)),
                None => {
                    let Some(section) = sections.last_mut() else {
                        continue;
                    };
                    if section.kind == SectionKind::Global {
                        environment.obey(&words);
                    }
                    section.lines.push(Line { place, text: text.trim().to_owned(), words });
                }
            }
        }
    }
    sections
}

fn turn(
    branches: &mut Vec<Branch>,
    keyword: &str,
    counts: bool,
    condition: &str,
    environment: &Environment<'_>,
) {
    match (keyword, branches.last_mut()) {
        (".if", _) => branches.push(Branch::first(counts, holds(condition, environment))),
        (".elif", Some(branch)) => *branch = branch.next(holds(condition, environment)),
        (".else", Some(branch)) => *branch = branch.next(Some(true)),
        (".endif", Some(_)) => drop(branches.pop()),
        _ => {}
    }
}

/// The section that a head begins.
fn begun(kind: SectionKind, words: &[String], place: String, before: &[Section]) -> Section {
    let word = |index: usize| words.get(index).map(String::as_str);
    let (name, from) = match (word(1), word(2), word(3)) {
        (Some("from"), from, _) if kind == SectionKind::Defaults => ("", from),
        (name, Some("from"), from) => (name.unwrap_or_default(), from),
        (name, ..) => (name.unwrap_or_default(), None),
    };
    let base = before.iter().rposition(|section| match from {
        Some(from) => section.kind == SectionKind::Defaults && section.name == from,
        None => section.kind == SectionKind::Defaults && kind.is_proxy(),
    });
    let last = base.and_then(|base| before.get(base)).map_or("", |section| section.name.as_str());
    let from = from.unwrap_or(last).to_owned();
    Section { kind, name: name.to_owned(), from, base, place, lines: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Version;

    fn read(text: &str) -> Vec<Section> {
        let outer = |name: &str| (name == "SET").then(|| "on".to_owned());
        let mut environment = Environment::new(&outer, Version::parse("2.6.12"));
        sections(&[File { name: "a.cfg".to_owned(), text: text.to_owned() }], &mut environment)
    }

    #[test]
    fn sections_have_a_name_and_defaults() {
        let found = read(
            "global\n setenv X \"y z\"\ndefaults a\nfrontend f\n bind :1\nbackend \"b\" from c # d\n\
             defaults from a\nlisten l\nresolvers r\n frontend\n",
        );
        let heads: Vec<_> = found
            .iter()
            .map(|s| (s.kind, s.name.as_str(), s.from.as_str(), s.place.as_str()))
            .collect();
        assert_eq!(
            heads,
            [
                (SectionKind::Global, "", "", "a.cfg:1"),
                (SectionKind::Defaults, "a", "", "a.cfg:3"),
                (SectionKind::Frontend, "f", "a", "a.cfg:4"),
                (SectionKind::Backend, "b", "c", "a.cfg:6"),
                (SectionKind::Defaults, "", "a", "a.cfg:7"),
                (SectionKind::Listen, "l", "", "a.cfg:8"),
                (SectionKind::Other, "r", "", "a.cfg:9"),
                (SectionKind::Frontend, "", "", "a.cfg:10"),
            ]
        );
    }

    /// The second words of the lines that count.
    fn counting(text: &str) -> String {
        let sections = read(&format!("global\n{text}"));
        sections.iter().flat_map(|s| &s.lines).map(|line| line.words[1].clone()).collect()
    }

    #[test]
    fn lines_of_a_branch_that_surely_is_not_taken_do_not_count() {
        let decided =
            ".if streq(\"${SET}\",on)\n x a\n.elif defined(SET)\n x b\n.else\n x c\n.endif\n x d";
        assert_eq!(counting(decided), "ad");
        let not =
            ".if streq(\"${SET}\",off)\n x a\n.elif defined(SET)\n x b\n.else\n x c\n.endif\n x d";
        assert_eq!(counting(not), "bd");
        let open = ".if feature(X)\n x a\n.elif defined(SET)\n x b\n.else\n x c\n.endif\n x d";
        assert_eq!(counting(open), "abd");
        let nested = ".if 0\n.if 1\n x a\n.else\n x b\n.endif\n.endif\n x c";
        assert_eq!(counting(nested), "c");
        assert_eq!(counting(".if version_atleast(3.1)\n x a\n.endif\n x b\n.endif\n x c"), "bc");
    }

    #[test]
    fn what_a_line_sets_later_lines_see() {
        assert_eq!(counting(" setenv X 1\n x \"${X}${SET}\"\n x ${X}"), "X1on${X}");
        assert_eq!(
            counting(" presetenv SET off\n x \"${SET}\" \n presetenv Y 2\n x \"$Y\""),
            "SETonY2"
        );
        assert_eq!(counting(" x \"${.FILE}:${.LINE}\""), "a.cfg:2");
        // A false branch sets nothing.
        assert_eq!(counting(".if 0\n setenv X 1\n.endif\n x \"<${X}>\""), "<>");
    }
}
