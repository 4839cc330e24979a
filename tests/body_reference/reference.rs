//! What a tree asks for, rule by rule. Nothing is bounded here.

use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Body, CapMember, Media};

use crate::tree::Tree;
use crate::vertex::body::cap;
use crate::vertex::body::field::Field;
use crate::vertex::body::name::Name;

struct Crooked;

/// What a value says to the object around it.
#[derive(PartialEq)]
enum Said {
    Object,
    Null,
    Data(u64),
    Type(String),
    Other,
}

/// What a body asks for; `None` where it holds a number that is JSON and is none to serde_json.
pub fn read(bytes: &[u8]) -> Option<Result<Body, Reason>> {
    let mut body = Body::default();
    let said = match serde_json::from_slice(bytes) {
        Err(why) if why.to_string().starts_with("number out of range") => return None,
        Ok(tree @ Tree::Object(_)) => value(&mut body, Field::Root, &tree),
        _ => Err(Crooked),
    };
    Some(said.map(|_| body).map_err(|_| Reason::BodyNotJson))
}

fn value(body: &mut Body, place: Field, tree: &Tree) -> Result<Said, Crooked> {
    let is_limit = matches!(place, Field::OutputLimit(_));
    match tree {
        Tree::Null => Ok(Said::Null),
        Tree::Bool(truth) if place == Field::Stream => {
            body.is_streamed = *truth;
            Ok(Said::Other)
        }
        Tree::Bool(_) => number(body, place, None),
        Tree::Number(count) => number(body, place, *count),
        Tree::Text(written) => Ok(text(body, place, written)),
        Tree::Array(_) if is_limit || place.wants_text() => Err(Crooked),
        Tree::Array(elements) => {
            let mut said = Said::Other;
            let place = if place == Field::Input { Field::Item } else { place };
            for element in elements {
                if value(body, place, element)? == Said::Object {
                    said = Said::Object;
                }
            }
            Ok(said)
        }
        Tree::Object(members) if place == Field::Model => object(body, Field::Plain, members),
        Tree::Object(members) if place == Field::Input => object(body, Field::Prose, members),
        Tree::Object(_) if is_limit || place.wants_text() => Err(Crooked),
        Tree::Object(members) => object(body, place, members),
    }
}

fn number(body: &mut Body, place: Field, count: Option<u64>) -> Result<Said, Crooked> {
    match place {
        Field::OutputLimit(at) => limit(body, at, count),
        Field::Answers => answers(body, count),
        _ if place.wants_text() => return Err(Crooked),
        _ => {}
    }
    Ok(Said::Other)
}

fn text(body: &mut Body, place: Field, text: &str) -> Said {
    let owned = text.to_owned();
    match place {
        Field::Model => body.model = Some(owned),
        Field::BaseModel => body.base_model = Some(owned),
        Field::OperationName => body.operation_name = Some(owned),
        Field::OtherModel => list(&mut body.other_models, text),
        Field::ModelBeside => list(&mut body.models_beside, text),
        Field::Secret => list(&mut body.secrets, text),
        Field::ToolType if is_callers_own(text) => {}
        Field::ToolType | Field::Tool => list(&mut body.tools, text),
        Field::MediaType => {
            if is_address(text) {
                list(&mut body.file_uris, text);
            }
            return Said::Type(owned);
        }
        Field::ReadUri | Field::DataOrUri if is_data_url(text) => {
            if let Some((head, data)) = text.split_once(',') {
                media(&mut body.media, &head[5..], data.len());
            }
        }
        Field::SourceData if is_data_url(text) => {
            if let Some((head, data)) = text.split_once(',') {
                media(&mut body.media, &head[5..], data.len());
            }
        }
        Field::DataOrUri | Field::SourceData if !is_address(text) => {
            return Said::Data(u64::try_from(text.len()).unwrap());
        }
        Field::Endpoint if !text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) => {
            list(&mut body.file_uris, &format!("https://{}", text.trim_start_matches('/')));
        }
        Field::Plain | Field::ToolSettings if !is_address(text) => {}
        Field::ReadUri
        | Field::DataOrUri
        | Field::Plain
        | Field::ToolSettings
        | Field::Endpoint => list(&mut body.file_uris, text),
        Field::WriteUri => list(&mut body.output_uris, text),
        Field::StoredState | Field::Environment => list(&mut body.stored_state, text),
        Field::Voice if text.starts_with("voice") => list(&mut body.stored_state, text),
        Field::ModelArmor => list(&mut body.model_armor_templates, text),
        Field::AnyModel | Field::Fallbacks => body.any_model = true,
        Field::Answers => answers(body, text.parse().ok()),
        Field::OutputLimit(at) => limit(body, at, text.parse().ok()),
        _ => {}
    }
    Said::Other
}

fn object(body: &mut Body, place: Field, members: &[(String, Tree)]) -> Result<Said, Crooked> {
    if place == Field::AnyModel {
        body.any_model = true;
    }
    if place == Field::Environment {
        list(&mut body.tools, "environment");
    }
    let mut names: Vec<String> = Vec::new();
    let (mut tools, mut ids, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let (mut has_type, mut data, mut data_type) = (false, 0, None);
    if place == Field::InputAudio {
        data_type = Some("audio/x".to_owned());
    }
    for (written, inside) in members {
        if place == Field::Free {
            value(body, Field::Free, inside)?;
            names.push(written.clone());
            continue;
        }
        let name = Name::of(written);
        let member = place.member(&name);
        let at = if member == Field::Tool { Field::of_tool(&name) } else { member };
        let said = value(body, at, inside)?;
        match member {
            Field::ItemId => ids.extend(texts(inside)),
            Field::SourceData => sources.extend(texts(inside)),
            _ => {}
        }
        if member == Field::ToolType && said != Said::Null {
            has_type = true;
        }
        if member == Field::Tool {
            let settings = ["filters", "ranking_options", "user_location"];
            let asks_beside_a_type = said == Said::Object && !settings.contains(&&*name.snake);
            tools.push((written, asks_beside_a_type));
        }
        match said {
            Said::Data(bytes) => data = bytes,
            Said::Type(of) => data_type = Some(of),
            Said::Object | Said::Null | Said::Other => {}
        }
        names.push(written.clone());
        if member.acts() && name.folded != *written {
            names.push(name.folded.into_owned());
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    if names.len() < count {
        return Err(Crooked);
    }
    for (tool, asks_beside_a_type) in tools {
        if !has_type || asks_beside_a_type {
            list(&mut body.tools, tool);
        }
    }
    let says =
        |name: &str| members.iter().find(|(written, _)| written == name).map(|(_, said)| said);
    let is_said = |name: &str| says(name).is_some_and(|said| *said != Tree::Null);
    let type_is = |is: fn(&str) -> bool| matches!(says("type"), Some(Tree::Text(of)) if is(of));
    let says_more = type_is(|of| of != "item_reference") || (is_said("role") && is_said("content"));
    if !says_more {
        ids.iter().for_each(|id| list(&mut body.stored_state, id));
    }
    if !type_is(|of| of == "text") {
        let addresses = sources.iter().filter(|text| !is_data_url(text) && is_address(text));
        addresses.for_each(|uri| list(&mut body.file_uris, uri));
    }
    if let Some(of) = data_type {
        media(&mut body.media, &of, usize::try_from(data).unwrap());
    }
    Ok(Said::Object)
}

/// A text, or those of an array.
fn texts(tree: &Tree) -> Vec<&str> {
    match tree {
        Tree::Text(text) => vec![text],
        Tree::Array(elements) => elements.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A function, or one of Claude's client tools with a date behind its name.
fn is_callers_own(tool: &str) -> bool {
    let tools = ["bash_", "computer_", "memory_", "text_editor_"];
    let dated = tools.iter().filter_map(|name| tool.strip_prefix(name));
    tool == "function"
        || tool == "custom"
        || dated.into_iter().any(|date| date.len() == 8 && date.chars().all(|c| c.is_ascii_digit()))
}

/// Lists a text, once.
fn list(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|listed| listed == text) {
        list.push(text.to_owned());
    }
}

fn limit(body: &mut Body, at: cap::CapMember, count: Option<u64>) {
    let at = match at {
        cap::CapMember::GenerationConfig => CapMember::GenerationConfig,
        cap::CapMember::MaxTokens => CapMember::MaxTokens,
        cap::CapMember::MaxCompletionTokens => CapMember::MaxCompletionTokens,
        cap::CapMember::MaxOutputTokens => CapMember::MaxOutputTokens,
        cap::CapMember::Elsewhere => CapMember::Elsewhere,
    };
    let limit = (at, count.filter(|count| *count > 0).unwrap_or(u64::MAX));
    if !body.limits.contains(&limit) {
        body.limits.push(limit);
    }
}

fn answers(body: &mut Body, count: Option<u64>) {
    let count = count.unwrap_or(u64::MAX).max(1);
    body.answers = Some(body.answers.unwrap_or(1).saturating_mul(count));
}

fn is_data_url(text: &str) -> bool {
    text.to_ascii_lowercase().starts_with("data:")
}

/// A scheme of 1 to 64 letters, digits and `+.-`, `://`, and no blank anywhere.
fn is_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    is_scheme(scheme) && !rest.contains(char::is_whitespace)
}

fn is_scheme(text: &str) -> bool {
    let mark = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(mark)
}

/// Adds data of a type: the tokens of small ones, of which all kinds but sound and video have one for
/// four bytes.
fn media(sum: &mut Media, of: &str, bytes: usize) {
    let of = of.split(';').next().unwrap().trim().to_ascii_lowercase();
    let bytes_a_token = match of.split_once('/').map(|(kind, _)| kind) {
        _ if of == "application/pdf" => 16,
        Some("audio") => 80,
        Some("video") => 50,
        _ => 4,
    };
    assert!(bytes < 4 * 4_784, "an image has no more tokens than that");
    sum.bytes += u64::try_from(bytes).unwrap();
    sum.tokens += u64::try_from(bytes.div_ceil(bytes_a_token)).unwrap();
}
