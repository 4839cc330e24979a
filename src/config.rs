//! Loads the configuration: one JSON file with three nouns (issuers, credentials, roles) and the
//! files that it names, read once. The result is checked; an error has the file, the JSON pointer,
//! what is wrong and what would be right.

mod backends;
mod check;
mod doubts;
mod raw;
mod reading;
#[cfg(feature = "cli")]
mod schema;
mod state_file;
mod tree;

#[cfg(feature = "cli")]
pub use schema::schema;
pub use state_file::StateFile;

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{All as _, ConfigError, ConfigErrors, each, system_fault};
use crate::google::{Credential, GOOGLES_UNIVERSE};
use crate::limits::Rules;
use crate::oidc::{IssuerConfig, TokenHeaders};
use crate::policy::Role;
use crate::vertex::Labels;
use reading::{Mended, Reading};

/// A valid configuration.
#[derive(Debug)]
pub struct Config {
    /// The domain of Google's universe that is served.
    pub universe_domain: String,
    /// The issuers, in the file's order.
    pub issuers: Vec<IssuerConfig>,
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The roles; the first that matches decides.
    pub roles: Vec<Role>,
    /// The headers that are read for tokens.
    pub token_headers: TokenHeaders,
    /// The limits.
    pub limits: Rules,
    /// The labels of each role's requests.
    pub labels: Vec<Labels>,
    /// The public keys that the former process stored.
    pub state: StateFile,
    /// Whether commands on HAProxy's stats socket may change something.
    pub admin_commands: bool,
    /// The file's name, as the operator gave it.
    pub file: String,
}

pub use crate::google::ReadFile;

/// Reads a variable of the environment; supplied by the host.
pub type ReadVariable<'r> = &'r dyn Fn(&str) -> Option<String>;

/// The files that the configuration names; relative names start at its folder.
struct Files<'r> {
    folder: PathBuf,
    read: ReadFile<'r>,
    variable: ReadVariable<'r>,
}

impl Files<'_> {
    fn read(&self, name: &Path) -> Result<Vec<u8>, String> {
        let path = self.folder.join(name);
        (self.read)(&path)
            .map_err(|why| format!("cannot read {}: {}", path.display(), system_fault(&why)))
    }

    /// Reads a file that may not exist yet.
    fn read_if_there(&self, name: &Path) -> Result<Option<Vec<u8>>, String> {
        match (self.read)(&self.folder.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(format!("cannot be read: {}", system_fault(&why))),
        }
    }
}

impl Config {
    /// Loads the configuration and the files that it names.
    ///
    /// # Errors
    /// Every fault, in the order of the file.
    pub fn load(
        file: &str,
        read: ReadFile<'_>,
        variable: ReadVariable<'_>,
    ) -> Result<Self, ConfigErrors> {
        let path = Path::new(file);
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let files = Files { folder, read, variable };
        Self::load_from(path, &files)
            .map(|config| Self { file: file.to_owned(), ..config })
            .map_err(|errors| errors.in_file(file))
    }

    fn load_from(path: &Path, files: &Files<'_>) -> Result<Self, ConfigErrors> {
        let name = path.file_name().map(Path::new).unwrap_or(path);
        let text = files.read(name).map_err(|why| ConfigError::at("", why))?;
        let mut reading: Reading<raw::Config> = Reading::of(&text)?;
        let checked = match reading.raw.take() {
            Some(raw) => Self::check(raw, files, &reading.mended),
            None => Err(ConfigError::at("", "there is more to mend than is told here").into()),
        };
        reading.told_with(checked)
    }

    fn check(
        mut raw: raw::Config,
        files: &Files<'_>,
        mended: &Mended,
    ) -> Result<Self, ConfigErrors> {
        let state = raw.state_file.as_deref().map(|name| StateFile::read(name, files));
        let names = check::KnownNames {
            issuers: mended.leaves_names("/issuers").then(|| check::names_of(&raw.issuers)),
            credentials: mended
                .leaves_names("/credentials")
                .then(|| check::names_of(&raw.credentials)),
            roles: mended.leaves_names("/roles").then(|| check::names_of(&raw.roles)),
        };
        let universe = check::universe_domain(raw.universe_domain);
        let universe_domain = universe.as_deref().unwrap_or(GOOGLES_UNIVERSE).to_owned();
        let label = |(index, role)| check::labels(role, &format!("/roles/{index}"));
        let labels = each(raw.roles.iter().enumerate().map(label));
        let of_roles = raw.roles.iter_mut().map(check::OfRole::take).collect();
        let (_, issuers, credentials, token_headers, labels, roles, limits) = (
            universe,
            check::issuers(raw.issuers, files),
            check::credentials(raw.credentials, files, &universe_domain),
            check::token_headers(raw.token_headers.as_deref()),
            labels,
            check::roles(raw.roles, &names, mended),
            check::limits(raw.limits, of_roles, mended),
        )
            .all()?;
        // Once every role is known to name its credential.
        if !mended.touches("/roles") && !mended.touches("/credentials") {
            check::express(&roles, &credentials)?;
        }
        let (file, admin_commands) = (String::new(), raw.admin_commands);
        let state = state.unwrap_or_default();
        Ok(Self {
            universe_domain,
            issuers,
            credentials,
            roles,
            token_headers,
            limits,
            labels,
            state,
            admin_commands,
            file,
        })
    }

    /// Checks that HAProxy has the backends that this configuration needs. `location` and `fetch`
    /// are the prefixes of the two kinds of names.
    ///
    /// # Errors
    /// Each missing backend, with the block to paste.
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
    /// Each pattern that is not one location's name.
    pub fn named_locations(&self) -> Result<Vec<String>, ConfigErrors> {
        backends::named_locations(self)
    }
}

/// Reads any other JSON file.
///
/// # Errors
/// All faults of its shape.
#[cfg(feature = "cli")]
pub(crate) fn read_json<T: for<'t> serde::Deserialize<'t>>(text: &[u8]) -> Result<T, ConfigErrors> {
    Reading::of(text)?.whole()
}
