//! The command-line tool `haproxy-vertex`, for people: it checks and explains a configuration,
//! without HAProxy and without Lua, with the very code that decides in HAProxy.

mod check;
mod explain;
mod iam;
mod routes;
mod schema;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::error::ConfigErrors;
use crate::host;

/// Checks and explains a configuration of haproxy-vertex.
#[derive(Debug, Parser)]
#[command(name = "haproxy-vertex", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Is the configuration right, and what in it deserves a second look?
    Check(check::Arguments),
    /// What would be decided on a request, by which role, and what is missing if it is refused?
    Explain(Box<explain::Arguments>),
    /// Which of Google's methods can be granted, by what names?
    Routes(routes::Arguments),
    /// The JSON schema of the configuration.
    Schema,
    /// Which of Google's permissions do the credentials need?
    Iam(iam::Arguments),
}

/// The configuration file of a command.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/haproxy/vertex.json")]
    config: PathBuf,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(&self.config.to_string_lossy(), &host::read_file, &host::variable)
    }
}

/// What a command comes to.
struct Report {
    /// What it prints.
    text: String,
    /// Whether there is nothing to mend.
    good: bool,
}

/// Runs the tool: 0 if all is well, 1 if something is to be mended, 2 if it could not run.
#[must_use]
pub fn run() -> ExitCode {
    let report = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Routes(arguments) => Ok(routes::run(&arguments)),
        Command::Schema => schema::run(),
        Command::Iam(arguments) => iam::run(&arguments),
    };
    match report {
        Ok(Report { text, good }) => {
            // A reader that has gone away has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "haproxy-vertex: {problem}");
            ExitCode::from(2)
        }
    }
}
