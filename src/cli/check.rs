//! The check of a configuration: its faults, as HAProxy would tell them, and what in it deserves a
//! second look.

mod budgets;

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::{ConfigFile, Report};
use crate::config::Config;
use crate::error::system_fault;
use crate::gateway::{self, Gateway, doubts_of_rules};
use crate::google::Credential;
use crate::google::GOOGLES_UNIVERSE;
use crate::host;
use crate::policy::{Pattern, Role};

const SECONDS_A_DAY: u64 = 24 * 3600;

/// Mode bits of users who neither own a file nor are in its group.
const OTHERS: u32 = 0o007;

/// `check`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// A configuration file of HAProxy's, in its order: backends and buffers are checked as well.
    #[arg(short = 'f', long = "haproxy", value_name = "FILE")]
    haproxy: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Report, String> {
    let mut text = String::new();
    for name in &arguments.haproxy {
        if let Some(why) = host::why_unread(name) {
            return Err(format!("cannot read {name}: {}", system_fault(&why)));
        }
    }
    let haproxy = match arguments.haproxy.as_slice() {
        [] => None,
        files => Some(host::haproxy(files.iter().cloned(), None)),
    };
    let config = match arguments.config.load() {
        Ok(config) => config,
        Err(errors) => {
            let rules = haproxy
                .as_ref()
                .map_or(Ok(()), |haproxy| gateway::check_rules(haproxy, GOOGLES_UNIVERSE));
            let file = arguments.config.name().to_string();
            return Ok(Report {
                text: format!("{}\n", errors.and(rules).in_file(&file)),
                good: false,
            });
        }
    };
    let mut mend: Vec<String> = hidden(&config.roles);
    let folder = arguments.config.folder();
    mend.extend(config.credentials.iter().filter_map(|credential| overdue(credential, folder)));
    let lent = config.roles.iter().filter_map(|role| lent(role, &config));
    let mut notes: Vec<String> = lent.chain(budgets::notes(&config)).collect();
    notes.extend(config.doubts());
    notes.extend(config.credentials.iter().filter_map(found));
    notes.extend(config.credentials.iter().filter_map(|credential| readable(credential, folder)));
    let counts = format!(
        "issuers {}, credentials {}, roles {}",
        config.issuers.len(),
        config.credentials.len(),
        config.roles.len()
    );
    if let Some(haproxy) = haproxy {
        notes.extend(doubts_of_rules(&haproxy));
        let opened = Gateway::open(config, &haproxy, host::now());
        mend.extend(opened.err().into_iter().flatten().map(|error| error.to_string()));
    }
    let _ = writeln!(text, "{}: {counts}", arguments.config.name());
    for line in mend.iter().chain(&notes) {
        let _ = writeln!(text, "{line}");
    }
    if mend.is_empty() {
        text.push_str("nothing to mend\n");
    }
    Ok(Report { text, good: mend.is_empty() })
}

fn hidden(roles: &[Role]) -> Vec<String> {
    let mut hidden = Vec::new();
    for (index, role) in roles.iter().enumerate() {
        let former = roles.iter().take(index).find(|former| former.hides(role));
        if let Some(former) = former {
            hidden.push(format!(
                "/roles/{index}: role \"{}\" is hidden: role \"{}\" before it decides all that it \
                 is for",
                role.name, former.name
            ));
        }
    }
    hidden
}

fn overdue(credential: &Credential, folder: &Path) -> Option<String> {
    let most = credential.max_age_days?;
    let file = credential.file.as_deref()?;
    let days = host::age_of_file(&folder.join(file))?.checked_div(SECONDS_A_DAY)?;
    (days > u64::from(most)).then(|| {
        format!(
            "credential \"{}\": {} was written {days} days ago, and max_age_days is {most}",
            credential.name,
            file.display()
        )
    })
}

fn found(credential: &Credential) -> Option<String> {
    let found = credential.found.as_deref()?;
    Some(format!("credential \"{}\": {found}", credential.name))
}

fn readable(credential: &Credential, folder: &Path) -> Option<String> {
    let file = credential.file.as_deref()?;
    let mode = host::mode_of_file(&folder.join(file))?;
    (mode & OTHERS != 0).then(|| {
        format!(
            "credential \"{}\": {} has mode {mode:03o}, so every user of this machine can use it: \
             chmod 600",
            credential.name,
            file.display()
        )
    })
}

/// The notes on a role whose bodies go unread.
fn lent(role: &Role, config: &Config) -> Option<String> {
    if role.may.body.is_some() {
        return None;
    }
    let credential = config.credentials.get(role.credential)?;
    let identity = credential.google_identity().unwrap_or("its Google identity");
    let projects: Vec<String> = role.may.projects.iter().map(Pattern::to_string).collect();
    Some(format!(
        "role \"{}\": bodies go unread, so its callers can have credential \"{}\" ({identity}) read \
         and write every bucket and address that it can, use every tool, have another model \
         answer, and name all that is stored in projects {}",
        role.name,
        credential.name,
        projects.join(", ")
    ))
}

impl ConfigFile {
    fn name(&self) -> std::path::Display<'_> {
        self.config.display()
    }

    fn folder(&self) -> &Path {
        self.config.parent().unwrap_or_else(|| Path::new(""))
    }
}
