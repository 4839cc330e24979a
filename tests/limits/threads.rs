//! Many threads at once: no window is exceeded, nobody is refused while there is room, and with
//! estimates that are too low a window is exceeded by what was in flight and no more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use haproxy_vertex::limits::{BudgetKey, Limits, What};
use serde_json::json;

use super::common::at;
use super::{alice, limits, principal, rules};

const THREADS: u64 = 64;
const TRIES: u64 = 400;

fn together(each: impl Fn(u64) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let each = &each;
            scope.spawn(move || each(thread));
        }
    });
}

/// The most that is used of any amount of this kind.
fn most_used(limits: &Limits, what: What) -> u64 {
    let all = limits.lookup(alice(), at(0));
    let usage = all.iter().flat_map(|(_, usage)| usage).filter(|usage| usage.what == what);
    usage.map(|usage| usage.used).max().unwrap()
}

#[test]
fn with_right_estimates_no_window_is_exceeded_and_none_is_left_unused() {
    // The shared budget ends first; principals and models lock other shards in every order.
    let role = json!({ "limits": [
        { "tokens_per_hour": 100_000 },
        { "per": "principal", "tokens_per_hour": 60_000, "requests_per_hour": 6_000 },
        { "per": "model", "tokens_per_minute": 90_000 },
        { "per": ["principal", "model"], "requests_per_minute": 5_000 },
    ]});
    let top = json!({ "limits": [{ "requests_per_hour": 1_000_000 }, { "per": ["role", "model"], "parallel_requests": 64 }] });
    let limits = Limits::new(rules(role, top));
    let passed = AtomicU64::new(0);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Somebody looks all the time.
        let watcher = scope.spawn(|| {
            let mut looks = 0_u64;
            while !ended.load(Ordering::Acquire) {
                for status in limits.statuses(at(0)) {
                    let fullest = status.fullest;
                    assert!(fullest.is_none_or(|u| u.used <= u.limit), "{status:?}");
                }
                looks += 1;
            }
            looks
        });
        together(|thread| {
            for turn in 0..TRIES {
                let model =
                    ["google/a", "google/b", "google/c"][usize::try_from(turn % 3).unwrap()];
                let who = BudgetKey { role: 0, principal: principal((thread + turn) % 4), model };
                if let Ok(reservation) = limits.reserve(who, 10, at(0)) {
                    passed.fetch_add(1, Ordering::Relaxed);
                    limits.settle(reservation, 10, at(0));
                }
            }
        });
        ended.store(true, Ordering::Release);
        assert!(watcher.join().unwrap() > 0);
    });
    // More were tried than there was room for: exactly all of the room is used.
    const { assert!(THREADS * TRIES * 10 > 100_000) };
    assert_eq!(passed.into_inner(), 10_000);
    assert_eq!(most_used(&limits, What::Parallel), 0);
}

#[test]
fn nobody_is_refused_for_what_another_request_only_tried_to_take() {
    // One budget has room for all, the other for nobody: those refused take nothing of the first.
    let role = json!([{ "requests_per_hour": THREADS * TRIES }, { "per": "model", "tokens_per_hour": 100 }]);
    let limits = limits(role);
    together(|thread| {
        for turn in 0..TRIES {
            let too_large = limits.reserve(BudgetKey { model: "google/b", ..alice() }, 101, at(0));
            assert!(too_large.is_err());
            let fits = limits.reserve(BudgetKey { model: "google/a", ..alice() }, 0, at(0));
            limits.settle(fits.unwrap_or_else(|e| panic!("{thread} {turn}: {e:?}")), 0, at(0));
        }
    });
}

#[test]
fn no_more_are_in_flight_than_allowed() {
    let limits = limits(json!({ "parallel_requests": 5 }));
    let (in_flight, passed) = (AtomicU64::new(0), AtomicU64::new(0));
    together(|_| {
        for _ in 0..TRIES {
            if let Ok(reservation) = limits.reserve(alice(), 1, at(0)) {
                assert!(in_flight.fetch_add(1, Ordering::SeqCst) < 5);
                passed.fetch_add(1, Ordering::Relaxed);
                std::thread::yield_now();
                in_flight.fetch_sub(1, Ordering::SeqCst);
                limits.settle(reservation, 1, at(0));
            }
        }
    });
    assert!(passed.into_inner() >= 5);
    assert_eq!(most_used(&limits, What::Parallel), 0);
}

#[test]
fn a_window_is_exceeded_by_what_was_in_flight_used_beyond_its_estimates_at_most() {
    let limits = limits(json!({ "tokens_per_hour": 50_000 }));
    let (estimate, used) = (10, 50);
    let passed = AtomicU64::new(0);
    together(|_| {
        for _ in 0..TRIES {
            if let Ok(reservation) = limits.reserve(alice(), estimate, at(0)) {
                passed.fetch_add(1, Ordering::Relaxed);
                std::thread::yield_now();
                limits.settle(reservation, used, at(0));
            }
        }
    });
    let total = most_used(&limits, What::Tokens);
    assert_eq!(total, passed.into_inner() * used, "every token is counted");
    assert!(total > 50_000 - used, "{total}");
    assert!(total <= 50_000 + THREADS * (used - estimate), "{total}");
}
