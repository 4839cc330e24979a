//! Checks roles: what they allow, and which credential they act as.

use crate::config::check::{
    Checked, KnownNames, name, named, non_empty, state, texts, unique, who::who,
};
use crate::config::raw;
use crate::config::reading::Mended;
use crate::error::{All as _, ConfigError, ConfigErrors, each};
use crate::policy::{BodyTerms, DefaultPlace, May, Pattern, Role, Tier, UriPrefix};
use crate::vertex::{is_place_name, method_names};

pub(in crate::config) fn roles(
    raw: Vec<raw::RoleEntry>,
    names: &KnownNames,
    mended: &Mended,
) -> Checked<Vec<Role>> {
    non_empty("/roles", &raw, "a role (without one, every request is refused)")?;
    let shares: Vec<Vec<String>> = raw.iter().map(|role| role.shares_state_with.clone()).collect();
    let once = unique("/roles", &raw);
    let shared = state::named(&raw, names.roles.as_deref());
    let role = |(index, raw)| role(raw, index, names);
    let roles = each(raw.into_iter().enumerate().map(role));
    let (_, _, roles) = (once, shared, roles).all()?;
    // Shared state can be checked only once every role is valid.
    if !mended.touches("/roles") {
        state::check(&roles, &shares)?;
    }
    Ok(roles)
}

fn role(raw: raw::RoleEntry, index: usize, names: &KnownNames) -> Checked<Role> {
    let at = format!("/roles/{index}");
    let at_who = format!("{at}/who");
    let issuers = names.issuers.as_deref();
    let who = match raw.who {
        raw::OneOrMore::One(one) => who(one, &at_who, issuers).map(|who| vec![who]),
        raw::OneOrMore::More(all) => {
            let one = |(index, raw)| who(raw, &format!("{at_who}/{index}"), issuers);
            let some = non_empty(&at_who, &all, "a description of callers");
            (some, each(all.into_iter().enumerate().map(one))).all().map(|(_, who)| who)
        }
    };
    let known = names.credentials.as_deref();
    let (_, who, may, _) = (
        name(&format!("{at}/name"), &raw.name),
        who,
        may(&raw.may, raw.body, &format!("{at}/may")),
        named(&format!("{at}/as"), "credential", &raw.r#as, known),
    )
        .all()?;
    let default =
        raw.default.map(|raw| default_place(raw, &may, &format!("{at}/default"))).transpose()?;
    // If the name is unknown, another fault is reported, and the index is not used.
    let credential = known.and_then(|known| known.iter().position(|name| *name == raw.r#as));
    let credential = credential.unwrap_or(0);
    Ok(Role { name: raw.name, who, may, default, credential, place: index })
}

/// A place that the role itself allows: any other would refuse every request that is sent there.
fn default_place(raw: raw::DefaultPlace, may: &May, at: &str) -> Checked<DefaultPlace> {
    let fault = |member: &str, name: &str, is_allowed: bool, wanted: &str| match is_allowed {
        true => Ok(()),
        false => {
            let problem =
                format!("\"{name}\": one {wanted} that this role's may.{member}s has is wanted");
            Err(ConfigError::at(format!("{at}/{member}"), problem))
        }
    };
    let raw::DefaultPlace { project, location } = raw;
    let (is_project, is_location) = (is_place_name(&project), is_place_name(&location));
    (
        fault(
            "project",
            &project,
            is_project && may.has_project(&project),
            "project's id or number",
        ),
        fault("location", &location, is_location && may.has_location(&location), "location"),
    )
        .all()?;
    Ok(DefaultPlace { project, location })
}

fn may(raw: &raw::May, body: Option<raw::Body>, at: &str) -> Checked<May> {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'*');
    let model =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'@' | b'*' | b'/');
    let (projects, locations, models, methods, tiers, body) = (
        patterns(&format!("{at}/projects"), &raw.projects, |text| {
            let fits = text.bytes().all(lower);
            fits.then(|| Pattern::new(text)).ok_or("a project's id or number")
        }),
        patterns(&format!("{at}/locations"), &raw.locations, |text| {
            let fits = text == "*" || (text.bytes().all(lower) && !text.contains('*'));
            fits.then(|| Pattern::new(text)).ok_or("a location like us-central1, or * alone")
        }),
        patterns(&format!("{at}/models"), &raw.models, |text| {
            let fits = text == "*" || (text.bytes().all(model) && text.matches('/').count() == 1);
            fits.then(|| Pattern::new(text))
                .ok_or("publisher/model like google/gemini-2.5-*, or * alone")
        }),
        patterns(&format!("{at}/methods"), &raw.methods, |text| {
            let pattern = Pattern::of_segments(text);
            let fits = method_names().any(|method| pattern.matches(method));
            fits.then_some(pattern).ok_or(
                "a method as `haproxy-vertex routes` lists them, like generateContent, * for all \
                 inference, stateful/* or admin/*",
            )
        }),
        tiers(raw.tiers.as_deref().unwrap_or_default(), &format!("{at}/tiers")),
        terms(raw, body, at),
    )
        .all()?;
    let max_request_bytes = raw.max_request_bytes;
    Ok(May { projects, locations, models, methods, tiers, max_request_bytes, body })
}

fn tiers(raw: &[raw::Tier], at: &str) -> Checked<Vec<Tier>> {
    if raw == [raw::Tier::All] {
        return Ok(Tier::ALL.to_vec());
    }
    let tier = |(index, tier): (usize, &raw::Tier)| match tier {
        raw::Tier::Dedicated => Ok(Tier::Dedicated),
        raw::Tier::Shared => Ok(Tier::Shared),
        raw::Tier::Priority => Ok(Tier::Priority),
        raw::Tier::Flex => Ok(Tier::Flex),
        raw::Tier::All => {
            let problem = "* stands for all tiers: it is wanted alone, or not at all";
            Err(ConfigError::at(format!("{at}/{index}"), problem))
        }
    };
    each(raw.iter().enumerate().map(tier))
}

fn terms(raw: &raw::May, body: Option<raw::Body>, at: &str) -> Checked<Option<BodyTerms>> {
    let listed = [
        ("tools", &raw.tools),
        ("file_uris", &raw.file_uris),
        ("stored_state", &raw.stored_state),
        ("secrets", &raw.secrets),
        ("output_uris", &raw.output_uris),
        ("model_armor_templates", &raw.model_armor_templates),
    ];
    if body == Some(raw::Body::Unread) {
        let mut members: Vec<_> =
            listed.iter().filter(|(_, list)| list.is_some()).map(|(name, _)| *name).collect();
        members.extend(raw.max_output_tokens.map(|_| "max_output_tokens"));
        let fault = |member| {
            let problem = "a body that goes unread cannot be held to this: leave it out, or leave \
                           out `\"body\": \"unread\"`";
            ConfigError::at(format!("{at}/{member}"), problem)
        };
        let faults = members.into_iter().map(fault).collect();
        return ConfigErrors::unless_empty(faults).map(|()| None);
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
        each(list.iter().enumerate().map(prefix))
    };
    let tools = given(&raw.tools, "tools")
        .map(|(_, tools)| tools.iter().map(|tool| Pattern::of_tool(tool)).collect());
    let (tools, file_uris, stored_state, secrets, output_uris, model_armor_templates) = (
        tools,
        prefixes(&raw.file_uris, "file_uris"),
        patterns(&raw.stored_state, "stored_state"),
        patterns(&raw.secrets, "secrets"),
        prefixes(&raw.output_uris, "output_uris"),
        patterns(&raw.model_armor_templates, "model_armor_templates"),
    )
        .all()?;
    let max_output_tokens = raw.max_output_tokens;
    Ok(Some(BodyTerms {
        tools,
        file_uris,
        stored_state,
        secrets,
        output_uris,
        model_armor_templates,
        max_output_tokens,
    }))
}

fn patterns(
    at: &str,
    texts: &[String],
    read: impl Fn(&str) -> Result<Pattern, &'static str>,
) -> Checked<Vec<Pattern>> {
    non_empty(at, texts, "a value, or \"*\" for all,")?;
    let pattern = |(index, text): (usize, &String)| {
        let at = format!("{at}/{index}");
        if text.is_empty() {
            return Err(ConfigError::at(at, "empty; a value is wanted"));
        }
        let fault =
            |wanted| ConfigError::at(at, format!("\"{text}\" matches nothing: {wanted} is wanted"));
        read(text).map_err(fault)
    };
    each(texts.iter().enumerate().map(pattern))
}
