//! Prints the table of routes, as roles name them.

use std::fmt::Write as _;

use crate::cli::Report;
use crate::vertex::{Class, ModelPlace, Route, routes};

/// `routes`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only one class: inference, stateful or admin.
    #[arg(long, value_name = "CLASS", value_parser = class)]
    class: Option<Class>,
    /// As JSON, one object a line.
    #[arg(long)]
    json: bool,
}

fn class(name: &str) -> Result<Class, String> {
    match name {
        "inference" => Ok(Class::Inference),
        "stateful" => Ok(Class::Stateful),
        "admin" => Ok(Class::Admin),
        _ => Err("inference, stateful or admin is wanted".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments) -> Report {
    let mut text = String::new();
    let wanted = |route: &&Route| arguments.class.is_none_or(|class| route.class == class);
    for route in routes().iter().filter(wanted) {
        let versions = route.versions.join(",");
        let _ = match arguments.json {
            true => writeln!(
                text,
                "{}",
                serde_json::json!({
                    "method": route.method,
                    "permissions": route.permissions,
                    "versions": route.versions,
                    "http_method": route.http_method,
                    "model": place(route.model),
                    "streams": route.streams,
                    "tokens": route.tokens.name(),
                    "caps": route.caps.iter().map(|cap| cap.name()).collect::<Vec<_>>(),
                    "operation": route.operation,
                    "without": route.without,
                    "path": route.path,
                })
            ),
            false => writeln!(
                text,
                "{:<40} {:<6} {versions:<10} {}",
                route.method, route.http_method, route.path
            ),
        };
    }
    Report { text, good: true }
}

const fn place(model: ModelPlace) -> Option<&'static str> {
    match model {
        ModelPlace::Path => Some("path"),
        ModelPlace::Body(member) => Some(member),
        ModelPlace::None => None,
    }
}
