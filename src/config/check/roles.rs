//! Roles: what they may, and as whom.

use crate::config::check::{Checked, name, non_empty, place_of, state, texts, unique, who::who};
use crate::config::raw;
use crate::error::ConfigError;
use crate::google::Credential;
use crate::oidc::IssuerConfig;
use crate::policy::{BodyTerms, May, Pattern, Role, UriPrefix};
use crate::vertex::method_names;

pub(in crate::config) fn roles(
    raw: Vec<raw::Role>,
    issuers: &[IssuerConfig],
    credentials: &[Credential],
) -> Checked<Vec<Role>> {
    non_empty("/roles", &raw, "a role; without one, every request is refused")?;
    unique("/roles", raw.iter().map(|role| role.name.as_str()))?;
    let shares: Vec<Vec<String>> = raw.iter().map(|role| role.shares_state_with.clone()).collect();
    let role = |(index, raw): (usize, raw::Role)| {
        let at = format!("/roles/{index}");
        name(&format!("{at}/name"), &raw.name)?;
        let names = credentials.iter().map(|credential| credential.name.as_str());
        let credential = place_of(&format!("{at}/as"), "credential", &raw.r#as, names)?;
        let at_who = format!("{at}/who");
        let who = match raw.who {
            raw::OneOrMore::One(one) => vec![who(one, &at_who, issuers)?],
            raw::OneOrMore::More(all) => {
                non_empty(&at_who, &all, "a description of callers")?;
                let one = |(index, raw)| who(raw, &format!("{at_who}/{index}"), issuers);
                all.into_iter().enumerate().map(one).collect::<Checked<_>>()?
            }
        };
        let may = may(&raw.may, raw.body, &format!("{at}/may"))?;
        Ok(Role { name: raw.name, who, may, credential, place: index })
    };
    let roles = raw.into_iter().enumerate().map(role).collect::<Checked<Vec<_>>>()?;
    state::check(&roles, &shares)?;
    Ok(roles)
}

fn may(raw: &raw::May, body: Option<raw::Body>, at: &str) -> Checked<May> {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'*');
    let model =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'@' | b'*' | b'/');
    Ok(May {
        projects: patterns(&format!("{at}/projects"), &raw.projects, |text| {
            let fits = text.bytes().all(lower);
            fits.then(|| Pattern::new(text)).ok_or("a project's id or number")
        })?,
        locations: patterns(&format!("{at}/locations"), &raw.locations, |text| {
            let fits = text == "*" || (text.bytes().all(lower) && !text.contains('*'));
            fits.then(|| Pattern::new(text)).ok_or("a location like us-central1, or * alone")
        })?,
        models: patterns(&format!("{at}/models"), &raw.models, |text| {
            let fits = text == "*" || (text.bytes().all(model) && text.matches('/').count() == 1);
            fits.then(|| Pattern::new(text))
                .ok_or("publisher/model like google/gemini-2.5-*, or * alone")
        })?,
        methods: patterns(&format!("{at}/methods"), &raw.methods, |text| {
            let pattern = Pattern::of_segments(text);
            let fits = method_names().any(|method| pattern.matches(method));
            fits.then_some(pattern).ok_or(
                "a method as `haproxy-vertex routes` lists them, like generateContent, * for all \
                 inference, stateful/* or admin/*",
            )
        })?,
        max_request_bytes: raw.max_request_bytes,
        body: terms(raw, body, at)?,
    })
}

fn terms(raw: &raw::May, body: Option<raw::Body>, at: &str) -> Checked<Option<BodyTerms>> {
    let listed = [
        ("tools", &raw.tools),
        ("file_uris", &raw.file_uris),
        ("stored_state", &raw.stored_state),
        ("output_uris", &raw.output_uris),
        ("model_armor_templates", &raw.model_armor_templates),
    ];
    if body == Some(raw::Body::Unread) {
        let mut members: Vec<_> =
            listed.iter().filter(|(_, list)| list.is_some()).map(|(name, _)| *name).collect();
        members.extend(raw.max_output_tokens.map(|_| "max_output_tokens"));
        return match members.as_slice() {
            [] => Ok(None),
            [member, ..] => {
                let problem = "a body that goes unread cannot be held to this: leave it out, or \
                               leave out `\"body\": \"unread\"`";
                Err(ConfigError::at(format!("{at}/{member}"), problem))
            }
        };
    }
    let given = |list: &Option<Vec<String>>, member: &str| {
        let at = format!("{at}/{member}");
        let list = list.clone().unwrap_or_default();
        texts(&at, &list).map(|()| (at, list))
    };
    let patterns = |list: &Option<Vec<String>>, member: &str| -> Checked<Vec<Pattern>> {
        let (_, list) = given(list, member)?;
        Ok(list.iter().map(|text| Pattern::new(text)).collect())
    };
    let prefixes = |list: &Option<Vec<String>>, member: &str| -> Checked<Vec<UriPrefix>> {
        let (at, list) = given(list, member)?;
        let prefix = |(index, text): (usize, &String)| {
            UriPrefix::parse(text).map_err(|wanted| {
                ConfigError::at(format!("{at}/{index}"), format!("\"{text}\": {wanted} is wanted"))
            })
        };
        list.iter().enumerate().map(prefix).collect()
    };
    let (_, tools) = given(&raw.tools, "tools")?;
    Ok(Some(BodyTerms {
        tools: tools.iter().map(|tool| Pattern::of_tool(tool)).collect(),
        file_uris: prefixes(&raw.file_uris, "file_uris")?,
        stored_state: patterns(&raw.stored_state, "stored_state")?,
        output_uris: prefixes(&raw.output_uris, "output_uris")?,
        model_armor_templates: patterns(&raw.model_armor_templates, "model_armor_templates")?,
        max_output_tokens: raw.max_output_tokens,
    }))
}

fn patterns(
    at: &str,
    texts: &[String],
    read: impl Fn(&str) -> Result<Pattern, &'static str>,
) -> Checked<Vec<Pattern>> {
    non_empty(at, texts, "a value, or \"*\" for all")?;
    let pattern = |(index, text): (usize, &String)| {
        let at = format!("{at}/{index}");
        if text.is_empty() {
            return Err(ConfigError::at(at, "empty; a value is wanted"));
        }
        let fault =
            |wanted| ConfigError::at(at, format!("\"{text}\" matches nothing: {wanted} is wanted"));
        read(text).map_err(fault)
    };
    texts.iter().enumerate().map(pattern).collect()
}
