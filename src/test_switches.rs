//! Checks that a test can switch off, to show that what each one stops comes through without it.
//! Only a build with the feature `faults` has such switches: in the module that ships, `on` is a
//! constant and none of this is left.

/// A check on what a caller sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// One credential header.
    OneCredential,
    /// One Content-Type and one Content-Length.
    HeadersOnce,
    /// No header that changes what a request means.
    ForbiddenHeaders,
    /// No other host in the request line.
    OriginForm,
    /// A body that is read has come as a whole.
    WholeBody,
    /// A body that is read as it passes has ended before its last bytes go.
    BodyEnds,
    /// Nothing but white space stands behind such a body.
    BehindBody,
    /// A body is declared as JSON in UTF-8.
    JsonType,
    /// One spelling a path.
    Spelling,
    /// Names in a path are of their alphabet.
    Names,
    /// The closed list of query parameters and of their values.
    QueryList,
    /// No body where a route takes none.
    BodyTaken,
    /// A body is one value of strict JSON.
    StrictJson,
    /// No member stands twice, in whichever spelling.
    NamesOnce,
    /// `file_uri` is read as `fileUri`.
    SnakeCase,
    /// A body names the model, project and location of the path.
    BodyModel,
    /// An operation is one of the resource in the path.
    Operation,
    /// A role is for some projects only.
    Project,
    /// This term of a role for bodies.
    Term(&'static str),
}

/// Whether a check is to be made.
#[cfg(not(feature = "faults"))]
#[must_use]
pub(crate) const fn on(_: Check) -> bool {
    true
}

#[cfg(feature = "faults")]
pub(crate) use faults::{on, only_without};

#[cfg(feature = "faults")]
mod faults {
    use std::sync::{PoisonError, RwLock};

    use super::Check;

    static OFF: RwLock<String> = RwLock::new(String::new());

    /// Whether a check is to be made.
    pub(crate) fn on(check: Check) -> bool {
        let off = OFF.read().unwrap_or_else(PoisonError::into_inner);
        let own = match check {
            Check::Term(name) => name.to_owned(),
            _ => format!("{check:?}"),
        };
        !off.split_whitespace().any(|name| name == own)
    }

    /// Switches the checks with these names off, and all others on.
    pub(crate) fn only_without(names: String) {
        *OFF.write().unwrap_or_else(PoisonError::into_inner) = names;
    }
}
