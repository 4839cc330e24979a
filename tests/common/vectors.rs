//! Vector files. An attribute that no test reads, or a misspelt one, fails the run: the shapes
//! deny unknown fields and want every one of theirs.

use std::collections::HashSet;

use haproxy_vertex::error::Reason;
use serde::de::DeserializeOwned;

/// A case with a name.
pub trait Named {
    /// The name, unique in its file.
    fn name(&self) -> &str;
    /// Why the case is there.
    fn comment(&self) -> &str;
}

/// Gives a vector's shape its name and comment.
#[macro_export]
macro_rules! named {
    ($shape:ty) => {
        impl $crate::common::vectors::Named for $shape {
            fn name(&self) -> &str {
                &self.name
            }
            fn comment(&self) -> &str {
                &self.comment
            }
        }
    };
}

/// The cases of a file; names are unique and every comment says something.
pub fn read<C: DeserializeOwned + Named>(text: &str) -> Vec<C> {
    let cases: Vec<C> = serde_json::from_str(text).expect("a vector file of the right shape");
    let mut names = HashSet::new();
    for case in &cases {
        assert!(names.insert(case.name().to_owned()), "the name stands twice: {}", case.name());
        assert!(!case.comment().is_empty(), "no comment: {}", case.name());
    }
    cases
}

/// Runs every case and tells all that fail, not only the first.
pub fn run<C: DeserializeOwned + Named>(text: &str, check: impl Fn(&C) -> Result<(), String>) {
    let cases = read::<C>(text);
    assert!(!cases.is_empty());
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.name(), check(case).err()?)))
        .collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// Compares what came out with `expect`: `ok`, or a reason's code that there is.
pub fn expect<T>(outcome: Result<T, Reason>, expect: &str) -> Result<(), String> {
    let known = expect == "ok" || Reason::ALL.iter().any(|reason| reason.code() == expect);
    assert!(known, "no such reason: {expect}");
    match outcome.map_or_else(Reason::code, |_| "ok") {
        code if code == expect => Ok(()),
        code => Err(format!("{code} instead of {expect}")),
    }
}
