//! Who holds how many keys, and whose make room first.

use haproxy_vertex::error::Reason;
use haproxy_vertex::limits::{BudgetKey, Limits, MAX_CALLER_KEYS};
use serde_json::json;

use crate::{alice, at, limits, passes, principal, refused};

fn asks(limits: &Limits, who: BudgetKey<'_>, model: u32, secs: i64) -> bool {
    let model = format!("google/invented-{model}");
    let reservation = limits.reserve(BudgetKey { model: &model, ..who }, 10, at(secs));
    reservation.map(|reservation| limits.settle(reservation, 10, at(secs))).is_ok()
}

fn bob() -> BudgetKey<'static> {
    BudgetKey { principal: principal(2), ..alice() }
}

#[test]
fn a_caller_who_invents_models_takes_no_more_than_a_share_of_the_keys() {
    for per in [json!(["principal", "model"]), json!("model")] {
        let limits = limits(json!({ "per": per, "requests_per_hour": 5 }));
        let passed = (0..20_000).filter(|model| asks(&limits, alice(), *model, 0)).count();
        let share = usize::try_from(MAX_CALLER_KEYS).unwrap();
        // Beyond the share there is one budget more.
        assert_eq!(passed, share + 5, "{per}");
        assert_eq!(limits.statuses(at(0))[0].keys, share + 1, "{per}");
        assert_eq!(limits.overflowed(), 20_000 - u64::from(MAX_CALLER_KEYS), "{per}");
        // Models that she asked before keep their budgets; another caller has a whole one of each.
        assert!(asks(&limits, alice(), 7, 0), "{per}");
        for model in 50_000..50_100 {
            let asked = (0..6).filter(|_| asks(&limits, bob(), model, 0)).count();
            assert_eq!(asked, 5, "{per}");
        }
    }
}

#[test]
fn a_caller_of_many_models_under_many_limits_has_a_key_for_each() {
    let limits = limits(json!([
        { "per": "principal", "requests_per_hour": 1000 },
        { "per": "model", "requests_per_hour": 1000 },
        { "per": ["principal", "model"], "requests_per_hour": 5 },
    ]));
    for model in 0..60 {
        assert!((0..5).all(|_| asks(&limits, alice(), model, 0)), "{model}");
        assert!(!asks(&limits, alice(), model, 0), "{model}");
    }
    assert_eq!(limits.overflowed(), 0);
}

#[test]
fn keys_of_what_google_does_not_know_make_room_for_others() {
    let limits = limits(json!({ "per": ["principal", "model"], "requests_per_hour": 5 }));
    let share = i64::from(MAX_CALLER_KEYS);
    let invents = |model: i64, millis: i64| {
        let model = format!("google/invented-{model}");
        let now = crate::common::now(millis / 1000, millis);
        let reservation = limits.reserve(BudgetKey { model: &model, ..alice() }, 10, now).unwrap();
        limits.settle_unknown(reservation, now);
    };
    passes(&limits, alice(), 10, 0);
    // A shard is looked through once in a second: at this pace there always is room.
    for model in 0..share * 10 {
        invents(model, model * 20);
    }
    assert_eq!(limits.overflowed(), 0);
    let secs = share * 10 * 20 / 1000;
    assert!(limits.statuses(at(secs))[0].keys <= usize::try_from(share).unwrap() + 1);
    // One that has an answer is none of them, whatever was asked under it since.
    for _ in 0..4 {
        let reservation = limits.reserve(alice(), 10, at(secs)).unwrap();
        limits.settle_unknown(reservation, at(secs));
    }
    for model in 0..share {
        invents(share * 10 + model, secs * 1000 + model * 20);
    }
    assert_eq!(refused(&limits, alice(), 10, secs + 20).reason(), Reason::LimitRequests);
}

#[test]
fn a_key_without_a_model_is_always_known() {
    let limits = limits(json!({ "per": "principal", "requests_per_hour": 2 }));
    for _ in 0..2 {
        let reservation = limits.reserve(alice(), 10, at(0)).unwrap();
        limits.settle_unknown(reservation, at(0));
    }
    // Newcomers make the table look for room.
    for caller in 10..30_000 {
        passes(&limits, BudgetKey { principal: principal(caller), ..alice() }, 10, 5);
    }
    assert_eq!(refused(&limits, alice(), 10, 5).reason(), Reason::LimitRequests);
}

#[test]
fn what_is_free_takes_no_tokens_and_no_place_but_is_counted() {
    let limits = limits(json!({
        "requests_per_minute": 30, "tokens_per_minute": 10, "parallel_requests": 1
    }));
    let held = limits.reserve(alice(), 10, at(0)).unwrap();
    let free: Vec<_> = (0..20).map(|_| limits.count(alice(), at(0)).unwrap()).collect();
    // The call that is not free finds neither a place nor tokens.
    assert_eq!(refused(&limits, alice(), 0, 0).reason(), Reason::LimitParallel);
    for reservation in free {
        limits.settle(reservation, 1000, at(0));
    }
    assert_eq!(refused(&limits, alice(), 0, 0).reason(), Reason::LimitParallel);
    limits.settle(held, 500, at(0));
    assert_eq!(refused(&limits, alice(), 1, 0).reason(), Reason::LimitTokens);
    for _ in 0..9 {
        let _ = limits.count(alice(), at(0)).expect("free, however little is left");
    }
    let exhausted = limits.count(alice(), at(0)).expect_err("thirty were counted");
    assert_eq!(exhausted.reason(), Reason::LimitRequests);
}
