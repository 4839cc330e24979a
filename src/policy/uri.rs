//! URIs that a body may name: one object, or everything below a folder.

/// A URI prefix: `gs://bucket/folder/` with its `/` at the end stands for everything below it, `*`
/// alone for every URI, anything else for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriPrefix(String);

impl UriPrefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let fits = text == "*"
            || (!scheme.is_empty()
                && !rest.is_empty()
                && !rest.starts_with('/')
                && text.bytes().all(|b| b.is_ascii_graphic() && b != b'*'));
        fits.then(|| Self(text.to_owned()))
            .ok_or("an address like gs://bucket/object, a folder like gs://bucket/ or * alone")
    }

    /// Whether it stands for every URI.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0 == "*"
    }

    /// Whether `uri` matches. Below a folder, a URI that could be read as a way out of it does not.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        match self.0.as_str() {
            "*" => true,
            folder if folder.ends_with('/') => uri.strip_prefix(folder).is_some_and(stays_below),
            address => address == uri,
        }
    }

    /// Whether it matches all that `other` matches.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self == other || (!other.is_everything() && self.matches(&other.0))
    }
}

fn stays_below(rest: &str) -> bool {
    let plain = rest.bytes().all(|b| b > b' ' && b != b'\\' && b != 0x7f);
    let folded = rest.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
    plain && !folded.split(['/', '?', '#']).any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_means_what_is_below_it() {
        let folder = UriPrefix::parse("gs://acme/in/").expect("a folder");
        for inside in ["gs://acme/in/a.pdf", "gs://acme/in/b/c..d", "gs://acme/in/*"] {
            assert!(folder.matches(inside), "{inside}");
        }
        for outside in [
            "gs://acme/in",
            "gs://acme/input/a",
            "gs://acme-2/in/a",
            "gs://acme/in/../a",
            "gs://acme/in/b/%2e%2E/a",
            "gs://acme/in/b%2f..%2fa",
            "gs://acme/in/..\\a",
            "gs://acme/in/a b",
            "https://acme/in/a",
        ] {
            assert!(!folder.matches(outside), "{outside}");
        }
    }

    #[test]
    fn an_object_means_itself_and_a_star_everything() {
        let object = UriPrefix::parse("gs://acme/a.pdf").expect("an object");
        assert!(object.matches("gs://acme/a.pdf") && !object.matches("gs://acme/a.pdf.exe"));
        assert!(UriPrefix::parse("*").expect("a star").matches("https://anywhere/at all"));
        for wrong in ["", "acme", "gs://", "gs:///a", "gs://acme/*", "gs://a b/"] {
            assert!(UriPrefix::parse(wrong).is_err(), "{wrong}");
        }
    }
}
