//! Roles: deny by default, the first match decides, each list must match.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use haproxy_vertex::policy::{Ask, Caller, May, Members, Pattern, Policy, Role, Who};
use proptest::prelude::*;

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text)).collect()
}

fn everything() -> May {
    let all = || patterns(&["*"]);
    May { projects: all(), locations: all(), models: all(), methods: all() }
}

fn role(name: &str, members: Members, may: May) -> Role {
    let who = Who { issuer: "corp".to_owned(), members };
    Role { name: name.to_owned(), who, may, credential: 0 }
}

fn listed(groups: &[&str], subjects: &[&str]) -> Members {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Members::Listed { groups: owned(groups), subjects: owned(subjects) }
}

const ASK: Ask<'_> = Ask {
    project: "acme-ml",
    location: "us-central1",
    publisher: "google",
    model: "gemini-2.5-flash",
    method: "generateContent",
};

/// The name of the role that decides for this caller.
fn decided(policy: &Policy, issuer: &str, subject: &str, groups: &[&str], ask: Ask<'_>) -> String {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let candidates = policy.roles_of(Caller { issuer, subject, groups: &groups });
    policy.decide(&candidates, ask).map_or("-", |role| &role.name).to_owned()
}

#[test]
fn without_a_role_that_matches_nothing_is_allowed() {
    assert_eq!(decided(&Policy::new(Vec::new()), "corp", "alice", &["ml"], ASK), "-");
    let policy = Policy::new(vec![role("ml", listed(&["ml"], &["bob"]), everything())]);
    assert_eq!(decided(&policy, "corp", "alice", &["ml"], ASK), "ml");
    assert_eq!(decided(&policy, "corp", "bob", &[], ASK), "ml");
    assert_eq!(decided(&policy, "corp", "alice", &[], ASK), "-");
    assert_eq!(decided(&policy, "corp", "alice", &["ops"], ASK), "-");
}

#[test]
fn a_role_is_for_one_issuer_whatever_its_callers_are_called() {
    let policy = Policy::new(vec![
        role("listed", listed(&["ml"], &["alice"]), everything()),
        role("all", Members::Anyone, everything()),
    ]);
    assert_eq!(decided(&policy, "corp", "alice", &["ml"], ASK), "listed");
    assert_eq!(decided(&policy, "corp", "eve", &[], ASK), "all");
    for other in ["partner", "Corp", "", "corp "] {
        assert_eq!(decided(&policy, other, "alice", &["ml"], ASK), "-", "{other}");
    }
}

#[test]
fn groups_and_subjects_are_compared_exactly_and_never_with_each_other() {
    let policy = Policy::new(vec![role("ml", listed(&["ml"], &["alice"]), everything())]);
    for (subject, group) in [("Alice", "ML"), ("ml", "alice"), ("alice ", "ml "), ("*", "*")] {
        assert_eq!(decided(&policy, "corp", subject, &[group], ASK), "-", "{subject}");
    }
    let starred = Policy::new(vec![role("star", listed(&["*"], &["*"]), everything())]);
    assert_eq!(decided(&starred, "corp", "alice", &["ml"], ASK), "-");
    assert_eq!(decided(&starred, "corp", "alice", &["ops", "*"], ASK), "star");
}

#[test]
fn the_first_role_in_the_file_that_matches_decides() {
    let narrow = || May { models: patterns(&["google/gemini-2.5-flash"]), ..everything() };
    let wide = || May { models: patterns(&["google/*"]), ..everything() };
    let pro = Ask { model: "gemini-2.5-pro", ..ASK };
    let both = |first: Role, second: Role| Policy::new(vec![first, second]);
    let ml = || listed(&["ml"], &[]);
    let policy = both(role("narrow", ml(), narrow()), role("wide", ml(), wide()));
    assert_eq!(decided(&policy, "corp", "alice", &["ml"], ASK), "narrow");
    assert_eq!(decided(&policy, "corp", "alice", &["ml"], pro), "wide");
    let policy = both(role("wide", ml(), wide()), role("narrow", ml(), narrow()));
    assert_eq!(decided(&policy, "corp", "alice", &["ml"], ASK), "wide");
    // The order of the file counts, not that of the caller's groups or of subject before group.
    let policy = both(
        role("group", listed(&["ops", "ml"], &[]), wide()),
        role("subject", listed(&[], &["alice"]), wide()),
    );
    assert_eq!(decided(&policy, "corp", "alice", &["x", "ml"], ASK), "group");
    assert_eq!(decided(&policy, "corp", "alice", &["x"], ASK), "subject");
}

#[test]
fn each_list_of_a_role_must_match() {
    let may = || May {
        projects: patterns(&["acme-ml", "acme-test"]),
        locations: patterns(&["us-central1"]),
        models: patterns(&["google/gemini-2.5-*"]),
        methods: patterns(&["generateContent"]),
    };
    let policy = Policy::new(vec![role("ml", Members::Anyone, may())]);
    let allowed = |ask: Ask<'_>| decided(&policy, "corp", "alice", &[], ask) == "ml";
    assert!(allowed(ASK));
    assert!(allowed(Ask { project: "acme-test", ..ASK }));
    assert!(allowed(Ask { model: "gemini-2.5-", ..ASK }));
    for ask in [
        Ask { project: "acme", ..ASK },
        Ask { project: "acme-ml-2", ..ASK },
        Ask { location: "us-central2", ..ASK },
        Ask { location: "global", ..ASK },
        Ask { publisher: "anthropic", ..ASK },
        Ask { model: "gemini-2.0-flash", ..ASK },
        Ask { method: "streamGenerateContent", ..ASK },
        Ask { method: "countTokens", ..ASK },
    ] {
        assert!(!allowed(ask), "{ask:?}");
    }
    for empty in 0..4 {
        let mut may = may();
        match empty {
            0 => may.projects.clear(),
            1 => may.locations.clear(),
            2 => may.models.clear(),
            _ => may.methods.clear(),
        }
        let policy = Policy::new(vec![role("ml", Members::Anyone, may)]);
        assert_eq!(decided(&policy, "corp", "alice", &[], ASK), "-", "list {empty} is empty");
    }
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
}

#[test]
fn a_candidate_that_is_no_role_is_passed_over() {
    let policy = Policy::new(vec![role("ml", Members::Anyone, everything())]);
    assert!(policy.decide(&[5], ASK).is_none());
    assert_eq!(policy.decide(&[5, 0], ASK).map(|role| role.name.as_str()), Some("ml"));
}

proptest! {
    #[test]
    fn the_decision_is_the_first_role_that_allows_alone(
        roles in prop::collection::vec((0..4_usize, 0..4_usize, 0..3_usize), 0..8),
        groups in prop::collection::vec(0..4_usize, 0..3),
        location in 0..4_usize,
    ) {
        let names = ["a", "b", "c", "d"];
        let build = |(group, location, kind): (usize, usize, usize), name: String| {
            let members = match kind {
                0 => Members::Anyone,
                1 => listed(&[names[group]], &[]),
                _ => listed(&[], &[names[group]]),
            };
            role(&name, members, May { locations: patterns(&[names[location]]), ..everything() })
        };
        let groups: Vec<&str> = groups.iter().map(|group| names[*group]).collect();
        let ask = Ask { location: names[location], ..ASK };
        let whole = roles.iter().enumerate().map(|(i, r)| build(*r, i.to_string())).collect();
        let alone = roles.iter().enumerate().find_map(|(i, r)| {
            let policy = Policy::new(vec![build(*r, i.to_string())]);
            Some(decided(&policy, "corp", "c", &groups, ask)).filter(|name| name != "-")
        });
        let first = decided(&Policy::new(whole), "corp", "c", &groups, ask);
        prop_assert_eq!(first, alone.unwrap_or_else(|| "-".to_owned()));
    }
}

#[test]
fn a_misspelt_an_unused_and_a_missing_attribute_each_fail_the_run() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        comment: String,
    }
    named!(Case);
    let fails = |text: &'static str| {
        std::panic::catch_unwind(|| common::vectors::read::<Case>(text))
            .err()
            .map(|_| ())
            .ok_or(text)
    };
    assert_eq!(common::vectors::read::<Case>(r#"[{"name": "a", "comment": "b"}]"#).len(), 1);
    fails(r#"[{"name": "a", "coment": "b"}]"#).unwrap();
    fails(r#"[{"name": "a", "comment": "b", "also": 1}]"#).unwrap();
    fails(r#"[{"name": "a"}]"#).unwrap();
    fails(r#"[{"name": "a", "comment": "b"}, {"name": "a", "comment": "c"}]"#).unwrap();
}
