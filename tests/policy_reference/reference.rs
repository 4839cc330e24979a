//! The reference: the configuration's JSON, read naively at each request.

use serde_json::Value;

pub(crate) struct Request<'r> {
    pub(crate) issuer: &'r str,
    pub(crate) claims: &'r Value,
    pub(crate) address: Option<&'r str>,
    pub(crate) subject_of_certificate: Option<&'r str>,
    pub(crate) minute_of_week: i64,
    pub(crate) project: Option<&'r str>,
    pub(crate) location: &'r str,
    pub(crate) model: Option<&'r str>,
    pub(crate) method: &'r str,
    /// The values of the two headers.
    pub(crate) tiers: (Option<&'r str>, Option<&'r str>),
    pub(crate) size: Option<u64>,
    pub(crate) takes_cap: bool,
    /// Members of `may`, each with what the body asks for; nothing if it cannot be read.
    pub(crate) body: Option<&'r Value>,
}

/// Every way to read a star, tried.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) if matches(rest, text) => true,
        ([b'*', ..], [c, text @ ..]) => *c != b'/' && matches(pattern, text),
        ([p, rest @ ..], [c, text @ ..]) => p == c && matches(rest, text),
        _ => false,
    }
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map_or(Vec::new(), |list| list.iter().map(|v| v.as_str().unwrap()).collect())
}

fn any(patterns: &Value, text: &str) -> bool {
    texts(patterns).iter().any(|p| *p == "*" || matches(p.as_bytes(), text.as_bytes()))
}

fn lookup<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    if name.starts_with('/') { claims.pointer(name) } else { claims.get(name) }
}

fn test_holds(test: &Value, claim: Option<&Value>) -> bool {
    let (kind, wanted) = test.as_object().unwrap().iter().next().unwrap();
    if kind == "absent" {
        return claim.is_none();
    }
    let values = match claim {
        None => return false,
        Some(Value::Array(values)) => values.clone(),
        Some(value) => vec![value.clone()],
    };
    values.iter().any(|value| match kind.as_str() {
        "equals" => value == wanted,
        "any_of" => wanted.as_array().unwrap().contains(value),
        "pattern" => {
            let wanted = wanted.as_str().unwrap();
            value
                .as_str()
                .is_some_and(|text| wanted == "*" || matches(wanted.as_bytes(), text.as_bytes()))
        }
        "any_word_of" => value
            .as_str()
            .is_some_and(|text| text.split(' ').any(|word| texts(wanted).contains(&word))),
        _ => panic!("{kind}"),
    })
}

fn who_holds(who: &Value, request: &Request<'_>) -> bool {
    let claims = request.claims;
    let groups = match &claims["groups"] {
        Value::Array(groups) => groups.clone(),
        Value::Null => vec![],
        group => vec![group.clone()],
    };
    let mut holds = who["issuer"] == request.issuer;
    if let Some(list) = who.get("groups") {
        holds &= groups.iter().any(|group| list.as_array().unwrap().contains(group));
    }
    if let Some(list) = who.get("subjects") {
        holds &= list.as_array().unwrap().contains(&claims["sub"]);
    }
    for (name, test) in who.get("claims").and_then(Value::as_object).into_iter().flatten() {
        holds &= test_holds(test, lookup(claims, name));
    }
    if let Some(list) = who.get("networks") {
        // The alphabet of addresses: the first byte tells the range.
        let range = |address: &str| format!("{}.0.0.0/8", address.split('.').next().unwrap());
        holds &= request.address.is_some_and(|a| texts(list).contains(&range(a).as_str()));
    }
    if let Some(test) = who.get("certificate") {
        holds &= request.subject_of_certificate.is_some_and(|subject| {
            test.get("verified").is_some() || texts(&test["subjects"]).contains(&subject)
        });
    }
    if let Some(list) = who.get("times") {
        holds &= list.as_array().unwrap().iter().any(|window| within(window, request));
    }
    holds
}

/// Minute by minute from where the window begins.
fn within(window: &Value, request: &Request<'_>) -> bool {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let minute = |text: &Value| {
        let (hours, minutes) = text.as_str().unwrap().split_once(':').unwrap();
        hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap()
    };
    let (from, to) = (minute(&window["from"]), minute(&window["to"]));
    let length = if to > from { to - from } else { to + 24 * 60 - from };
    texts(&window["days"]).iter().any(|day| {
        let day = i64::try_from(days.iter().position(|d| d == day).unwrap()).unwrap();
        let start = day * 24 * 60 + from;
        (0..length).any(|m| (start + m) % (7 * 24 * 60) == request.minute_of_week)
    })
}

fn uri_fits(list: &Value, uri: &str) -> bool {
    texts(list).iter().any(|own| {
        *own == "*" || *own == uri || (own.ends_with('/') && uri.starts_with(own) && uri != *own)
    })
}

fn home(may: &Value, name: &str, location: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    match parts.as_slice() {
        ["projects", project, "locations", place, ..] => {
            any(&may["projects"], project) && *place == location
        }
        _ => true,
    }
}

/// The name of the role that decides, `-`, or `- ` and the first term that fails.
pub(crate) fn decide(roles: &[Value], request: &Request<'_>) -> String {
    let mut otherwise = "-".to_owned();
    let mut note = |text: String| {
        if otherwise == "-" {
            otherwise = text;
        }
    };
    for role in roles {
        let may = &role["may"];
        // Each description of callers is tried by itself, as if it were a role.
        let alternatives = match &role["who"] {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        let target =
            texts(&may["methods"]).iter().any(|p| matches(p.as_bytes(), request.method.as_bytes()))
                && any(&may["locations"], request.location)
                && request.project.is_none_or(|project| any(&may["projects"], project))
                && request.model.is_none_or(|model| any(&may["models"], model));
        if !target || !alternatives.iter().any(|who| who_holds(who, request)) {
            continue;
        }
        let has_tier = |value: Option<&str>, of_header: [&str; 2]| {
            value.is_none_or(|tier| {
                let listed = texts(&may["tiers"]);
                of_header.contains(&tier) && (listed == ["*"] || listed.contains(&tier))
            })
        };
        let (request_type, shared_request_type) = request.tiers;
        if !has_tier(request_type, ["dedicated", "shared"])
            || !has_tier(shared_request_type, ["priority", "flex"])
        {
            note("- tiers".to_owned());
            continue;
        }
        if let Some(most) = may.get("max_request_bytes").and_then(Value::as_u64)
            && request.size.is_none_or(|size| size > most)
        {
            note("- max_request_bytes".to_owned());
            continue;
        }
        if role.get("body").is_some() {
            return role["name"].as_str().unwrap().to_owned();
        }
        let Some(body) = request.body else {
            note("unreadable".to_owned());
            continue;
        };
        let mut failed = Vec::new();
        for (term, asked) in [
            ("tools", texts(&body["tools"]).iter().all(|t| any(&may["tools"], t))),
            ("file_uris", texts(&body["file_uris"]).iter().all(|u| uri_fits(&may["file_uris"], u))),
            (
                "stored_state",
                texts(&body["stored_state"]).iter().all(|name| {
                    any(&may["stored_state"], name) && home(may, name, request.location)
                }),
            ),
            (
                "output_uris",
                texts(&body["output_uris"]).iter().all(|u| uri_fits(&may["output_uris"], u)),
            ),
            (
                "max_output_tokens",
                may.get("max_output_tokens").is_none_or(|most| {
                    match body["max_output_tokens"].as_u64() {
                        None => !request.takes_cap,
                        Some(tokens) => tokens <= most.as_u64().unwrap(),
                    }
                }),
            ),
        ] {
            if !asked {
                failed.push(term);
            }
        }
        match failed.first() {
            None => return role["name"].as_str().unwrap().to_owned(),
            Some(term) => note(format!("- {term}")),
        }
    }
    otherwise
}
