//! Random roles and requests of a small alphabet, so that they meet.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

fn some(values: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(values, 1..=values.len())
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(
    weight: f64,
    strategy: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(weight, strategy)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name, without_nulls(member)))
                .collect(),
        ),
        Value::Array(elements) => elements.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn claim_test() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![json!("x"), json!("y"), json!(1), json!(true)])
            .prop_map(|v| json!({"equals": v})),
        some(&["x", "y", "x y"]).prop_map(|v| json!({"any_of": v})),
        select(vec!["*", "x*", "*y", "x"]).prop_map(|v| json!({"pattern": v})),
        some(&["x", "y"]).prop_map(|v| json!({"any_word_of": v})),
        Just(json!({"absent": true})),
    ]
}

const DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn who() -> impl Strategy<Value = Value> {
    let times = ["00:00", "06:30", "12:00", "23:59"];
    let window = (subsequence(DAYS, 1..4), 0..4_usize, 1..4_usize).prop_map(
        move |(days, from, step)| {
            json!({ "days": days, "from": times[from], "to": times[(from + step) % 4] })
        },
    );
    let certificate = select(vec![
        json!({ "verified": true }),
        json!({ "subjects": ["CN=a"] }),
        json!({ "subjects": ["CN=b", "CN=c"] }),
    ]);
    (
        select(vec!["corp", "partner"]),
        maybe(0.4, some(&["g1", "g2", "g3"])),
        maybe(0.2, some(&["s1", "s2"])),
        maybe(
            0.4,
            prop::collection::btree_map(
                select(vec!["c", "/n/c", "a:b"]).prop_map(str::to_owned),
                claim_test(),
                1..3,
            ),
        ),
        maybe(0.2, some(&["10.0.0.0/8", "11.0.0.0/8"])),
        maybe(0.2, certificate),
        maybe(0.2, prop::collection::vec(window, 1..3)),
    )
        .prop_map(|(issuer, groups, subjects, claims, networks, certificate, times)| {
            let anyone = groups.is_none() && subjects.is_none() && claims.is_none();
            without_nulls(json!({
                "issuer": issuer, "groups": groups, "subjects": subjects, "claims": claims,
                "networks": networks, "certificate": certificate, "times": times,
                "anyone": anyone.then_some(true),
            }))
        })
}

fn may() -> impl Strategy<Value = (Value, bool)> {
    let lists = (
        some(&["p1", "p2", "p*", "q1"]),
        prop_oneof![some(&["l1", "l2"]), Just(vec!["*"])],
        prop_oneof![some(&["a/m1", "a/m*", "b/*", "*/m2"]), Just(vec!["*"])],
        prop_oneof![
            some(&["generateContent", "countTokens", "admin/deployModel"]),
            Just(vec!["*"]),
            Just(vec!["admin/*", "*Tokens"])
        ],
    );
    let terms = (
        maybe(0.5, some(&["search", "s*", "code"])),
        maybe(0.5, some(&["gs://a/", "gs://a/b/", "gs://c/d", "*"])),
        maybe(0.5, some(&["*", "r_*", "projects/p1/locations/*/x/*"])),
        maybe(0.4, some(&["gs://o/", "*"])),
        maybe(0.3, select(vec![10_u64, 100])),
    );
    let tiers = prop_oneof![some(&["dedicated", "shared", "priority", "flex"]), Just(vec!["*"])];
    let others = (maybe(0.2, select(vec![50_u64, 500])), maybe(0.4, tiers));
    (lists, terms, others, prop::bool::weighted(0.2)).prop_map(
        |((projects, locations, models, methods), terms, (max_request_bytes, tiers), unread)| {
            let (tools, file_uris, stored_state, output_uris, max_output_tokens) = terms;
            let may = match unread {
                true => json!({}),
                false => json!({
                    "tools": tools, "file_uris": file_uris, "stored_state": stored_state,
                    "output_uris": output_uris, "max_output_tokens": max_output_tokens,
                }),
            };
            let mut may = without_nulls(may);
            may["projects"] = json!(projects);
            may["locations"] = json!(locations);
            may["models"] = json!(models);
            may["methods"] = json!(methods);
            if let Some(tiers) = tiers {
                may["tiers"] = json!(tiers);
            }
            if let Some(most) = max_request_bytes {
                may["max_request_bytes"] = json!(most);
            }
            (may, unread)
        },
    )
}

/// Mostly few roles, at times so many that the index matters.
pub(crate) fn roles() -> impl Strategy<Value = Vec<Value>> {
    let kinds = prop_oneof![
        3 => who().boxed(),
        1 => prop::collection::vec(who(), 1..4).prop_map(Value::from).boxed(),
    ];
    let role = (kinds, may()).boxed();
    prop_oneof![4 => 1..8_usize, 1 => 40..80_usize]
        .prop_flat_map(move |count| prop::collection::vec(role.clone(), count))
        .prop_map(|roles| {
            let named = |(index, (who, (may, unread))): (usize, (Value, (Value, bool)))| {
                let body = unread.then_some("unread");
                let name = format!("r{index}");
                without_nulls(
                    json!({ "name": name, "who": who, "may": may, "body": body, "as": "ml-prod" }),
                )
            };
            roles.into_iter().enumerate().map(named).collect()
        })
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) issuer: &'static str,
    pub(crate) claims: Value,
    pub(crate) address: Option<&'static str>,
    pub(crate) certificate: Option<&'static str>,
    pub(crate) minute: i64,
    pub(crate) project: Option<&'static str>,
    pub(crate) location: &'static str,
    pub(crate) model: Option<(&'static str, &'static str)>,
    pub(crate) method: &'static str,
    pub(crate) tiers: (Option<&'static str>, Option<&'static str>),
    pub(crate) size: Option<u64>,
    pub(crate) takes_cap: bool,
    pub(crate) body: Option<Value>,
}

fn claim_value() -> impl Strategy<Value = Value> {
    let scalar = || {
        select(vec![
            json!("x"),
            json!("y"),
            json!("x y"),
            json!("xy"),
            json!(1),
            json!("1"),
            json!(true),
            Value::Null,
        ])
    };
    prop_oneof![scalar(), prop::collection::vec(scalar(), 0..3).prop_map(Value::from)]
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let claims = (
        select(vec!["s1", "s2", "s3"]),
        subsequence(&["g1", "g2", "g3"][..], 0..3),
        maybe(0.6, claim_value()),
        maybe(0.4, claim_value()),
        maybe(0.5, claim_value()),
    )
        .prop_map(|(sub, groups, c, nested, colon)| {
            let mut claims = json!({ "sub": sub, "groups": groups });
            if let Some(c) = c {
                claims["c"] = c;
            }
            if let Some(nested) = nested {
                claims["n"] = json!({ "c": nested });
            }
            if let Some(colon) = colon {
                claims["a:b"] = colon;
            }
            claims
        });
    let body = (
        subsequence(&["search", "code", "maps"][..], 0..2),
        subsequence(&["gs://a/x", "gs://a/b/x", "gs://c/d", "gs://a"][..], 0..2),
        subsequence(
            &["r_1", "f1", "projects/p1/locations/l1/x/1", "projects/q2/locations/l1/x/1"][..],
            0..2,
        ),
        subsequence(&["gs://o/x"][..], 0..=1),
        maybe(0.5, select(vec![5_u64, 50, 500])),
    )
        .prop_map(|(tools, file_uris, stored_state, output_uris, max_output_tokens)| {
            without_nulls(json!({
                "tools": tools, "file_uris": file_uris, "stored_state": stored_state,
                "output_uris": output_uris, "max_output_tokens": max_output_tokens,
            }))
        });
    let target = (
        maybe(0.9, select(vec!["p1", "p2", "q1", "q2"])),
        select(vec!["l1", "l2", "l3"]),
        maybe(0.9, (select(vec!["a", "b", "c"]), select(vec!["m1", "m2"]))),
        select(vec!["generateContent", "countTokens", "admin/deployModel"]),
        (
            maybe(0.15, select(vec!["dedicated", "shared", "flex", "turbo"])),
            maybe(0.15, select(vec!["priority", "flex", "shared", "*"])),
        ),
    );
    let from = (
        select(vec!["corp", "partner"]),
        claims,
        maybe(0.9, select(vec!["10.1.1.1", "11.1.1.1", "12.1.1.1"])),
        maybe(0.5, select(vec!["CN=a", "CN=b", "CN=z"])),
        0..7 * 24 * 60_i64,
    );
    (from, target, maybe(0.9, select(vec![10_u64, 100, 1000])), any::<bool>(), maybe(0.85, body))
        .prop_map(|(from, target, size, takes_cap, body)| {
            let (issuer, claims, address, certificate, minute) = from;
            let (project, location, model, method, tiers) = target;
            Request {
                issuer,
                claims,
                address,
                certificate,
                minute,
                project,
                location,
                model,
                method,
                tiers,
                size,
                takes_cap,
                body,
            }
        })
}
