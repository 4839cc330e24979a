//! Query parameters: a closed list, as Google's system parameters can carry credentials (`key`,
//! `access_token`), hide usage (`fields`) or change the answer's type (`$ct`, `callback`). Source:
//! Google's system parameters, docs.cloud.google.com/apis/docs/system-parameters.

use crate::error::Reason;
use crate::test_switches::{Check, on};
use crate::vertex::{Api, Route};

/// The longest value of a parameter, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// The format of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alt {
    /// Server-sent events.
    Sse,
    /// JSON, the default.
    Json,
    /// JSON with integers for enums, as Google's REST clients ask for.
    JsonIntegerEnums,
}

/// A query, each parameter at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'u> {
    /// The format of the answer.
    pub alt: Option<Alt>,
    /// Parameters of lists and updates, in the request's order.
    pub others: Vec<(&'static str, &'u str)>,
}

impl<'u> Query<'u> {
    /// Reads a query. A client may percent-encode `$`, `;` and `=` in `$alt`.
    pub(super) fn parse(query: &'u str, route: &Route, api: Api) -> Result<Self, Reason> {
        let mut parsed = Self::default();
        for parameter in query.split('&') {
            // Claude's libraries write it for its betas, which headers name.
            if api == Api::Claude && parameter == "beta=true" {
                continue;
            }
            match parsed.take(parameter, route) {
                Err(reason) if on(Check::QueryList) => return Err(reason),
                _ => {}
            }
        }
        Ok(parsed)
    }

    fn take(&mut self, parameter: &'u str, route: &Route) -> Result<(), Reason> {
        let (name, value) = parameter.split_once('=').ok_or(Reason::QueryNotAllowed)?;
        match name {
            "alt" | "$alt" | "%24alt" if self.alt.is_none() => {
                self.alt = Some(Alt::parse(name, value, route)?);
            }
            _ => {
                let known = parameters(route).iter().find(|known| **known == name);
                let known = *known.ok_or(Reason::QueryNotAllowed)?;
                if self.others.iter().any(|(name, _)| *name == known) || !is_plain(value) {
                    return Err(Reason::QueryNotAllowed);
                }
                self.others.push((known, value));
            }
        }
        Ok(())
    }

    /// Writes the query that is sent to Google, with its `?`.
    pub(super) fn write_to(&self, out: &mut String) {
        let mut separator = '?';
        if let Some(alt) = self.alt {
            out.push(separator);
            out.push_str(alt.text());
            separator = '&';
        }
        for (name, value) in &self.others {
            out.push(separator);
            out.push_str(name);
            out.push('=');
            out.push_str(value);
            separator = '&';
        }
    }
}

impl Alt {
    fn parse(name: &str, value: &str, route: &Route) -> Result<Self, Reason> {
        match (name, value) {
            (_, "sse") if route.streams => Ok(Self::Sse),
            (_, "json") => Ok(Self::Json),
            ("$alt" | "%24alt", value) if is_integer_enums(value) => Ok(Self::JsonIntegerEnums),
            _ => Err(Reason::QueryNotAllowed),
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Sse => "alt=sse",
            Self::Json => "alt=json",
            Self::JsonIntegerEnums => "$alt=json;enum-encoding=int",
        }
    }
}

/// Whether a value asks for JSON with integers for enums. Google's REST clients differ in what they
/// encode: Python's both separators, Java's the second, Node's the first.
fn is_integer_enums(value: &str) -> bool {
    let rest = value.strip_prefix("json").unwrap_or_default();
    let rest = strip_any(rest, [";", "%3B", "%3b"]);
    let rest = rest.and_then(|rest| rest.strip_prefix("enum-encoding"));
    rest.and_then(|rest| strip_any(rest, ["=", "%3D", "%3d"])) == Some("int")
}

/// The rest of a text after one of `prefixes`.
fn strip_any<'t>(text: &'t str, prefixes: [&str; 3]) -> Option<&'t str> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// The parameters that a route takes, besides `alt`.
fn parameters(route: &Route) -> &'static [&'static str] {
    match route.http_method {
        "GET" => &["pageSize", "pageToken", "filter", "orderBy", "view"],
        "PATCH" => &["updateMask"],
        _ => &[],
    }
}

/// Whether a value holds only characters without a meaning in a URL, and escapes of visible ones.
fn is_plain(value: &str) -> bool {
    let allowed = |b: u8| {
        b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'.' | b'_' | b'~' | b'*' | b':' | b',' | b'=' | b'/')
    };
    let mut parts = value.split('%');
    let first = parts.next().unwrap_or_default();
    let escaped = |part: &str| {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let visible = byte.is_ascii_graphic() || byte == b' ';
        (hexadecimal && visible && rest.bytes().all(allowed)).then_some(())
    };
    value.len() <= MAX_VALUE_BYTES
        && first.bytes().all(allowed)
        && parts.all(|part| escaped(part).is_some())
}
