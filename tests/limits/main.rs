//! Limits: the last request that passes beside the first that is refused, windows and clocks,
//! settling, many threads, and random sequences against a slow model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../common/mod.rs"]
mod common;
mod keys;
mod model;
mod random;
mod threads;

use common::keys::SigningKey;
use common::settings::{Files, minimal};
use common::{START, at};
use haproxy_vertex::error::Reason;
use haproxy_vertex::limits::{
    Amounts, BudgetKey, DEFAULT_RESERVE_TOKENS, Exhausted, Limit, Limits, Per, Rules, What, Window,
};
use haproxy_vertex::time::UnixTime;
use serde_json::{Value, json};

/// A digest, as the gateway makes one of issuer and subject.
pub(crate) fn principal(number: u64) -> u128 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let half = |half: u8| {
        let mut hasher = DefaultHasher::new();
        (half, number).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}

pub(crate) fn alice() -> BudgetKey<'static> {
    BudgetKey { role: 0, principal: principal(1), model: "google/gemini-2.5-flash" }
}

/// What a configuration says: these members put into the first role, and these at the top.
fn rules(role: Value, top: Value) -> Rules {
    let mut settings = minimal();
    let mut second = settings["roles"][0].clone();
    second["name"] = json!("others");
    settings["roles"].as_array_mut().unwrap().push(second);
    for (place, members) in [("/roles/0", role), ("", top)] {
        let object = settings.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.extend(members.as_object().unwrap().clone());
    }
    let files = Files::new(&SigningKey::ed());
    files.load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}")).limits
}

/// The first role has these limits.
fn limits(role: Value) -> Limits {
    Limits::new(rules(json!({ "limits": role }), json!({})))
}

fn refused(limits: &Limits, who: BudgetKey<'_>, tokens: u64, secs: i64) -> Exhausted {
    limits.reserve(who, tokens, at(secs)).expect_err("a refusal")
}

fn passes(limits: &Limits, who: BudgetKey<'_>, tokens: u64, secs: i64) {
    let reservation = limits.reserve(who, tokens, at(secs)).expect("room");
    limits.settle(reservation, tokens, at(secs));
}

/// What is used of the only amount of the only limit.
fn used(limits: &Limits, secs: i64) -> u64 {
    let all = limits.lookup(alice(), at(secs));
    let [(_, amounts)] = all.as_slice() else { panic!("{all:?}") };
    let [usage] = amounts.as_slice() else { panic!("{amounts:?}") };
    usage.used
}

#[test]
fn the_configuration_says_which_limits_there_are() {
    let role = json!({
        "limits": [{ "tokens_per_hour": 9 }, { "per": "principal", "parallel_requests": 4 },
                   { "per": ["model", "principal"], "requests_per_minute": 6, "requests_per_hour": 60 }],
        "reserve_tokens": 77
    });
    let top = json!({ "limits": { "per": "role", "tokens_per_minute": 3 } });
    let rules = rules(role, top);
    let per = |role, principal, model| Per { role, principal, model };
    let limit = |pointer: &str, per, amounts| Limit { pointer: pointer.to_owned(), per, amounts };
    let none = Amounts::default();
    assert_eq!(
        rules.gateway.as_slice(),
        [limit("/limits", per(true, false, false), Amounts { tokens_per_minute: Some(3), ..none })]
    );
    assert_eq!(
        rules.roles[0].limits.as_slice(),
        [
            limit(
                "/roles/0/limits/0",
                Per::default(),
                Amounts { tokens_per_hour: Some(9), ..none }
            ),
            limit(
                "/roles/0/limits/1",
                per(false, true, false),
                Amounts { parallel_requests: Some(4), ..none }
            ),
            limit(
                "/roles/0/limits/2",
                per(false, true, true),
                Amounts { requests_per_minute: Some(6), requests_per_hour: Some(60), ..none }
            ),
        ]
    );
    assert_eq!(rules.roles[1].limits.as_slice(), []);
    let limits = Limits::new(rules);
    assert_eq!((limits.reserve_tokens(0), limits.reserve_tokens(1)), (77, DEFAULT_RESERVE_TOKENS));
    assert!(!limits.is_empty_for(0) && !limits.is_empty_for(1), "the gateway's counts both");
    assert_eq!(limits.pointer(0), "/limits");
    assert_eq!(limits.pointer(3), "/roles/0/limits/2");
}

#[test]
fn a_role_without_limits_has_none() {
    let limits = limits(json!({ "requests_per_hour": 1 }));
    assert!(!limits.is_empty_for(0) && limits.is_empty_for(1));
    let other = BudgetKey { role: 1, ..alice() };
    for _ in 0..3 {
        let reservation = limits.reserve(other, u64::MAX, at(0)).unwrap();
        assert!(reservation.is_empty());
        limits.settle(reservation, u64::MAX, at(0));
    }
    passes(&limits, alice(), 0, 0);
    assert!(limits.reserve(alice(), 0, at(0)).is_err());
    let none = Limits::new(rules(json!({}), json!({})));
    assert!(none.is_empty_for(0) && none.is_empty_for(1) && none.is_empty_for(9));
}

#[test]
fn the_last_request_of_a_minute_passes_and_the_next_is_refused() {
    let limits = limits(json!({ "requests_per_minute": 3 }));
    for _ in 0..3 {
        passes(&limits, alice(), 1_000_000, 5);
    }
    let exhausted = refused(&limits, alice(), 0, 5);
    assert_eq!(exhausted.reason(), Reason::LimitRequests);
    assert_eq!((exhausted.what, exhausted.window), (What::Requests, Some(Window::Minute)));
    assert_eq!((exhausted.limit, exhausted.remaining, exhausted.never), (3, 0, false));
    assert_eq!(exhausted.retry_after_secs, 55);
    assert_eq!(exhausted.reset, UnixTime(START + 60));
    assert_eq!(limits.pointer(exhausted.rule), "/roles/0/limits");
    assert_eq!(
        exhausted.message(),
        "too many requests: all 3 requests a minute are used; try again in 55 s"
    );
    assert_eq!(refused(&limits, alice(), 0, 59).retry_after_secs, 1);
    passes(&limits, alice(), 0, 60);
}

#[test]
fn the_last_token_of_an_hour_passes_and_one_more_is_refused() {
    let limits = limits(json!({ "tokens_per_hour": 1000 }));
    passes(&limits, alice(), 900, 0);
    let exhausted = refused(&limits, alice(), 101, 1);
    assert_eq!(exhausted.reason(), Reason::LimitTokens);
    assert_eq!((exhausted.limit, exhausted.remaining, exhausted.wanted), (1000, 100, 101));
    assert_eq!(exhausted.retry_after_secs, 3599);
    passes(&limits, alice(), 100, 1);
    // A request that needs none still passes.
    passes(&limits, alice(), 0, 1);
    refused(&limits, alice(), 1, 3599);
    passes(&limits, alice(), 1000, 3600);
}

#[test]
fn as_many_are_in_flight_as_allowed_and_one_more_when_one_has_ended() {
    let limits = limits(json!({ "parallel_requests": 2 }));
    let one = limits.reserve(alice(), 5, at(0)).unwrap();
    let two = limits.reserve(alice(), 5, at(0)).unwrap();
    let exhausted = refused(&limits, alice(), 5, 0);
    assert_eq!(exhausted.reason(), Reason::LimitParallel);
    assert_eq!((exhausted.window, exhausted.limit, exhausted.remaining), (None, 2, 0));
    assert_eq!(exhausted.retry_after_secs, 1);
    // However long it takes.
    refused(&limits, alice(), 5, 7200);
    limits.settle(one, 5, at(7200));
    passes(&limits, alice(), 5, 7200);
    limits.settle(two, 5, at(7200));
}

#[test]
fn what_is_larger_than_the_whole_budget_is_told_that_it_never_passes() {
    let limits =
        limits(json!([{ "tokens_per_minute": 1000 }, { "per": "model", "tokens_per_hour": 5000 }]));
    let never = refused(&limits, alice(), 1001, 0);
    assert!(never.never && never.window == Some(Window::Minute));
    assert!(never.message().contains("1001, which is more than all 1000 tokens a minute"));
    // It goes before what has only to be waited for, however long.
    passes(&limits, alice(), 1000, 0);
    for minute in 1..5 {
        passes(&limits, alice(), 1000, minute * 60);
    }
    let hour = refused(&limits, alice(), 1000, 300);
    assert_eq!((hour.never, hour.window), (false, Some(Window::Hour)));
    let never = refused(&limits, alice(), 1001, 300);
    assert_eq!((never.never, never.window), (true, Some(Window::Minute)));
}

#[test]
fn of_several_limits_the_one_to_be_waited_for_longest_is_told() {
    let limits = limits(json!({ "requests_per_minute": 1, "tokens_per_hour": 10 }));
    passes(&limits, alice(), 10, 0);
    let exhausted = refused(&limits, alice(), 1, 0);
    assert_eq!((exhausted.what, exhausted.retry_after_secs), (What::Tokens, 3600));
    let exhausted = refused(&limits, alice(), 0, 0);
    assert_eq!((exhausted.what, exhausted.retry_after_secs), (What::Requests, 60));
}

#[test]
fn every_limit_takes_a_reservation_or_none_does() {
    let limits = limits(
        json!([{ "requests_per_hour": 10 }, { "per": "principal", "tokens_per_hour": 100 }]),
    );
    passes(&limits, alice(), 100, 0);
    for _ in 0..20 {
        refused(&limits, alice(), 1, 0);
    }
    // The refusals took none of the requests.
    let bob = BudgetKey { principal: principal(2), ..alice() };
    for _ in 0..9 {
        passes(&limits, bob, 1, 0);
    }
    assert_eq!(refused(&limits, bob, 1, 0).what, What::Requests);
}

#[test]
fn each_key_has_its_own_budget() {
    let bob = BudgetKey { principal: principal(2), ..alice() };
    let pro = BudgetKey { model: "google/gemini-2.5-pro", ..alice() };
    let other = BudgetKey { role: 1, ..alice() };
    let keys = [
        (json!([]), [false, false, false]),
        (json!("principal"), [true, false, false]),
        (json!("model"), [false, true, false]),
        (json!("role"), [false, false, true]),
        (json!(["principal", "model"]), [true, true, false]),
        (json!(["role", "principal"]), [true, false, true]),
        (json!(["role", "model"]), [false, true, true]),
    ];
    for (per, apart) in keys {
        let mut limit = json!({ "requests_per_hour": 1 });
        if per != json!([]) {
            limit["per"] = per.clone();
        }
        for (who, apart) in [bob, pro, other].into_iter().zip(apart) {
            let limits = Limits::new(rules(json!({}), json!({ "limits": limit })));
            passes(&limits, alice(), 1, 0);
            refused(&limits, alice(), 1, 0);
            assert_eq!(limits.reserve(who, 1, at(0)).is_ok(), apart, "{per} {who:?}");
        }
    }
}

#[test]
fn what_was_reserved_too_much_comes_back_and_what_was_too_little_is_charged() {
    let limits = limits(json!({ "tokens_per_hour": 1000 }));
    let reservation = limits.reserve(alice(), 800, at(0)).unwrap();
    assert_eq!((reservation.tokens(), used(&limits, 0)), (800, 800));
    limits.settle(reservation, 300, at(10));
    assert_eq!(used(&limits, 10), 300);
    let reservation = limits.reserve(alice(), 100, at(20)).unwrap();
    limits.settle(reservation, 900, at(30));
    assert_eq!(used(&limits, 30), 1200);
    // Nothing passes any more, not even what needs nothing.
    refused(&limits, alice(), 0, 30);
    passes(&limits, alice(), 1000, 3600);
}

#[test]
fn after_its_window_a_request_gets_nothing_back_and_pays_what_it_lacked() {
    let limits = limits(json!({ "tokens_per_minute": 1000 }));
    let much = limits.reserve(alice(), 600, at(59)).unwrap();
    let little = limits.reserve(alice(), 100, at(59)).unwrap();
    limits.settle(much, 0, at(60));
    assert_eq!(used(&limits, 60), 0);
    limits.settle(little, 350, at(61));
    assert_eq!(used(&limits, 61), 250);
    // And the window that has passed is no more.
    assert_eq!(used(&limits, 120), 0);
}

#[test]
fn windows_begin_with_the_minute_and_the_hour_of_the_clock() {
    // The tests begin at 08:00:00.
    let limits = limits(json!({ "requests_per_minute": 1, "requests_per_hour": 3 }));
    for secs in [3595, 3600, 3660, 3720] {
        passes(&limits, alice(), 0, secs);
        refused(&limits, alice(), 0, secs);
    }
    assert_eq!(refused(&limits, alice(), 0, 3780).window, Some(Window::Hour));
    assert_eq!(refused(&limits, alice(), 0, 3780).retry_after_secs, 7200 - 3780);
}

#[test]
fn a_clock_that_is_set_back_opens_no_window_again() {
    let limits = limits(json!({ "tokens_per_minute": 100 }));
    passes(&limits, alice(), 90, 59);
    passes(&limits, alice(), 90, 60);
    // Five seconds back: the window that counted last counts on.
    for secs in [55, 59, 60, 119] {
        assert_eq!(used(&limits, secs), 90, "{secs}");
        refused(&limits, alice(), 11, secs);
    }
    assert_eq!(refused(&limits, alice(), 11, 55).retry_after_secs, 65);
    passes(&limits, alice(), 10, 55);
    refused(&limits, alice(), 1, 60);
    passes(&limits, alice(), 100, 120);
}

#[test]
fn nor_does_it_for_a_key_that_could_have_made_room() {
    let limits = limits(json!({ "per": "principal", "requests_per_hour": 1 }));
    passes(&limits, alice(), 0, 3599);
    for (number, secs) in (10..20_000).zip(3600..) {
        let who = BudgetKey { principal: principal(number), ..alice() };
        passes(&limits, who, 0, secs % 60 + 3600);
    }
    assert_eq!(refused(&limits, alice(), 0, 3599).what, What::Requests);
}

#[test]
fn a_clock_that_went_far_ahead_locks_nobody_for_longer_than_a_window() {
    let limits = limits(json!({ "tokens_per_minute": 100 }));
    passes(&limits, alice(), 90, 86_400);
    // Back by a day: what was used stays used, for the rest of this minute.
    assert_eq!(used(&limits, 10), 90);
    assert_eq!(refused(&limits, alice(), 11, 10).retry_after_secs, 50);
    passes(&limits, alice(), 10, 10);
    passes(&limits, alice(), 100, 60);
    // Refusals alone follow the clock, too.
    passes(&limits, alice(), 100, 86_400);
    refused(&limits, alice(), 1, 130);
    passes(&limits, alice(), 1, 180);
    // No clock is so wrong that it stops the gateway.
    for wall in [i64::MIN, -1, 0, i64::MAX] {
        let mut now = at(60);
        now.wall = UnixTime(wall);
        let outcome = limits.reserve(alice(), 1, now);
        if let Ok(reservation) = outcome {
            limits.settle(reservation, u64::MAX, now);
        }
    }
}

#[test]
fn a_request_settled_behind_a_step_of_the_clock_takes_nothing_from_others() {
    let limits = limits(json!({ "tokens_per_minute": 100 }));
    let ahead = limits.reserve(alice(), 50, at(86_400)).unwrap();
    passes(&limits, alice(), 40, 10);
    assert_eq!(used(&limits, 10), 90);
    // Its window is no more, so it gets nothing back.
    limits.settle(ahead, 0, at(11));
    assert_eq!(used(&limits, 11), 90);
}

#[test]
fn figures_say_how_full_each_limit_is() {
    let role = json!([{ "per": "principal", "tokens_per_hour": 1000, "requests_per_minute": 100 }, { "parallel_requests": 8 }]);
    let limits = limits(role);
    passes(&limits, alice(), 100, 0);
    let bob = BudgetKey { principal: principal(2), ..alice() };
    let reservation = limits.reserve(bob, 700, at(0)).unwrap();
    let status = limits.statuses(at(1));
    assert_eq!(status.len(), 2);
    assert_eq!((status[0].pointer, status[0].keys), ("/roles/0/limits/0", 2));
    let fullest = status[0].fullest.unwrap();
    assert_eq!((fullest.what, fullest.used, fullest.limit), (What::Tokens, 700, 1000));
    assert_eq!(fullest.reset, Some(UnixTime(START + 3600)));
    assert_eq!((status[1].keys, status[1].fullest.unwrap().used), (1, 1));
    assert_eq!(status[0].overflowed, 0);
    limits.settle(reservation, 700, at(2));
    let status = limits.statuses(at(3600));
    assert!(status.iter().all(|status| status.keys == 0 && status.fullest.is_none()));
}
