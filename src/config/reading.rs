//! Reads a file and collects all faults of its shape. Each fault is mended, so that the rest is
//! read and checked as well; faults that follow from a mended one are not reported.

use serde::Deserialize;

use crate::config::tree::{Fault, FaultKind, Tree};
use crate::error::{ConfigError, ConfigErrors};
use crate::json::syntax_fault;

/// Most faults that are reported.
const MAX_FAULTS: usize = 100;

/// A file, as far as it could be read.
pub(super) struct Reading<T> {
    /// Its contents, with made-up values where it was mended; `None` after too many faults.
    pub(super) raw: Option<T>,
    pub(super) mended: Mended,
    tree: Tree,
    faults: Vec<ConfigError>,
}

/// The JSON pointers of the values that are made up.
#[derive(Default)]
pub(super) struct Mended(Vec<String>);

impl<T: for<'t> Deserialize<'t>> Reading<T> {
    /// Reads one JSON value.
    ///
    /// # Errors
    /// If the text is not JSON.
    pub(super) fn of(text: &[u8]) -> Result<Self, ConfigError> {
        let tree = serde_json::from_slice(text)
            .map_err(|why| ConfigError::at("", syntax_fault(&why, text)))?;
        let mut reading = Self { raw: None, mended: Mended::default(), tree, faults: Vec::new() };
        while reading.faults.len() < MAX_FAULTS {
            match T::deserialize(&reading.tree) {
                Ok(raw) => {
                    reading.raw = Some(raw);
                    break;
                }
                Err(fault) => {
                    if !reading.mend(&fault) {
                        break;
                    }
                }
            }
        }
        Ok(reading)
    }

    /// The contents of a file without faults.
    pub(super) fn whole(self) -> Result<T, ConfigErrors> {
        match (self.raw, ConfigErrors::unless_empty(self.faults)) {
            (Some(raw), Ok(())) => Ok(raw),
            (_, Err(errors)) => Err(errors),
            (None, Ok(())) => Err(ConfigError::at("", "it cannot be read").into()),
        }
    }

    /// The result of the checks if the file's shape has no fault either; else all faults.
    pub(super) fn told_with<C>(self, checked: Result<C, ConfigErrors>) -> Result<C, ConfigErrors> {
        let Self { mended, tree, mut faults, .. } = self;
        let (checked, others) = match checked {
            Ok(checked) => (Some(checked), None),
            Err(errors) => (None, Some(errors)),
        };
        let own = |error: &ConfigError| !mended.explains(&error.pointer);
        faults.extend(others.into_iter().flatten().filter(own));
        faults.sort_by_cached_key(|fault| tree.path(&fault.pointer));
        ConfigErrors::unless_empty(faults)?;
        checked.ok_or_else(|| ConfigError::at("", "it cannot be read").into())
    }

    /// Mends a fault, at its place or else at the value around it. Returns whether it could.
    fn mend(&mut self, fault: &Fault) -> bool {
        let path: Vec<usize> = fault.path.iter().rev().copied().collect();
        let (depth, is_made_up) = self.tree.depth(&path);
        let known = path.get(..depth).unwrap_or_default();
        if is_made_up {
            let Some((_, parent)) = known.split_last() else {
                return false;
            };
            return self.make_up(parent, Tree::Mended);
        }
        let pointer = self.tree.pointer(known);
        self.faults.push(ConfigError::at(&pointer, problem(fault, &pointer)));
        match fault.kind {
            FaultKind::Value(_) => self.make_up(known, Tree::Mended),
            FaultKind::Unknown(_) | FaultKind::Twice => self.make_up(known, Tree::Removed),
            FaultKind::Missing(member) => {
                self.mended.0.push(format!("{pointer}/{member}"));
                match self.tree.at(known) {
                    Some(Tree::Object(members)) => {
                        members.push((member.to_owned(), Tree::Mended));
                        true
                    }
                    _ => false,
                }
            }
        }
    }

    fn make_up(&mut self, path: &[usize], instead: Tree) -> bool {
        self.mended.0.push(self.tree.pointer(path));
        self.tree.at(path).map(|place| *place = instead).is_some()
    }
}

/// The message of a fault; a limit that does not exist yet is told from a misspelt one.
fn problem(fault: &Fault, pointer: &str) -> String {
    let member = pointer.rsplit('/').next().unwrap_or_default();
    match (&fault.kind, member.split_once("_per_")) {
        (FaultKind::Unknown(_), Some((kind @ ("requests" | "tokens"), "day" | "month"))) => {
            format!(
                "limits of a day or a month come only once a reload keeps what was counted; an \
                 hour's is wanted: {kind}_per_hour"
            )
        }
        _ => fault.to_string(),
    }
}

impl Mended {
    /// Whether a fault at this place may follow from what was mended there, above it, or directly
    /// below it.
    fn explains(&self, pointer: &str) -> bool {
        let parent =
            |place: &str| place.rsplit_once('/').map_or("", |(parent, _)| parent) == pointer;
        self.0.iter().any(|place| is_at_or_below(pointer, place) || parent(place))
    }

    /// Whether anything was mended at this place, above it or below it.
    pub(super) fn touches(&self, pointer: &str) -> bool {
        let touches =
            |place: &String| is_at_or_below(pointer, place) || is_at_or_below(place, pointer);
        self.0.iter().any(touches)
    }

    /// Whether all names in this list of objects are known.
    pub(super) fn leaves_names(&self, list: &str) -> bool {
        !self.0.iter().any(|place| {
            let below = place.strip_prefix(list).filter(|_| is_at_or_below(place, list));
            let mut rest = below.into_iter().flat_map(|below| below.split('/').skip(2));
            is_at_or_below(list, place)
                || below.is_some() && rest.next().is_none_or(|member| member == "name")
        })
    }
}

fn is_at_or_below(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
