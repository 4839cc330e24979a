//! One JSON file with three nouns — issuers, credentials, roles — and the files it names, read
//! once. What comes out is checked; what is wrong is told with the file, the JSON pointer, what is
//! wrong and what would be right.

mod backends;
mod check;
mod raw;
#[cfg(feature = "cli")]
mod schema;

#[cfg(feature = "cli")]
pub use schema::schema;

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_path_to_error::Segment;

use crate::error::{ConfigError, ConfigErrors};
use crate::google::Credential;
use crate::limits::Rules;
use crate::oidc::{IssuerConfig, StoredKeys};
use crate::policy::Role;
use crate::vertex::Labels;

/// A configuration without a fault.
#[derive(Debug)]
pub struct Config {
    /// The issuers, in the file's order.
    pub issuers: Vec<IssuerConfig>,
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The roles; the first that matches decides.
    pub roles: Vec<Role>,
    /// The limits.
    pub limits: Rules,
    /// The labels of each role's requests.
    pub labels: Vec<Labels>,
    /// Public keys that the former process kept.
    pub stored_keys: Vec<StoredKeys>,
    /// The file, as the operator named it.
    pub file: String,
}

/// How files are read: the host's business.
pub type ReadFile<'r> = &'r dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The files beside the configuration; relative names count from its folder.
struct Files<'r> {
    folder: PathBuf,
    read: ReadFile<'r>,
}

impl Files<'_> {
    fn read(&self, name: &Path) -> Result<Vec<u8>, String> {
        let path = self.folder.join(name);
        (self.read)(&path).map_err(|why| format!("cannot read {}: {why}", path.display()))
    }
}

impl Config {
    /// Reads the configuration and the files it names.
    ///
    /// # Errors
    /// Every fault, in the order of the file.
    pub fn load(file: &str, read: ReadFile<'_>) -> Result<Self, ConfigErrors> {
        let path = Path::new(file);
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let files = Files { folder, read };
        Self::load_from(path, &files)
            .map(|config| Self { file: file.to_owned(), ..config })
            .map_err(|errors| errors.in_file(file))
    }

    fn load_from(path: &Path, files: &Files<'_>) -> Result<Self, ConfigErrors> {
        let name = path.file_name().map(Path::new).unwrap_or(path);
        let text = files.read(name).map_err(|why| ConfigError::at("", why))?;
        let raw::Object(mut raw): raw::Object<raw::Config> = parse(&text)?;
        let stored_keys = match &raw.state_file {
            Some(state_file) => stored_keys(state_file, files),
            None => Vec::new(),
        };
        let issuers = check::issuers(raw.issuers, files)?;
        let credentials = check::credentials(raw.credentials, files)?;
        let label = |(index, role)| check::labels(role, &format!("/roles/{index}"));
        let labels = raw.roles.iter().enumerate().map(label).collect::<Result<_, _>>()?;
        let of_roles = raw.roles.iter_mut().map(check::OfRole::take).collect();
        let roles = check::roles(raw.roles, &issuers, &credentials)?;
        let limits = check::limits(raw.limits, of_roles)?;
        let file = String::new();
        Ok(Self { issuers, credentials, roles, limits, labels, stored_keys, file })
    }

    /// Checks that HAProxy has the backends that this configuration needs. `location` and `fetch`
    /// are what the names of the two kinds begin with.
    ///
    /// # Errors
    /// Each one that is missing, with the block to paste.
    pub fn check_backends(
        &self,
        backends: &[String],
        location: Option<&str>,
        fetch: &str,
    ) -> Result<(), ConfigErrors> {
        backends::check(self, backends, location, fetch)
    }

    /// The locations that roles name.
    ///
    /// # Errors
    /// Each role for every location.
    pub fn named_locations(&self) -> Result<Vec<String>, ConfigErrors> {
        backends::named_locations(self)
    }
}

/// serde's error with the JSON pointer of the place.
fn parse<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, ConfigError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = error.path().iter().fold(String::new(), |pointer, segment| match segment {
            Segment::Seq { index } => format!("{pointer}/{index}"),
            Segment::Map { key } => {
                format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            Segment::Enum { variant } => format!("{pointer}/{variant}"),
            Segment::Unknown => pointer,
        });
        fault(pointer, &error.inner().to_string())
    })?;
    json.end().map_err(|error| ConfigError::at("", error.to_string()))?;
    Ok(value)
}

/// serde tells of a member that stands twice at the object that holds it, and knows no member that
/// is yet to come.
fn fault(pointer: String, problem: &str) -> ConfigError {
    let unknown = problem.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    if let Some((member, _)) = unknown
        && let Some((kind @ ("requests" | "tokens"), "day" | "month")) = member.split_once("_per_")
    {
        let problem = format!(
            "`{member}`: limits of a day or a month come only once a reload keeps what was counted; \
             an hour's is wanted: {kind}_per_hour"
        );
        return ConfigError::at(pointer, problem);
    }
    let twice = problem.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`'));
    match twice {
        Some((member, at)) => ConfigError::at(
            format!("{pointer}/{member}"),
            format!("`{member}` stands twice{at}; leave one of them"),
        ),
        None => ConfigError::at(pointer, problem),
    }
}

/// What a reload left behind saves a fetch; without it, or if it cannot be read, keys are fetched.
fn stored_keys(state_file: &Path, files: &Files<'_>) -> Vec<StoredKeys> {
    let read = || -> Result<Vec<StoredKeys>, String> {
        let text = files.read(state_file)?;
        let raw::Object(state): raw::Object<raw::State> =
            parse(&text).map_err(|error| error.to_string())?;
        Ok(state.issuers)
    };
    read().unwrap_or_else(|why| {
        log::info!("state file not used: {why}");
        Vec::new()
    })
}
