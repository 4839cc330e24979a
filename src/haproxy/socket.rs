//! The Unix socket that keys are fetched by: the sockets that are bound before the worker enters
//! its chroot, and the path that the worker sees.

use crate::haproxy::System;
use crate::haproxy::environment::Environment;
use crate::haproxy::section::{Section, global};

/// The variable that tells the Lua scripts the socket's path, and their default.
const DESTINATION: &str = "VERTEX_FETCH_DST";
const DEFAULT_DESTINATION: &str = "/vertex-fetch.sock";

/// The socket that keys are fetched by, and the sockets that are bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchSocket {
    /// Its path, as the worker sees it.
    pub destination: String,
    /// The same path outside of the chroot, without links.
    pub real_destination: String,
    /// The Unix sockets that are bound.
    pub listeners: Vec<Listener>,
    /// The user that the worker runs as; `None` if it does not change its user.
    pub worker: Option<User>,
}

/// A Unix socket that is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `file:number` of its line.
    pub place: String,
    /// Its path, as it was written.
    pub path: String,
    /// The same without links.
    pub real_path: String,
    /// Its owner, if set.
    pub owner: Option<User>,
    /// Whether only its owner can open it.
    pub is_private: bool,
}

/// A user, by name or number.
#[derive(Clone, Debug)]
pub struct User {
    /// As it was written.
    pub text: String,
    number: Option<u32>,
}

impl PartialEq for User {
    /// Compares by number if both are known.
    fn eq(&self, other: &Self) -> bool {
        match (self.number, other.number) {
            (Some(own), Some(other)) => own == other,
            _ => self.text == other.text,
        }
    }
}

impl Eq for User {}

impl User {
    fn named(name: &str, system: &System<'_>) -> Self {
        Self { text: name.to_owned(), number: system.users.get(name).copied() }
    }

    fn numbered(number: &str) -> Self {
        Self { text: number.to_owned(), number: number.parse().ok() }
    }

    /// Whether the system knows this user.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.number.is_some()
    }

    /// Whether it can open every socket.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.number == Some(0) || self.text == "root"
    }
}

impl FetchSocket {
    pub(super) fn read(
        sections: &[Section],
        environment: &Environment<'_>,
        system: &System<'_>,
    ) -> Self {
        let destination =
            environment.get(DESTINATION).unwrap_or_else(|| DEFAULT_DESTINATION.to_owned());
        // HAProxy takes the first of these and ignores later ones.
        let first = |keyword| global(sections, keyword).next().map(|(_, value)| value);
        let chroot = first("chroot").unwrap_or_default();
        let worker = match (first("user"), first("uid")) {
            (Some(name), _) => Some(User::named(name, system)),
            (None, number) => number.map(User::numbered),
        };
        let unix = unix_bind(sections);
        Self {
            real_destination: (system.real_path)(&format!("{chroot}{destination}")),
            destination,
            listeners: sections
                .iter()
                .flat_map(|section| section.settings("bind"))
                .flat_map(|(line, words)| listeners(&line.place, words, unix, system))
                .collect(),
            worker,
        }
    }
}

/// The words of `unix-bind`, which hold for all sockets that do not say otherwise.
fn unix_bind(sections: &[Section]) -> &[String] {
    let lines = sections.iter().flat_map(|section| section.settings("unix-bind"));
    lines.last().map_or(&[], |(_, words)| words)
}

fn listeners(place: &str, words: &[String], unix: &[String], system: &System<'_>) -> Vec<Listener> {
    let Some((addresses, options)) = words.split_first() else {
        return Vec::new();
    };
    let option = |name: &str| value(options, name).or_else(|| value(unix, name));
    let owner = match (option("user"), option("uid")) {
        (Some(name), _) => Some(User::named(name, system)),
        (None, number) => number.map(User::numbered),
    };
    let mode = option("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok());
    let prefix = value(unix, "prefix").unwrap_or_default();
    let path = |address: &str| {
        let path = address.strip_prefix("unix@").unwrap_or(address);
        path.starts_with('/').then(|| format!("{prefix}{path}"))
    };
    let listener = |path: String| Listener {
        place: place.to_owned(),
        real_path: (system.real_path)(&path),
        path,
        owner: owner.clone(),
        is_private: mode.is_some_and(|mode| mode & 0o066 == 0),
    };
    addresses.split(',').filter_map(path).map(listener).collect()
}

/// The word after `name`.
fn value<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    let mut words = words.iter().map(String::as_str);
    words.find(|word| *word == name)?;
    words.next()
}
