//! The audit fields of the log line: the tail written with the verdict, corrected by what the
//! caller got in the end, then the call's outcome. Written as text, or as members of JSON under the
//! names of OpenTelemetry's conventions for generative AI where there is one
//! (opentelemetry.io/docs/specs/semconv/gen-ai).

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::error::Reason;
use crate::gateway::calls::upstream::Upstream;
use crate::log_value::decoded;
use crate::meter::{LogText, TrafficType, Usage};
use crate::vertex::operation_of;

/// The format of the log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `key=value`, each after a space.
    #[default]
    Text,
    /// Members of a JSON object, each after a comma.
    Json,
}

/// The members that come first, so that a line that is cut still has them.
const FIRST: [&str; 3] = ["vertex.decision", "vertex.reason", "vertex.principal"];

/// The usage fields of a request that made no call.
const NO_USAGE: &str = "tokens=- tokens_in=- tokens_out=- tokens_cached=- tokens_cache_write=- \
                        tokens_thought=- tokens_tool_use=- tokens_total=- images=- finish=- \
                        block=- response_id=- model_version=- traffic=- error=- parts=-";

/// A request as its log line reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Line<'t> {
    /// The verdict's tail, with the final outcome.
    pub(in crate::gateway) tail: String,
    pub(in crate::gateway) id: Option<&'t str>,
    /// Why the caller did not get what it asked for.
    pub(in crate::gateway) refusal: Option<Reason>,
    /// Signs of misuse.
    pub(in crate::gateway) signals: Vec<&'t str>,
}

impl Line<'_> {
    /// Why Google refused the gateway's own credential or identity.
    fn google(&self) -> Option<&'static str> {
        let is_googles = |reason: &Reason| {
            matches!(reason, Reason::GoogleCredentialRefused | Reason::GoogleDenied)
        };
        self.refusal.filter(is_googles).map(Reason::code)
    }
}

/// The outcome of a call; empty for a request that made none.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Record {
    pub(in crate::gateway) is_streamed: Option<bool>,
    pub(in crate::gateway) upstream: Option<Upstream>,
    pub(in crate::gateway) is_aborted: Option<bool>,
    pub(in crate::gateway) first_byte_millis: Option<i64>,
    pub(in crate::gateway) prompt_bytes: Option<u64>,
    pub(in crate::gateway) reserved: Option<u64>,
    pub(in crate::gateway) charged: Option<u64>,
    /// `None` for a request that made no call.
    pub(in crate::gateway) usage: Option<Usage>,
}

impl Record {
    /// All audit fields, without the closing brace.
    pub(in crate::gateway) fn render(&self, line: &Line<'_>, style: Style) -> String {
        let mut out = String::with_capacity(1024);
        match style {
            Style::Text => self.write_text(&mut out, line),
            Style::Json => {
                let mut members = self.members(line);
                let first = FIRST.iter().filter_map(|name| members.remove_entry(*name)).collect();
                for members in [first, members] {
                    let members = Value::Object(members).to_string();
                    let inside = members.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                    if let Some(inside) = inside.filter(|inside| !inside.is_empty()) {
                        let _ = write!(out, ",{inside}");
                    }
                }
            }
        }
        out
    }

    fn write_text(&self, out: &mut String, line: &Line<'_>) {
        let flag = |flag: Option<bool>| flag.map(|is| if is { "1" } else { "0" });
        out.push_str(&line.tail);
        text(out, " google=", line.google());
        text(out, " id=", line.id);
        text(out, " streamed=", flag(self.is_streamed));
        match self.upstream {
            Some(Upstream::Status(status)) => number(out, " upstream=", Some(status)),
            Some(Upstream::Closed) => text(out, " upstream=", Some("closed")),
            None => text(out, " upstream=", None),
        }
        text(out, " aborted=", flag(self.is_aborted));
        out.push(' ');
        match &self.usage {
            Some(usage) => usage.write_fields(out),
            None => out.push_str(NO_USAGE),
        }
        number(out, " first_byte_ms=", self.first_byte_millis);
        number(out, " prompt_bytes=", self.prompt_bytes);
        number(out, " reserved=", self.reserved);
        number(out, " charged=", self.charged);
        out.push_str(" signals=");
        for (index, signal) in line.signals.iter().enumerate() {
            out.push_str(if index > 0 { "," } else { "" });
            out.push_str(signal);
        }
        if line.signals.is_empty() {
            out.push('-');
        }
    }

    fn members(&self, line: &Line<'_>) -> Map<String, Value> {
        let mut members = Map::new();
        let (request, named) = line.tail.split_once(" vertex{").unwrap_or((&line.tail, ""));
        let mut words = request.trim_matches('"').split(' ');
        for (name, word) in [("http.request.method", words.next()), ("url.path", words.next())] {
            set(&mut members, name, word.filter(|word| *word != "-").map(decoded));
        }
        for (name, value) in named.split(' ').filter_map(|pair| pair.split_once('=')) {
            set(&mut members, member_of(name), Some(value).filter(|v| *v != "-").map(decoded));
        }
        let method = named.split(' ').find_map(|pair| pair.strip_prefix("method="));
        if let Some(method) = method.filter(|method| *method != "-") {
            set(&mut members, "gen_ai.operation.name", Some(operation_of(method)));
        }
        set(&mut members, "gen_ai.provider.name", Some("gcp.vertex_ai"));
        set(&mut members, "vertex.google", line.google());
        set(&mut members, "vertex.id", line.id);
        set(&mut members, "vertex.streamed", self.is_streamed);
        match self.upstream {
            Some(Upstream::Status(status)) => {
                set(&mut members, "vertex.upstream.status_code", Some(status));
            }
            Some(Upstream::Closed) => set(&mut members, "vertex.upstream.closed", Some(true)),
            None => {}
        }
        set(&mut members, "vertex.aborted", self.is_aborted);
        set(&mut members, "vertex.first_byte_ms", self.first_byte_millis);
        set(&mut members, "vertex.prompt_bytes", self.prompt_bytes);
        set(&mut members, "vertex.tokens.reserved", self.reserved);
        set(&mut members, "vertex.tokens.charged", self.charged);
        if !line.signals.is_empty() {
            set(&mut members, "vertex.signals", Some(line.signals.clone()));
        }
        if let Some(usage) = &self.usage {
            add_usage(&mut members, usage);
        }
        members
    }
}

/// Adds the token counts. OpenTelemetry counts cached tokens among the input's and thoughts among
/// the output's.
fn add_usage(members: &mut Map<String, Value>, usage: &Usage) {
    let Usage { input, output, thought, cached, cache_write, tool_use, images, .. } = *usage;
    let answered = output.map(|output| output.saturating_add(thought.unwrap_or(0)));
    set(members, "vertex.tokens.counted", Some(usage.counted.name()));
    set(members, "gen_ai.usage.input_tokens", input);
    set(members, "gen_ai.usage.output_tokens", answered.or(thought));
    set(members, "gen_ai.usage.reasoning.output_tokens", thought);
    set(members, "gen_ai.usage.cache_read.input_tokens", cached);
    set(members, "gen_ai.usage.cache_creation.input_tokens", cache_write);
    set(members, "vertex.tokens.tool_use", tool_use);
    set(members, "vertex.images", images);
    let text = |text: Option<LogText>| text.map(|text| decoded(text.as_str()));
    set(members, "gen_ai.response.finish_reasons", text(usage.finish).map(|finish| vec![finish]));
    set(members, "vertex.block_reason", text(usage.block));
    set(members, "gen_ai.response.id", text(usage.response_id));
    set(members, "gen_ai.response.model", text(usage.model_version));
    set(members, "vertex.traffic_type", usage.traffic.as_ref().map(TrafficType::as_str));
    set(members, "vertex.answer_error", text(usage.error));
}

fn text(out: &mut String, name: &str, value: Option<&str>) {
    out.push_str(name);
    out.push_str(value.unwrap_or("-"));
}

fn number(out: &mut String, name: &str, value: Option<impl itoa::Integer>) {
    out.push_str(name);
    match value {
        Some(value) => out.push_str(itoa::Buffer::new().format(value)),
        None => out.push('-'),
    }
}

fn set(members: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.into());
    }
}

/// The JSON member of a field of the tail.
fn member_of(name: &str) -> &str {
    match name {
        "decision" => "vertex.decision",
        "reason" => "vertex.reason",
        "principal" => "vertex.principal",
        "role" => "vertex.role",
        "credential" => "vertex.credential",
        "google_identity" => "vertex.google_identity",
        "project" => "gcp.project_id",
        "location" => "cloud.region",
        "publisher" => "vertex.publisher",
        "model" => "gen_ai.request.model",
        "method" => "vertex.method",
        "display" => "vertex.display",
        "detail" => "vertex.detail",
        "session" => "gen_ai.conversation.id",
        "trace" => "trace_id",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_set_says_of_a_request_without_verdict_what_is_said_of_one_without_call() {
        let rules = include_str!("../../../haproxy-conf/vertex.cfg");
        // A variable may be written bit by bit, with others in it.
        let mut settings: Vec<(String, String)> = Vec::new();
        for line in rules.lines().filter_map(|line| line.trim().strip_prefix("setenv ")) {
            let (name, value) = line.split_once(' ').unwrap();
            let mut value = value.get(1..value.len() - 1).unwrap().replace("\\\"", "\"");
            for (name, known) in settings.iter().rev() {
                value = value.replace(&format!("${{{name}}}"), known);
            }
            settings.push((name.to_owned(), value));
        }
        let setting = |wanted: &str| -> &str {
            &settings.iter().rev().find(|(name, _)| name == wanted).expect(wanted).1
        };
        let undecided = Line { refusal: Some(Reason::Undecided), ..Line::default() };
        let nothing_known = [setting("VERTEX_NO_CALLER"), setting("VERTEX_NO_TARGET")].join(" ");
        let tail = format!("\"-\" vertex{{decision=deny reason=undecided {nothing_known}");
        let line = Line { tail, ..undecided };
        assert_eq!(setting("VERTEX_UNDECIDED"), Record::default().render(&line, Style::Text));
        // In JSON as well, where each member stands behind a comma.
        let line = Line { tail: "\"-\" vertex{decision=deny reason=undecided".into(), ..line };
        let fields = Record::default().render(&line, Style::Json);
        let object = |text: &str| -> Value {
            serde_json::from_str(&format!("{{{}}}", text.strip_prefix(',').unwrap())).unwrap()
        };
        assert_eq!(object(setting("VERTEX_UNDECIDED_JSON")), object(&fields));
    }
}
