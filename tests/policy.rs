//! Roles: deny by default, the first match decides, each list must match.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use haproxy_vertex::json::Json;
use haproxy_vertex::policy::{
    Ask, AskedTiers, BodyTerms, Caller, Certificate, CertificateTest, Claim, ClaimPath, ClaimTest,
    Client, Contents, Day, Decision, May, ModelBeside, Network, Pattern, Place, Policy, Reading,
    Role, Scalar, Schedule, Term, Tier, UriPrefix, Who,
};
use haproxy_vertex::time::UnixTime;

/// Wednesday, 25 November 2026, 00:00 UTC.
const WEDNESDAY: UnixTime = UnixTime(1_795_564_800);

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text)).collect()
}

fn everything() -> May {
    let all = || patterns(&["*"]);
    May {
        projects: all(),
        locations: all(),
        models: all(),
        methods: vec![Pattern::of_segments("*")],
        tiers: Vec::new(),
        max_request_bytes: None,
        body: Some(BodyTerms::default()),
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn anyone() -> Who {
    Who { issuer: "corp".to_owned(), ..Who::default() }
}

fn group(name: &str) -> Who {
    Who { groups: Some(owned(&[name])), ..anyone() }
}

fn role(name: &str, who: &[Who], may: May) -> Role {
    Role { name: name.to_owned(), who: who.to_vec(), may, default: None, credential: 0, place: 0 }
}

const NOTHING: Contents<'_> = Contents {
    models: Vec::new(),
    tools: &[],
    file_uris: &[],
    stored_state: &[],
    secrets: &[],
    output_uris: &[],
    model_armor_templates: &[],
    max_output_tokens: None,
};

const HOME: Place<'_> = Place { project: Some("acme-ml"), location: "us-central1" };

const ASK: Ask<'_> = Ask {
    place: Some(HOME),
    model: Some(("google", "gemini-2.5-flash")),
    method: "generateContent",
    takes_cap: true,
    tiers: AskedTiers::NONE,
    size: Some(100),
    contents: Reading::Done(&NOTHING),
    client: None,
    wall: WEDNESDAY,
};

struct Someone<'c> {
    issuer: &'c str,
    subject: &'c str,
    groups: &'c [&'c str],
    claims: &'c str,
}

const ALICE: Someone<'_> =
    Someone { issuer: "corp", subject: "alice", groups: &["ml"], claims: "{}" };

impl Someone<'_> {
    /// The name of the role that decides, or what else comes of it.
    fn gets(&self, policy: &Policy, ask: Ask<'_>) -> String {
        let claims = Json::parse(self.claims.as_bytes()).unwrap();
        let groups = owned(self.groups);
        let caller =
            Caller { issuer: self.issuer, subject: self.subject, groups: &groups, claims: &claims };
        match policy.decide(&policy.grants_of(&caller), &ask) {
            Decision::Allow(role) => role.name.clone(),
            Decision::RoleNone => "-".to_owned(),
            Decision::Missed(missed) => format!("- {}", missed.term().name()),
            Decision::Unreadable => "unreadable".to_owned(),
            Decision::NeedClient => "peer".to_owned(),
            Decision::NeedContents => "body".to_owned(),
        }
    }
}

fn one(who: Who) -> Policy {
    Policy::new(vec![role("it", &[who], everything())])
}

#[test]
fn without_a_role_that_matches_nothing_is_allowed() {
    assert_eq!(ALICE.gets(&Policy::new(Vec::new()), ASK), "-");
    assert_eq!(ALICE.gets(&Policy::new(vec![role("nobody", &[], everything())]), ASK), "-");
    let policy = one(group("ml"));
    assert_eq!(ALICE.gets(&policy, ASK), "it");
    assert_eq!(Someone { groups: &["ops"], ..ALICE }.gets(&policy, ASK), "-");
    assert_eq!(Someone { groups: &[], ..ALICE }.gets(&policy, ASK), "-");
}

#[test]
fn all_of_a_description_must_hold_and_any_description_is_enough() {
    let both = Who { subjects: Some(owned(&["alice"])), ..group("ml") };
    for (subject, groups, expected) in [
        ("alice", &["ml"][..], "it"),
        ("alice", &["ops"], "-"),
        ("bob", &["ml"], "-"),
        ("ml", &["alice"], "-"),
        ("Alice", &["ml"], "-"),
        ("alice", &["ML"], "-"),
    ] {
        let someone = Someone { subject, groups, ..ALICE };
        assert_eq!(someone.gets(&one(both.clone()), ASK), expected, "{subject} {groups:?}");
    }
    let either = [group("ml"), Who { subjects: Some(owned(&["bob"])), ..anyone() }];
    let policy = Policy::new(vec![role("either", &either, everything())]);
    assert_eq!(ALICE.gets(&policy, ASK), "either");
    assert_eq!(Someone { subject: "bob", groups: &[], ..ALICE }.gets(&policy, ASK), "either");
    assert_eq!(Someone { subject: "eve", groups: &[], ..ALICE }.gets(&policy, ASK), "-");
}

#[test]
fn a_description_is_for_one_issuer_whatever_its_callers_are_called() {
    let partner = Who { issuer: "partner".to_owned(), ..group("ml") };
    let policy = Policy::new(vec![role("both", &[group("ml"), partner], everything())]);
    for (issuer, expected) in
        [("corp", "both"), ("partner", "both"), ("other", "-"), ("Corp", "-"), ("", "-")]
    {
        assert_eq!(Someone { issuer, ..ALICE }.gets(&policy, ASK), expected, "{issuer}");
    }
}

#[test]
fn claims_of_any_shape() {
    let text = |text: &str| Scalar::Text(text.to_owned());
    let any_word = |words: &[&str]| ClaimTest::AnyWordOf(owned(words));
    let table = [
        ("a", ClaimTest::Equals(text("x")), r#"{"a":"x"}"#, r#"{"a":"X"}"#),
        ("a", ClaimTest::Equals(text("x")), r#"{"a":["y","x"]}"#, r#"{"a":["y",["x"]]}"#),
        ("a", ClaimTest::Equals(text("1")), r#"{"a":"1"}"#, r#"{"a":1}"#),
        ("a", ClaimTest::Equals(text("true")), r#"{"a":"true"}"#, r#"{"a":true}"#),
        ("a", ClaimTest::Equals(text("x")), r#"{"a":"x"}"#, r#"{"b":"x"}"#),
        ("a", ClaimTest::Equals(text("x")), r#"{"a":"x"}"#, r#"{"a":{"x":"x"}}"#),
        ("a", ClaimTest::Equals(Scalar::Integer(7)), r#"{"a":7}"#, r#"{"a":7.5}"#),
        ("a", ClaimTest::Equals(Scalar::Integer(7)), r#"{"a":[7]}"#, r#"{"a":"7"}"#),
        ("a", ClaimTest::Equals(Scalar::Bool(true)), r#"{"a":true}"#, r#"{"a":1}"#),
        ("a", ClaimTest::AnyOf(vec![text("x"), text("y")]), r#"{"a":"y"}"#, r#"{"a":"z"}"#),
        ("a", ClaimTest::AnyOf(vec![text("x")]), r#"{"a":["x"]}"#, r#"{"a":[]}"#),
        ("a", ClaimTest::Pattern(Pattern::new("ml-*")), r#"{"a":"ml-1"}"#, r#"{"a":"ops-1"}"#),
        (
            "a",
            ClaimTest::Pattern(Pattern::new("r:o/*:m")),
            r#"{"a":"r:o/x:m"}"#,
            r#"{"a":"r:o/x/y:m"}"#,
        ),
        ("a", ClaimTest::Pattern(Pattern::new("*")), r#"{"a":"x/y"}"#, r#"{"a":1}"#),
        ("scope", any_word(&["use", "all"]), r#"{"scope":"read use"}"#, r#"{"scope":"reuse"}"#),
        ("scope", any_word(&["use"]), r#"{"scope":["use"]}"#, r#"{"scope":""}"#),
        ("a", ClaimTest::Absent, r"{}", r#"{"a":"x"}"#),
        ("a", ClaimTest::Absent, r#"{"b":1}"#, r#"{"a":null}"#),
        ("/a/b", ClaimTest::Equals(text("x")), r#"{"a":{"b":"x"}}"#, r#"{"/a/b":"x"}"#),
        ("/a/b", ClaimTest::Equals(text("x")), r#"{"a":{"b":["x"]}}"#, r#"{"a":[{"b":"x"}]}"#),
        ("/a/b", ClaimTest::Absent, r#"{"a":{"c":1}}"#, r#"{"a":{"b":1}}"#),
        ("x:y", ClaimTest::Equals(text("x")), r#"{"x:y":"x"}"#, r#"{"x":{"y":"x"}}"#),
        ("https://a/b", ClaimTest::Equals(text("x")), r#"{"https://a/b":"x"}"#, r"{}"),
    ];
    for (path, test, holds, fails) in table {
        let path = ClaimPath::parse(path).unwrap();
        let policy = one(Who { claims: vec![Claim { path, test }], ..anyone() });
        assert_eq!(Someone { claims: holds, ..ALICE }.gets(&policy, ASK), "it", "{holds}");
        assert_eq!(Someone { claims: fails, ..ALICE }.gets(&policy, ASK), "-", "{fails}");
    }
}

#[test]
fn networks_and_certificates_are_asked_for_only_where_a_role_depends_on_them() {
    let networks =
        ["10.0.0.0/8", "2001:db8::/32"].map(|text| Network::parse(text).unwrap()).to_vec();
    let inside = Who { networks: Some(networks), ..anyone() };
    let policy = Policy::new(vec![role("inside", &[inside], everything())]);
    assert_eq!(ALICE.gets(&policy, ASK), "peer");
    let elsewhere = Ask { place: Some(Place { location: "global", ..HOME }), ..ASK };
    let mut may = everything();
    may.locations = patterns(&["us-central1"]);
    let narrow = Policy::new(vec![role("narrow", &policy.roles()[0].who, may)]);
    assert_eq!(ALICE.gets(&narrow, elsewhere), "-");
    for (address, expected) in [
        (Some("10.255.0.1"), "inside"),
        (Some("::ffff:10.0.0.1"), "inside"),
        (Some("2001:db8::7"), "inside"),
        (Some("11.0.0.1"), "-"),
        (Some("2001:db9::7"), "-"),
        (None, "-"),
    ] {
        let client = Client { address: address.map(|a| a.parse().unwrap()), certificate: None };
        let ask = Ask { client: Some(&client), ..ASK };
        assert_eq!(ALICE.gets(&policy, ask), expected, "{address:?}");
    }
    let shown = Certificate { subject: "CN=app,O=Acme", sha256: "ab" };
    for (test, expected) in [
        (CertificateTest::Verified, "it"),
        (CertificateTest::Subjects(owned(&["CN=app,O=Acme"])), "it"),
        (CertificateTest::Subjects(owned(&["CN=app"])), "-"),
        (CertificateTest::Sha256(owned(&["ab", "cd"])), "it"),
        (CertificateTest::Sha256(owned(&["cd"])), "-"),
    ] {
        let policy = one(Who { certificate: Some(test.clone()), ..anyone() });
        let with = Client { address: None, certificate: Some(shown) };
        assert_eq!(ALICE.gets(&policy, Ask { client: Some(&with), ..ASK }), expected, "{test:?}");
        let without = Client { address: None, certificate: None };
        assert_eq!(ALICE.gets(&policy, Ask { client: Some(&without), ..ASK }), "-", "{test:?}");
    }
}

#[test]
fn times_are_looked_at_each_time() {
    let window = Schedule { days: vec![Day::Wed], from: 8 * 60, to: 18 * 60, utc_offset: 0 };
    let policy = one(Who { times: Some(vec![window]), ..anyone() });
    let at = |hours: i64| Ask { wall: UnixTime(WEDNESDAY.0 + hours * 3600), ..ASK };
    assert_eq!(ALICE.gets(&policy, at(7)), "-");
    assert_eq!(ALICE.gets(&policy, at(8)), "it");
    assert_eq!(ALICE.gets(&policy, at(18)), "-");
    assert_eq!(ALICE.gets(&policy, at(24 + 9)), "-");
}

#[test]
fn the_first_role_in_the_file_that_matches_decides() {
    let of = |models: &[&str]| May { models: patterns(models), ..everything() };
    let (narrow, wide) = (["google/gemini-2.5-flash"], ["google/*"]);
    let pro = Ask { model: Some(("google", "gemini-2.5-pro")), ..ASK };
    let policy = |first: (&str, &[&str]), second: (&str, &[&str])| {
        let role = |(name, models)| role(name, &[group("ml")], of(models));
        Policy::new(vec![role(first), role(second)])
    };
    let narrow_first = policy(("narrow", &narrow), ("wide", &wide));
    assert_eq!(ALICE.gets(&narrow_first, ASK), "narrow");
    assert_eq!(ALICE.gets(&narrow_first, pro), "wide");
    let wide_first = policy(("wide", &wide), ("narrow", &narrow));
    assert_eq!(ALICE.gets(&wide_first, ASK), "wide");
    // The order of the file counts, not that of the caller's groups or of subject before group.
    let both = Policy::new(vec![
        role("group", &[group("ops"), group("ml")], everything()),
        role("subject", &[Who { subjects: Some(owned(&["alice"])), ..anyone() }], everything()),
    ]);
    assert_eq!(Someone { groups: &["x", "ml"], ..ALICE }.gets(&both, ASK), "group");
    assert_eq!(Someone { groups: &["x"], ..ALICE }.gets(&both, ASK), "subject");
}

#[test]
fn each_list_of_a_role_must_match() {
    let may = || May {
        projects: patterns(&["acme-ml", "acme-test"]),
        locations: patterns(&["us-central1"]),
        models: patterns(&["google/gemini-2.5-*"]),
        methods: vec![Pattern::of_segments("generateContent")],
        ..everything()
    };
    let policy = Policy::new(vec![role("ml", &[anyone()], may())]);
    for (expected, ask) in [
        ("ml", ASK),
        ("ml", Ask { place: Some(Place { project: Some("acme-test"), ..HOME }), ..ASK }),
        ("ml", Ask { place: Some(Place { project: None, ..HOME }), model: None, ..ASK }),
        ("-", Ask { place: Some(Place { project: Some("acme"), ..HOME }), ..ASK }),
        ("-", Ask { place: Some(Place { project: Some("acme-ml-2"), ..HOME }), ..ASK }),
        ("-", Ask { place: Some(Place { location: "global", ..HOME }), ..ASK }),
        ("-", Ask { model: Some(("anthropic", "gemini-2.5-flash")), ..ASK }),
        ("-", Ask { model: Some(("google", "gemini-2.0-flash")), ..ASK }),
        ("-", Ask { method: "streamGenerateContent", ..ASK }),
    ] {
        assert_eq!(ALICE.gets(&policy, ask), expected, "{ask:?}");
    }
    for empty in 0..4 {
        let mut may = may();
        match empty {
            0 => may.projects.clear(),
            1 => may.locations.clear(),
            2 => may.models.clear(),
            _ => may.methods.clear(),
        }
        let policy = Policy::new(vec![role("ml", &[anyone()], may)]);
        assert_eq!(ALICE.gets(&policy, ASK), "-", "list {empty} is empty");
    }
}

#[test]
fn a_star_never_matches_the_classes_that_keep_or_change_something() {
    for (method, pattern, expected) in [
        ("generateContent", "*", "it"),
        ("stateful/cachedContents.create", "*", "-"),
        ("admin/deployModel", "*", "-"),
        ("stateful/cachedContents.create", "stateful/*", "it"),
        ("admin/deployModel", "stateful/*", "-"),
        ("admin/deployModel", "admin/*", "it"),
        ("admin/deployModel", "*/*", "it"),
        ("generateContent", "stateful/*", "-"),
        ("stateful/files.get", "stateful/cachedContents.*", "-"),
    ] {
        let may = May { methods: vec![Pattern::of_segments(pattern)], ..everything() };
        let policy = Policy::new(vec![role("it", &[anyone()], may)]);
        assert_eq!(ALICE.gets(&policy, Ask { method, ..ASK }), expected, "{method} {pattern}");
    }
}

/// A policy with one role of these terms.
fn with_terms(body: BodyTerms) -> Policy {
    Policy::new(vec![role("it", &[anyone()], May { body: Some(body), ..everything() })])
}

#[test]
fn what_a_body_asks_for_is_refused_unless_it_is_listed() {
    let nothing = BodyTerms::default;
    let state = |pattern: &str| BodyTerms { stored_state: patterns(&[pattern]), ..nothing() };
    let uris = |text: &str| vec![UriPrefix::parse(text).unwrap()];
    let texts = |text: &str| owned(&[text]);
    let (tool, file, template) = (texts("googlesearch"), texts("gs://acme/in/a"), texts("p/t"));
    let (mine, plain) =
        (texts("projects/acme-ml/locations/us-central1/cachedContents/1"), texts("resp_1"));
    let there = texts("projects/acme-ml/locations/global/cachedContents/1");
    let full = texts("//aiplatform.googleapis.com/projects/acme-ml/locations/us-central1/x/1");
    let channel = texts("projects/acme-ml/notificationChannels/1");
    let store = texts("projects/acme-ml/locations/eu/collections/c/dataStores/1");
    let secret = texts("projects/acme-ml/secrets/key/versions/1");
    for (contents, granting, term) in [
        (
            Contents { tools: &tool, ..NOTHING },
            BodyTerms { tools: patterns(&["google*"]), ..nothing() },
            Term::Tools,
        ),
        (
            Contents { file_uris: &file, ..NOTHING },
            BodyTerms { file_uris: uris("gs://acme/in/"), ..nothing() },
            Term::FileUris,
        ),
        (
            Contents { output_uris: &file, ..NOTHING },
            BodyTerms { output_uris: uris("gs://acme/in/"), ..nothing() },
            Term::OutputUris,
        ),
        (Contents { stored_state: &mine, ..NOTHING }, state("*"), Term::StoredState),
        (Contents { stored_state: &plain, ..NOTHING }, state("resp_*"), Term::StoredState),
        (Contents { stored_state: &channel, ..NOTHING }, state("*"), Term::StoredState),
        (Contents { stored_state: &store, ..NOTHING }, state("*"), Term::StoredState),
        (
            Contents { secrets: &secret, ..NOTHING },
            BodyTerms {
                secrets: patterns(&["projects/acme-ml/secrets/*/versions/*"]),
                ..nothing()
            },
            Term::Secrets,
        ),
        (
            Contents { model_armor_templates: &template, ..NOTHING },
            BodyTerms { model_armor_templates: patterns(&["p/*"]), ..nothing() },
            Term::ModelArmorTemplates,
        ),
    ] {
        let ask = Ask { contents: Reading::Done(&contents), ..ASK };
        assert_eq!(ALICE.gets(&with_terms(granting), ask), "it", "{contents:?}");
        let refused = format!("- {}", term.name());
        assert_eq!(ALICE.gets(&with_terms(nothing()), ask), refused, "{contents:?}");
    }
    let region = texts("projects/acme-ml/locations/europe-west1/collections/c/dataStores/1");
    let nowhere = texts("projects/acme-ml/reasoningEngines/1");
    for elsewhere in [&there, &full, &region, &nowhere] {
        let contents = Contents { stored_state: elsewhere, ..NOTHING };
        let ask = Ask { contents: Reading::Done(&contents), ..ASK };
        assert_eq!(ALICE.gets(&with_terms(state("*")), ask), "- stored_state", "{elsewhere:?}");
    }
    let mut may = May { body: Some(state("*")), ..everything() };
    may.projects = patterns(&["acme-ml"]);
    let policy = Policy::new(vec![role("it", &[anyone()], may)]);
    let others = texts("projects/other/locations/us-central1/cachedContents/1");
    let others_store = texts("projects/other/locations/eu/collections/c/dataStores/1");
    let others_channel = texts("projects/other/notificationChannels/1");
    for (name, expected) in [
        (&mine, "it"),
        (&store, "it"),
        (&channel, "it"),
        (&others, "- stored_state"),
        (&others_store, "- stored_state"),
        (&others_channel, "- stored_state"),
    ] {
        let contents = Contents { stored_state: name, ..NOTHING };
        let ask = Ask { contents: Reading::Done(&contents), ..ASK };
        assert_eq!(ALICE.gets(&policy, ask), expected, "{name:?}");
    }
}

#[test]
fn a_secret_is_no_stored_state_and_of_a_project_of_the_roles() {
    let every = || patterns(&["*"]);
    let [own, others] = ["acme-ml", "other"]
        .map(|project| owned(&[&format!("projects/{project}/secrets/key/versions/1")]));
    let gets = |terms: BodyTerms, secrets: &[String]| {
        let mut may = May { body: Some(terms), ..everything() };
        may.projects = patterns(&["acme-ml"]);
        let policy = Policy::new(vec![role("it", &[anyone()], may)]);
        let contents = Contents { secrets, ..NOTHING };
        ALICE.gets(&policy, Ask { contents: Reading::Done(&contents), ..ASK })
    };
    let state = BodyTerms { stored_state: every(), ..BodyTerms::default() };
    assert_eq!(gets(state, &own), "- secrets");
    let secrets = BodyTerms { secrets: every(), ..BodyTerms::default() };
    assert_eq!(gets(secrets.clone(), &own), "it");
    assert_eq!(gets(secrets, &others), "- secrets");
}

#[test]
fn a_model_beside_is_one_of_the_roles() {
    let mut may = May { body: Some(BodyTerms::default()), ..everything() };
    may.models = patterns(&["google/gemini-2.5-*"]);
    let policy = Policy::new(vec![role("it", &[anyone()], may)]);
    for (publisher, name, expected) in [
        ("google", "gemini-2.5-pro", "it"),
        ("google", "gemini-1.5-pro", "- models"),
        ("endpoints", "gemini-2.5-pro", "- models"),
        ("", "", "- models"),
    ] {
        let models = vec![ModelBeside { publisher, name, written: "x" }];
        let contents = Contents { models, ..NOTHING };
        let model = Some(("google", "gemini-2.5-flash"));
        let ask = Ask { model, contents: Reading::Done(&contents), ..ASK };
        assert_eq!(ALICE.gets(&policy, ask), expected, "{publisher}/{name}");
    }
}

#[test]
fn limits_are_held_and_must_be_set() {
    let policy = with_terms(BodyTerms { max_output_tokens: Some(1000), ..BodyTerms::default() });
    for (max_output_tokens, takes_cap, expected) in [
        (Some(1000), true, "it"),
        (Some(1001), true, "- max_output_tokens"),
        (None, true, "- max_output_tokens"),
        (None, false, "it"),
        (Some(1001), false, "- max_output_tokens"),
    ] {
        let contents = Contents { max_output_tokens, ..NOTHING };
        let ask = Ask { contents: Reading::Done(&contents), takes_cap, ..ASK };
        assert_eq!(ALICE.gets(&policy, ask), expected, "{max_output_tokens:?} {takes_cap}");
    }
    for body in [Some(BodyTerms::default()), None] {
        let may = May { max_request_bytes: Some(100), body, ..everything() };
        let policy = Policy::new(vec![role("it", &[anyone()], may)]);
        assert_eq!(ALICE.gets(&policy, ASK), "it");
        for size in [Some(101), None] {
            assert_eq!(ALICE.gets(&policy, Ask { size, ..ASK }), "- max_request_bytes");
        }
    }
}

#[test]
fn a_tier_is_had_by_roles_that_list_it_whatever_they_do_with_bodies() {
    let mut flex = AskedTiers::NONE;
    flex.add_shared_request_type("flex");
    let mut both = flex;
    both.add_request_type("shared");
    for body in [Some(BodyTerms::default()), None] {
        let of = |name: &str, tiers: &[Tier]| {
            let may = May { tiers: tiers.to_vec(), body: body.clone(), ..everything() };
            role(name, &[anyone()], may)
        };
        let policy = Policy::new(vec![of("none", &[]), of("flex", &[Tier::Flex])]);
        for (tiers, expected) in [(AskedTiers::NONE, "none"), (flex, "flex"), (both, "- tiers")] {
            assert_eq!(ALICE.gets(&policy, Ask { tiers, ..ASK }), expected);
            // It is known without the body.
            let ask = Ask { tiers, contents: Reading::Later, ..ASK };
            let unread = if body.is_some() && expected != "- tiers" { "body" } else { expected };
            assert_eq!(ALICE.gets(&policy, ask), unread);
        }
        let policy = Policy::new(vec![of("both", &[Tier::Flex, Tier::Shared])]);
        assert_eq!(ALICE.gets(&policy, Ask { tiers: both, ..ASK }), "both");
    }
}

#[test]
fn a_body_is_read_for_roles_that_need_it_and_never_for_those_that_do_not() {
    let reading = || role("reading", &[anyone()], everything());
    let unread = || role("unread", &[anyone()], May { body: None, ..everything() });
    let policy = |roles: Vec<Role>| Policy::new(roles);
    for (roles, contents, expected) in [
        (vec![unread()], Reading::Later, "unread"),
        (vec![unread()], Reading::Never, "unread"),
        (vec![reading()], Reading::Later, "body"),
        (vec![reading()], Reading::Never, "unreadable"),
        (vec![reading(), unread()], Reading::Never, "unread"),
        (vec![reading(), unread()], Reading::Later, "body"),
        (vec![unread(), reading()], Reading::Later, "unread"),
    ] {
        assert_eq!(ALICE.gets(&policy(roles), Ask { contents, ..ASK }), expected);
    }
    let tool = owned(&["googlesearch"]);
    let contents = Contents { tools: &tool, ..NOTHING };
    let ask = Ask { contents: Reading::Done(&contents), ..ASK };
    assert_eq!(ALICE.gets(&policy(vec![reading(), unread()]), ask), "unread");
}

#[test]
fn a_star_matches_within_a_name_and_models_are_publisher_and_name() {
    let table = [
        ("*", "google", "gemini", true),
        ("*/*", "google", "gemini", true),
        ("google/*", "google", "gemini", true),
        ("google/*", "google-x", "gemini", false),
        ("goo*/gemini", "google", "gemini", true),
        ("google/gem*i", "google", "gemini", true),
        ("google/*2*5*", "google", "gemini-2.5-pro", true),
        ("google/gemini", "google", "gemini", true),
        ("google/gemini", "google", "gemini-2", false),
        ("google/gemini", "googl", "e/gemini", false),
        ("google", "google", "gemini", false),
        ("goo*", "google", "gemini", false),
        ("*gemini", "google", "gemini", false),
        ("google/", "google", "gemini", false),
        ("google/*", "google", "", true),
        ("Google/*", "google", "gemini", false),
        ("google/gemini.*", "google", "gemini-2", false),
        ("google/gemin?", "google", "gemini", false),
        ("google/[a-z]*", "google", "gemini", false),
    ];
    for (pattern, publisher, model, expected) in table {
        let matched = Pattern::new(pattern).matches_pair(publisher, model);
        assert_eq!(matched, expected, "{pattern} {publisher}/{model}");
    }
}

#[test]
fn a_pattern_of_many_stars_costs_little() {
    let pattern = Pattern::new(&"*a".repeat(60));
    assert!(!pattern.matches(&"a".repeat(59)));
    assert!(pattern.matches(&"a".repeat(128)));
    assert!(!pattern.matches(&("a".repeat(127) + "b")));
    assert!(pattern.overlaps(&Pattern::new(&"a*".repeat(60))));
}

#[test]
fn a_number_that_is_no_grant_is_passed_over() {
    let policy = one(anyone());
    assert!(matches!(policy.decide(&[5], &ASK), Decision::RoleNone));
    assert!(matches!(policy.decide(&[5, 0], &ASK), Decision::Allow(role) if role.name == "it"));
}
