//! The environment that HAProxy's lines see: the process's own, changed by earlier lines.

use std::collections::HashMap;

use crate::haproxy::Version;

/// Looks up a variable by its name.
pub type Lookup<'e> = &'e dyn Fn(&str) -> Option<String>;

pub(super) struct Environment<'e> {
    outer: Lookup<'e>,
    version: Option<Version>,
    /// Variables that lines set or unset; the process's own environment lacks those of later files.
    set: HashMap<String, Option<String>>,
    /// The names that the last `resetenv` kept.
    kept: Option<Vec<String>>,
}

impl<'e> Environment<'e> {
    pub(super) fn new(outer: Lookup<'e>, version: Option<Version>) -> Self {
        Self { outer, version, set: HashMap::new(), kept: None }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        match self.set.get(name) {
            Some(value) => value.clone(),
            None if self.kept.as_ref().is_none_or(|kept| kept.iter().any(|k| k == name)) => {
                (self.outer)(name)
            }
            None => None,
        }
    }

    pub(super) const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether HAProxy drops a word that holds nothing but an unset variable.
    pub(super) fn drops_unset(&self) -> bool {
        self.version.is_none_or(|version| version >= Version::V2_7)
    }

    /// Sets HAProxy's own variables for the place of the current line.
    pub(super) fn stand_at(&mut self, file: &str, line: usize, section: &str) {
        let own = [
            (".FILE", file.to_owned()),
            (".LINE", line.to_string()),
            (".SECTION", section.to_owned()),
        ];
        self.set.extend(own.map(|(name, value)| (name.to_owned(), Some(value))));
    }

    /// Applies a line of the global section that changes the environment.
    pub(super) fn obey(&mut self, words: &[String]) {
        let [keyword, names @ ..] = words else {
            return;
        };
        match (keyword.as_str(), names) {
            ("setenv", [name, value, ..]) => self.put(name, Some(value.clone())),
            ("presetenv", [name, value, ..]) if self.get(name).is_none() => {
                self.put(name, Some(value.clone()));
            }
            ("unsetenv", names) => names.iter().for_each(|name| self.put(name, None)),
            ("resetenv", names) => {
                self.set.retain(|name, _| names.contains(name));
                let kept = self.kept.take().unwrap_or_else(|| names.to_vec());
                self.kept = Some(kept.into_iter().filter(|name| names.contains(name)).collect());
            }
            _ => {}
        }
    }

    fn put(&mut self, name: &str, value: Option<String>) {
        self.set.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_change_what_later_lines_see() {
        let outer = |name: &str| (name.len() == 1).then(|| format!("outer {name}"));
        let mut environment = Environment::new(&outer, None);
        let obey = |environment: &mut Environment<'_>, line: &str| {
            environment.obey(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        };
        obey(&mut environment, "setenv A 1");
        obey(&mut environment, "presetenv A 2");
        obey(&mut environment, "presetenv B 2");
        obey(&mut environment, "presetenv LONG 3");
        assert_eq!(environment.get("A").as_deref(), Some("1"));
        assert_eq!(environment.get("B").as_deref(), Some("outer B"));
        assert_eq!(environment.get("LONG").as_deref(), Some("3"));
        obey(&mut environment, "unsetenv A B");
        assert_eq!((environment.get("A"), environment.get("B")), (None, None));
        obey(&mut environment, "resetenv LONG C");
        assert_eq!(environment.get("LONG").as_deref(), Some("3"));
        assert_eq!(environment.get("C").as_deref(), Some("outer C"));
        assert_eq!(environment.get("D"), None);
        obey(&mut environment, "resetenv");
        assert_eq!((environment.get("LONG"), environment.get("C")), (None, None));
    }
}
