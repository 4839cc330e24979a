//! Explains the decision on a request, by the code that decides in HAProxy: the role, the
//! credential and what is sent, or the reason, and the role that lacks least.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::cli::{ConfigFile, Report};
use crate::config::Config;
use crate::error::{Reason, Refusal, system_fault};
use crate::gateway::{Explanation, Gateway};
use crate::host;
use crate::jose::Compact;
use crate::json::{Json, syntax_fault};
use crate::policy::{NearMiss, Tier};
use crate::time::{Now, UnixTime};
use crate::vertex::{Target, respell};

/// Seconds for which claims without `exp` are assumed valid.
const ASSUMED_LIFETIME_SECS: i64 = 300;

/// Most roles named among those that do not allow the request.
const MOST_ROLES: usize = 3;

/// `explain`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    caller: CallerArguments,
    /// The HTTP method.
    #[arg(value_name = "METHOD")]
    method: String,
    /// The URL that the caller asks for: path and query, or all of it.
    url: String,
    /// The body; without one it is taken to be `{}`.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The caller's address.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// The subject of the caller's certificate (RFC 2253).
    #[arg(long, value_name = "DN")]
    certificate: Option<String>,
    /// Its SHA-256.
    #[arg(long, value_name = "HEX", requires = "certificate")]
    certificate_sha256: Option<String>,
    /// A tier that the request's headers ask for; several times for several.
    #[arg(long, value_name = "TIER", value_parser = Tier::ALL.map(Tier::name))]
    tier: Vec<String>,
    /// When, in Unix seconds, instead of now.
    #[arg(long, value_name = "SECONDS")]
    at: Option<i64>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct CallerArguments {
    /// A file with the caller's token; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// A file with claims as JSON, which are believed; without `exp` they hold for five minutes.
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Report, String> {
    let mut now = host::now();
    now.wall = arguments.at.map_or(now.wall, UnixTime);
    let config = arguments.config.load().map_err(|errors| errors.to_string())?;
    let url = origin_form(&arguments.url);
    let locations = locations(&config, &arguments.method, &url);
    let gateway = Gateway::offline(config, locations, now).map_err(|error| error.to_string())?;
    let (claims, signature) = match arguments.caller.read(&gateway, now)? {
        Ok(caller) => caller,
        Err(refusal) => return Ok(refused_token(&refusal, arguments.json)),
    };
    let request = arguments.request(&url)?;
    let explanation = gateway.explain(&claims, &request, now);
    let text = match arguments.json {
        true => as_json(&explanation, signature),
        false => as_text(&explanation, signature),
    };
    Ok(Report { text, good: explanation.refusal.is_none() })
}

impl CallerArguments {
    /// The claims, and what is known of their signature; or why the token is refused.
    fn read(
        &self,
        gateway: &Gateway,
        now: Now,
    ) -> Result<Result<(Json, &'static str), Refusal>, String> {
        let Some(file) = &self.token else {
            let file = self.claims.as_deref().unwrap_or_else(|| Path::new("-"));
            let text = contents(file)?;
            let claims = Json::parse(&text)
                .map_err(|why| format!("{}: {}", file.display(), syntax_fault(&why, &text)))?;
            return Ok(Ok((with_end(claims, now), "claims are believed")));
        };
        let token = String::from_utf8(contents(file)?)
            .map_err(|_| format!("{}: a token is text", file.display()))?;
        let token = token.trim();
        let token = token.strip_prefix("Bearer ").unwrap_or(token);
        let payload = match Compact::parse(token) {
            Ok(compact) => compact.payload,
            Err(reason) => return Ok(Err(reason.into())),
        };
        Ok(gateway.has_verified(token, now).map(|verified| {
            let note = match verified {
                true => "the signature holds",
                false => "the signature was not checked: no key of its issuer is at hand",
            };
            (payload, note)
        }))
    }
}

impl Arguments {
    /// The request in the form that HAProxy hands over.
    fn request(&self, url: &str) -> Result<Vec<u8>, String> {
        let body = match &self.body {
            Some(file) => contents(file)?,
            None if matches!(self.method.as_str(), "GET" | "DELETE") => Vec::new(),
            None => b"{}".to_vec(),
        };
        let address = self.from.map_or(String::new(), |address| address.to_string());
        let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
        let peer = match &self.certificate {
            None => format!("{address} /  "),
            Some(subject) => {
                let digest = self.certificate_sha256.as_deref().unwrap_or("00");
                format!("{address} 1/0 {} {}", hex(subject), digest.replace(':', ""))
            }
        };
        let (method, length) = (&self.method, body.len());
        let asked = |tier: &Tier| self.tier.iter().any(|name| name == tier.name());
        let tiers: String = Tier::ALL
            .iter()
            .filter(|tier| asked(tier))
            .map(|tier| format!("{}: {}\r\n", tier.header(), tier.name()))
            .collect();
        let head = format!(
            "1.1\n{method}\n{url}\n{peer}\nbody {length} 1\ncontent-type: application/json\r\n{tiers}\
             content-length: {length}\r\n\r\n"
        );
        Ok([head.into_bytes(), body].concat())
    }
}

fn contents(file: &Path) -> Result<Vec<u8>, String> {
    let read = || match file.to_str() {
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        _ => host::read_file(file),
    };
    read().map_err(|why| format!("{}: {}", file.display(), system_fault(&why)))
}

fn with_end(claims: Json, now: Now) -> Json {
    match claims {
        Json::Object(mut members) if members.iter().all(|(name, _)| name != "exp") => {
            let end = (now.wall + ASSUMED_LIFETIME_SECS).0;
            members.push(("exp".to_owned(), Json::Number(end.into())));
            Json::Object(members)
        }
        other => other,
    }
}

fn origin_form(url: &str) -> String {
    let behind_scheme = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match behind_scheme.and_then(|rest| rest.find('/').and_then(|at| rest.get(at..))) {
        Some(path) => path.to_owned(),
        None => url.to_owned(),
    }
}

/// The locations that have a backend, as far as the configuration tells, and the request's.
fn locations(config: &Config, method: &str, url: &str) -> Vec<String> {
    let named = config.roles.iter().flat_map(|role| &role.may.locations);
    let mut locations: BTreeSet<String> =
        named.filter_map(|pattern| pattern.exact().map(str::to_owned)).collect();
    let defaults = config.roles.iter().filter_map(|role| role.default.as_ref());
    locations.extend(defaults.map(|default| default.location.clone()));
    let url = respell(url);
    locations.extend(Target::parse(method, &url).ok().map(|target| target.location.to_owned()));
    locations.into_iter().collect()
}

fn refused_token(refusal: &Refusal, json: bool) -> Report {
    let text = match json {
        true => {
            serde_json::json!({ "decision": "deny", "reason": refusal.reason.code() }).to_string()
        }
        false => format!("deny {}: {}", refusal.reason.code(), refusal.message()),
    };
    Report { text: text + "\n", good: false }
}

fn as_text(explanation: &Explanation, signature: &str) -> String {
    let mut text = match explanation.refusal {
        None => "allow\n".to_owned(),
        Some(reason) => format!("deny {}: {}\n", reason.code(), explanation.message),
    };
    for (name, value) in &explanation.facts {
        let _ = writeln!(text, "  {name:<16} {value}");
    }
    for (name, most) in &explanation.caps {
        let _ = writeln!(text, "  {name:<16} {most}");
    }
    let _ = writeln!(text, "  {:<16} {signature}", "token");
    for (role, misses) in explanation.nearest.iter().take(MOST_ROLES) {
        let _ = writeln!(text, "  {:<16} {role} lacks {}", "nearest role", members(misses));
    }
    text
}

fn as_json(explanation: &Explanation, signature: &str) -> String {
    let facts: serde_json::Map<String, serde_json::Value> = explanation
        .facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    let caps: std::collections::BTreeMap<_, _> = explanation.caps.iter().copied().collect();
    let nearest = explanation.nearest.iter().take(MOST_ROLES);
    let nearest: Vec<_> = nearest
        .map(|(role, misses)| {
            let lacks: Vec<_> = misses.iter().map(NearMiss::member).collect();
            serde_json::json!({ "role": role, "lacks": lacks })
        })
        .collect();
    let decision = if explanation.refusal.is_none() { "allow" } else { "deny" };
    let json = serde_json::json!({
        "decision": decision,
        "reason": explanation.refusal.map_or("ok", Reason::code),
        "message": explanation.message,
        "token": signature,
        "facts": facts,
        "caps": caps,
        "nearest": nearest,
    });
    json.to_string() + "\n"
}

fn members(misses: &[NearMiss]) -> String {
    misses.iter().map(NearMiss::member).collect::<Vec<_>>().join(", ")
}
