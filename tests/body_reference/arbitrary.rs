//! Bodies made of bytes that choose: what is left when they run out is as short as can be, so that a
//! body that fails is made smaller.

/// Names with a meaning somewhere, in snake case, and some without.
const NAMES: &[&str] = &[
    "model",
    "base_model",
    "operation_name",
    "generation_config",
    "parameters",
    "messages",
    "requests",
    "n",
    "best_of",
    "stream",
    "environment",
    "environment_id",
    "functions",
    "labels",
    "metadata",
    "prompt",
    "audio",
    "id",
    "tools",
    "tool",
    "type",
    "function",
    "function_declarations",
    "name",
    "strict",
    "custom",
    "google_search",
    "code_execution",
    "url_context",
    "user_location",
    "filters",
    "ranking_options",
    "content",
    "contents",
    "parts",
    "role",
    "text",
    "input",
    "url",
    "source",
    "function_call",
    "function_response",
    "args",
    "partial_args",
    "response",
    "routing_config",
    "model_name",
    "auto_mode",
    "manual_mode",
    "fallbacks",
    "model_armor_config",
    "prompt_template_name",
    "citations",
    "json_schema",
    "response_schema",
    "input_schema",
    "session_state",
    "voice",
    "voice_config",
    "custom_base_model",
    "pipeline_root_directory",
    "cached_content",
    "container",
    "file_id",
    "previous_response_id",
    "vector_store_ids",
    "rag_corpus",
    "rag_corpora",
    "datastores",
    "engine",
    "endpoint",
    "api_key_secret",
    "credential_secret",
    "client_secret",
    "autorater_model",
    "student_model",
    "llm_ranker",
    "retrieval",
    "display_name",
    "session",
    "agent",
    "mcp_servers",
    "service_account",
    "web_search_options",
    "file_uri",
    "gcs_uri",
    "uris",
    "output_uri",
    "output_uri_prefix",
    "storage_uri",
    "output_config",
    "gcs_destination",
    "response_format",
    "output",
    "input_audio",
    "mime_type",
    "media_type",
    "data",
    "file_data",
    "bytes_base64_encoded",
    "inline_data",
    "image_url",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
    "candidate_count",
    "description",
    "x",
    "never_heard_of",
    "\u{e4}",
    "\u{212a}ey",
    "",
];

const TEXTS: &[&str] = &[
    "",
    "x",
    "7",
    "0",
    "-1",
    "+5",
    "1e2",
    "google/g",
    "function",
    "custom",
    "web_search_2",
    "bash_20250124",
    "text_editor_20250728",
    "computer_use_preview",
    "bash_code_execution",
    "item_reference",
    "message",
    "text",
    "h.example:8080/x",
    "//h.example",
    "voice_1",
    "Kore",
    "image/png",
    "Audio/wav; x=1",
    "video/mp4",
    "application/pdf",
    "gs://b/x",
    "https://h/x?y#z",
    "see gs://b/x",
    "gs://b/x y",
    "gs://b/\u{3000}",
    "://",
    "a://",
    "data:image/png;base64,AAAAAAAA",
    "DATA:,xyz",
    "data:none",
    "data://x",
    "dat",
    "date",
    "AAAABBBBCCCC",
    "line\nline\t\"quoted\" \\",
    "\u{e4}\u{20ac}\u{1f600}",
    "\u{7f}\u{0}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa://x",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa://x",
    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkrLw==",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "5",
    "100",
    "100.0",
    "1e2",
    "1E+2",
    "1.5",
    "-1",
    "-0",
    "0.0",
    "12e-1",
    "18446744073709551615",
    "18446744073709551616",
    "1e300",
    "9007199254740993",
];

/// What is no JSON where a value is wanted.
const CROOKED: &[&str] = &[
    "01",
    "-",
    "1.",
    "1e",
    ".5",
    "+1",
    "nul",
    "tru",
    "True",
    "'x'",
    "\"\\x\"",
    "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\\u12g4\"",
    "\"\t\"",
    "[1,]",
    "{\"a\":1,}",
    "{,}",
    "[,1]",
    "{1:1}",
    "{\"a\"}",
    "[1 2]",
    "]",
    "NaN",
];

/// Bytes that mean something, or are no UTF-8.
const BYTES: &[u8] = b"\"\\{}[]:,0-e. \n\x00\x1f\x7f\x80\xbf\xc0\xc3\xe2\xed\xf0\xf4\xff/ut";

struct Choices<'e>(std::slice::Iter<'e, u8>);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % count
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn are_left(&self) -> bool {
        self.0.len() > 0
    }
}

/// A body that these bytes choose.
pub(crate) fn body(choices: &[u8]) -> Vec<u8> {
    let mut choices = Choices(choices.iter());
    let harm = choices.below(12);
    let mut body = String::new();
    object(&mut choices, 0, &mut body);
    let mut body = body.into_bytes();
    if harm == 11 {
        let at = (choices.below(256) * 256 + choices.below(256)) % (body.len() + 1);
        let byte = choices.of(BYTES);
        match choices.below(3) {
            0 => body.insert(at, byte),
            1 => body.truncate(at),
            _ => drop(body.splice(at..(at + 1).min(body.len()), [byte])),
        }
    }
    body
}

fn object(choices: &mut Choices<'_>, depth: usize, out: &mut String) {
    out.push('{');
    let most = if depth == 0 { 8 } else { 4 };
    for index in 0..=choices.below(most) {
        if !choices.are_left() {
            break;
        }
        if index > 0 {
            out.push(',');
            blank(choices, out);
        }
        let name = name(choices);
        text(choices, &name, out);
        out.push(':');
        blank(choices, out);
        value(choices, depth + 1, out);
    }
    out.push('}');
}

fn value(choices: &mut Choices<'_>, depth: usize, out: &mut String) {
    let deep = if depth > 7 { 9 } else { 19 };
    match choices.below(deep) {
        0..=4 => {
            let chosen = choices.of(TEXTS);
            text(choices, chosen, out);
        }
        5 | 6 => out.push_str(choices.of(NUMBERS)),
        7 => out.push_str(choices.of(&["true", "false", "null"])),
        8 if choices.below(16) == 15 => out.push_str(choices.of(CROOKED)),
        8 => out.push_str("null"),
        9..=14 => object(choices, depth, out),
        _ => {
            out.push('[');
            for index in 0..choices.below(4) {
                if index > 0 {
                    out.push(',');
                }
                value(choices, depth + 1, out);
            }
            blank(choices, out);
            out.push(']');
        }
    }
}

/// A name, mostly as an API spells it.
fn name(choices: &mut Choices<'_>) -> String {
    let snake = choices.of(NAMES);
    let camel = || {
        let mut words = snake.split('_');
        let first = words.next().unwrap().to_owned();
        words.fold(first, |name, word| {
            let mut letters = word.chars();
            name + &letters.next().map_or(String::new(), |c| c.to_uppercase().to_string())
                + letters.as_str()
        })
    };
    match choices.below(12) {
        0..=4 => snake.to_owned(),
        5..=8 => camel(),
        9 => snake.to_uppercase(),
        10 => snake.replace('_', ""),
        _ => format!("_{}", camel()),
    }
}

fn text(choices: &mut Choices<'_>, text: &str, out: &mut String) {
    let escapes = choices.below(8);
    out.push('"');
    for (index, c) in text.chars().enumerate() {
        let must = c < ' ' || c == '"' || c == '\\';
        match c {
            '\n' if escapes < 6 => out.push_str("\\n"),
            '/' if escapes == 5 => out.push_str("\\/"),
            '"' | '\\' if escapes < 6 => out.extend(['\\', c]),
            _ if must || escapes == 7 || (escapes == 6 && index % 3 == 1) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn blank(choices: &mut Choices<'_>, out: &mut String) {
    out.push_str(choices.of(&["", "", "", "", " ", "\n  ", "\r\t"]));
}
