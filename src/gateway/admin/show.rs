//! `vertex show`: what the gateway holds, for whoever may open HAProxy's stats socket. It only
//! shows, and shows no secret: HAProxy asks Lua's commands for no level.

use crate::gateway::admin::View;
use crate::gateway::admin::show_tables::{CacheRow, Row, json, table};
use crate::time::Now;

/// What can be shown, in the order in which it is told of.
const THINGS: [(&str, &str); 6] = [
    ("issuers", "identity providers: their keys' age, the next fetch, the last error"),
    ("keys", "public keys; as JSON in the form that state_file reads back"),
    ("credentials", "Google credentials at each location: expiry, the next signing"),
    ("roles", "roles in their order: who, as which credential, for what"),
    ("limits", "limits: their keys, what is used of the fullest"),
    ("caches", "what grows while requests come, and its bounds"),
];

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Json,
}

impl Form {
    fn write<R: Row>(self, name: &str, rows: &[R]) -> String {
        match self {
            Self::Table => table(rows),
            Self::Json => json(name, rows) + "\n",
        }
    }
}

impl View<'_> {
    /// The answer to `vertex show` and these words; it ends in a line feed.
    pub(in crate::gateway) fn show(&self, words: &[&str], now: Now) -> String {
        let (name, form) = match words {
            [] => return there_is(),
            [name] => (*name, Form::Table),
            [name, "json"] => (*name, Form::Json),
            _ => {
                return format!(
                    "vertex show: one thing is wanted, and json or nothing\n{}",
                    there_is()
                );
            }
        };
        match (name, form) {
            ("issuers", _) => form.write(name, &self.issuer_rows(now)),
            ("keys", _) => form.write(name, &self.key_rows()),
            ("credentials", _) => form.write(name, &self.credential_rows(now)),
            ("roles", _) => form.write(name, &self.role_rows()),
            ("limits", _) => form.write(name, &self.limit_rows(now)),
            ("caches", _) => form.write::<CacheRow>(name, &self.cache_rows()),
            _ => format!("vertex show: there is no such thing\n{}", there_is()),
        }
    }
}

fn there_is() -> String {
    THINGS.iter().fold(String::new(), |text, (name, about)| {
        let command = format!("vertex show {name} [json]");
        text + &format!("{command:<30} : {about}\n")
    })
}
