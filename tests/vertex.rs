//! The closed grammar of URLs, and the hosts behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::gateway::URL;
use common::vectors::{expect, run};
use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Alt, Api, Model, Query, Route, Target, host_of, respell, routes};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    comment: String,
    http_method: String,
    url: String,
    expect: String,
    /// What is sent to Google; empty for a refusal.
    renders: String,
}
named!(Case);

#[test]
fn each_name_has_one_spelling_and_every_other_is_refused() {
    run::<Case>(include_str!("vectors/urls.json"), |case| {
        let url = respell(&case.url);
        let parsed = Target::parse(&case.http_method, &url).map(|t| t.at("acme-ml", "us-central1"));
        let rendered = parsed.as_ref().map_or_else(|_| String::new(), |target| target.to_string());
        expect(parsed, &case.expect)?;
        match rendered == case.renders {
            true => Ok(()),
            false => Err(format!("renders as {rendered}")),
        }
    });
}

#[test]
fn a_target_has_the_parts_of_its_url() {
    let target = Target::parse("POST", URL).unwrap();
    let Target { version, project, location, .. } = target;
    assert_eq!((version, project, location), ("v1", Some("acme-ml"), "us-central1"));
    assert_eq!(target.model, Some(Model { publisher: "google", name: "gemini-2.5-flash" }));
    assert_eq!(
        (target.route.method.as_str(), &target.query),
        ("generateContent", &Query::default())
    );
    assert_eq!(host_of(target.location, "googleapis.com"), "us-central1-aiplatform.googleapis.com");
}

#[test]
fn each_location_has_its_host() {
    for (location, host) in [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("me-central2", "me-central2-aiplatform.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
        // A location that Google does not have leads nowhere, and surely not elsewhere.
        ("evil", "evil-aiplatform.googleapis.com"),
    ] {
        assert_eq!(host_of(location, "googleapis.com"), host);
        let url = URL.replace("us-central1", location);
        assert_eq!(Target::parse("POST", &url).unwrap().location, location);
    }
}

/// Pieces that URLs are made of, right ones and crooked ones.
fn piece() -> impl Strategy<Value = String> {
    let plain = [
        "/",
        "v1",
        "v1beta1",
        "projects",
        "acme-ml",
        "locations",
        "us-central1",
        "global",
        "publishers",
        "google",
        "models",
        "gemini-2.5-flash",
        ":",
        "generateContent",
        "streamGenerateContent",
        "?",
        "alt=sse",
        "$alt=json",
        "%24alt=json",
        "..",
        ".",
        "%2F",
        ";",
        "#",
        "@",
        "\\",
        "//",
    ];
    prop_oneof![prop::sample::select(plain.map(str::to_owned).to_vec()), ".{0,3}"]
}

/// URLs of the right shape with names of any text, mostly acceptable ones.
fn shaped() -> impl Strategy<Value = String> {
    let version = prop::sample::select(vec!["v1", "v1beta1"]);
    let verbs = vec!["generateContent", "streamGenerateContent", "countTokens", "rawPredict"];
    let verb = prop::sample::select(verbs);
    let query = prop::sample::select(vec![
        "",
        "",
        "?alt=sse",
        "?alt=json",
        "?$alt=sse",
        "?%24alt=json%3Benum-encoding%3Dint",
    ]);
    let name = || "[a-z0-9-]{1,20}";
    (version, name(), name(), name(), "[A-Za-z0-9._@-]{1,30}", verb, query).prop_map(
        |(version, project, location, publisher, model, verb, query)| {
            format!(
                "/{version}/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:{verb}{query}"
            )
        },
    )
}

/// Whatever is accepted means the same after it was written anew, and a second time nothing
/// changes at all.
fn renders_to_itself(url: &str) -> Result<(), TestCaseError> {
    let spelled = respell(url);
    let Ok(target) = Target::parse("POST", &spelled) else {
        return Ok(());
    };
    if target.api != Api::Vertex {
        return Ok(());
    }
    let rendered = target.to_string();
    let again = Target::parse("POST", &rendered);
    prop_assert_eq!(again.clone(), Ok(target));
    prop_assert_eq!(again.map(|target| target.to_string()), Ok(rendered.clone()));
    let (path, query) = rendered.split_once('?').unwrap_or((&rendered, ""));
    prop_assert_eq!(Some(path), spelled.split('?').next());
    prop_assert!(["", "alt=sse", "alt=json", "$alt=json;enum-encoding=int"].contains(&query));
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_renders_to_itself(url in "\\PC*") {
        renders_to_itself(&url)?;
    }

    #[test]
    fn any_row_of_pieces_renders_to_itself(pieces in prop::collection::vec(piece(), 0..24)) {
        renders_to_itself(&pieces.concat())?;
    }

    #[test]
    fn an_accepted_url_renders_to_itself(url in shaped()) {
        renders_to_itself(&url)?;
    }

    #[test]
    fn a_byte_changed_in_an_accepted_url_still_renders_to_itself(
        url in shaped(),
        at in any::<prop::sample::Index>(),
        byte in any::<char>(),
    ) {
        let mut changed: Vec<char> = url.chars().collect();
        let at = at.index(changed.len());
        changed[at] = byte;
        renders_to_itself(&changed.into_iter().collect::<String>())?;
    }

    #[test]
    fn only_post_is_routed(method in "[A-Za-z]{0,8}") {
        let outcome = Target::parse(&method, URL);
        prop_assert_eq!(outcome.is_ok(), method == "POST");
        prop_assert!(outcome.is_ok() || outcome == Err(Reason::RouteUnknown), "{:?}", outcome);
    }
}

#[test]
fn enough_of_the_shaped_urls_are_accepted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let accepted = (0..200)
        .filter(|_| {
            let url = shaped().new_tree(&mut runner).unwrap().current();
            Target::parse("POST", &url).is_ok()
        })
        .count();
    assert!(accepted > 100, "{accepted} of 200");
}

#[test]
fn lists_and_updates_have_parameters_of_their_own() {
    let list = "/v1beta1/projects/acme-ml/locations/us-central1/cachedContents";
    let one = format!("{list}/123");
    for (http_method, url, accepted) in [
        ("GET", format!("{list}?pageSize=10&pageToken=a%2Fb"), true),
        ("GET", format!("{list}?filter=labels.tune-type:*"), true),
        ("GET", format!("{list}?pageSize=10&pageSize=20"), false),
        ("GET", format!("{list}?alt=json&pageSize=10"), true),
        ("GET", format!("{list}?pageSize=10&alt=json&$alt=json"), false),
        ("GET", format!("{list}?pageSize=10&fields=name"), false),
        ("GET", format!("{list}?pageSize"), false),
        ("GET", format!("{list}?pageSize=1%0a"), false),
        ("GET", format!("{list}?pageSize=1%2"), false),
        ("GET", format!("{list}?pageSize=1|2"), false),
        ("PATCH", format!("{one}?updateMask=ttl"), true),
        ("GET", format!("{one}?updateMask=ttl"), false),
        ("POST", format!("{list}?pageSize=10"), false),
        ("POST", format!("{list}?alt=sse"), false),
    ] {
        let parsed = Target::parse(http_method, &url);
        assert_eq!(parsed.is_ok(), accepted, "{http_method} {url}: {parsed:?}");
        if let Ok(target) = parsed {
            assert_eq!(target.to_string(), url);
        } else {
            assert_eq!(parsed.unwrap_err(), Reason::QueryNotAllowed, "{url}");
        }
    }
    let streamed = URL.replace(":generateContent", ":streamRawPredict?alt=sse");
    assert_eq!(Target::parse("POST", &streamed).unwrap().query.alt, Some(Alt::Sse));
}

/// A route's path with these names, of one version or another.
fn path_of(route: &Route, version: prop::sample::Index, names: &[String]) -> String {
    let version = version.get(&route.versions);
    let mut names = names.iter();
    let segments = route.path.split('/').map(|segment| {
        let (name, verb) = segment.split_once('}').unwrap_or((segment, ""));
        let name = if name.starts_with('{') { names.next().unwrap() } else { name };
        format!("{name}{verb}")
    });
    format!("/{version}{}", segments.collect::<Vec<_>>().join("/"))
}

/// Names that all variables can have.
fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z0-9-]{1,8}", 6)
}

fn route() -> impl Strategy<Value = &'static Route> {
    prop::sample::select(routes().iter().collect::<Vec<_>>())
}

/// Ways in which a text can stand for the same as another one, to some reader.
#[derive(Clone, Debug)]
enum Respelling {
    Insert(&'static str),
    Escape,
    OtherCase,
    Drop,
    Double,
}

fn respelling() -> impl Strategy<Value = Respelling> {
    let inserted = [
        ":", "::", "/", "//", "/.", "/..", "./", "../", ".", "%2F", "%2f", "%3A", "%3a", "%2e",
        "%40", "@", ";", ";v=1", "\\", "%00", "%25", "%", "+", "~", "*", "_", "#", " ", "\u{e9}",
        "\u{ff0f}",
    ];
    prop_oneof![
        3 => prop::sample::select(inserted.to_vec()).prop_map(Respelling::Insert),
        1 => Just(Respelling::Escape),
        1 => Just(Respelling::OtherCase),
        1 => Just(Respelling::Drop),
        1 => Just(Respelling::Double),
    ]
}

impl Respelling {
    fn of(&self, path: &str, at: prop::sample::Index) -> String {
        // The end is as likely as all other places together.
        let at = at.index(2 * path.len()).min(path.len() - 1);
        let (before, rest) = path.split_at(at);
        let (one, behind) = rest.split_at(1);
        match self {
            Self::Insert(text) if behind.is_empty() => format!("{path}{text}"),
            Self::Insert(text) => format!("{before}{text}{rest}"),
            Self::Escape => format!("{before}%{:02X}{behind}", one.as_bytes()[0]),
            Self::OtherCase if one.to_lowercase() == one => {
                format!("{before}{}{behind}", one.to_uppercase())
            }
            Self::OtherCase => format!("{before}{}{behind}", one.to_lowercase()),
            Self::Drop => format!("{before}{behind}"),
            Self::Double => format!("{before}{one}{rest}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn a_path_that_is_routed_is_byte_for_byte_the_one_that_is_written(
        route in route(),
        version in any::<prop::sample::Index>(),
        names in names(),
        changes in prop::collection::vec((respelling(), any::<prop::sample::Index>()), 0..3),
    ) {
        let path = path_of(route, version, &names);
        let path = changes.iter().fold(path, |path, (change, at)| match path.is_ascii() {
            true => change.of(&path, *at),
            false => path,
        });
        let url = respell(&path);
        let parsed = Target::parse(route.http_method, &url);
        prop_assert!(parsed.is_ok() || !changes.is_empty(), "{path} is refused");
        if let Ok(target) = parsed.map(|target| target.at("acme-ml", "us-central1"))
            && target.api == Api::Vertex
        {
            // The one escape that stands for something: clients write it in a model's version.
            prop_assert_eq!(target.to_string(), path.replace("%40", "@"));
        }
    }
}

#[test]
fn no_route_has_a_second_spelling_at_its_end() {
    let names = ["one", "two", "three", "four", "five", "six"].map(str::to_owned);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let version = any::<prop::sample::Index>().new_tree(&mut runner).unwrap().current();
    for route in routes() {
        let path = path_of(route, version, &names);
        let honest =
            Target::parse(route.http_method, &path).unwrap_or_else(|e| panic!("{path}: {e:?}"));
        assert_eq!((honest.to_string(), honest.route), (path.clone(), route));
        for ending in [
            ":",
            "::",
            ":/",
            "/",
            "//",
            "/.",
            "/:",
            ".",
            ":.",
            "%3A",
            "%3a",
            "%2F",
            "%20",
            "%00",
            ";",
            "#",
            " ",
            "?",
            "?&",
            "?=",
            "?alt",
            "?alt=",
            "?alt=json&",
            "?&alt=json",
            "?alt=json&alt=json",
            "?alt=json&$alt=json",
            "?ALT=json",
            "?%61lt=json",
            "?alt=JSON",
            "?alt=json?alt=json",
            "?alt=json#",
            "?alt=%6Ason",
        ] {
            let url = format!("{path}{ending}");
            let parsed = Target::parse(route.http_method, &url);
            // A dot may end a name, which then is another one.
            let other_name = ending == "." && parsed.as_ref().is_ok_and(|it| it.to_string() == url);
            assert!(parsed.is_err() || other_name, "{} {url}: {parsed:?}", route.http_method);
        }
    }
}

#[test]
fn a_query_in_another_order_or_with_escapes_leaves_in_one_spelling() {
    let list = "/v1/projects/acme-ml/locations/us-central1/cachedContents";
    for (query, leaves) in [
        ("alt=json", "alt=json"),
        ("$alt=json", "alt=json"),
        ("%24alt=json", "alt=json"),
        ("$alt=json%3Benum-encoding%3Dint", "$alt=json;enum-encoding=int"),
        ("pageSize=1&alt=json", "alt=json&pageSize=1"),
        ("pageSize=1&pageToken=a", "pageSize=1&pageToken=a"),
        ("pageToken=a&pageSize=1", "pageToken=a&pageSize=1"),
    ] {
        let url = format!("{list}?{query}");
        assert_eq!(Target::parse("GET", &url).unwrap().to_string(), format!("{list}?{leaves}"));
    }
}
