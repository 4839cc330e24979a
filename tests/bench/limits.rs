//! What limits cost a request, in process: one reservation and its settlement, with one limit and
//! with four, for one caller and for 100,000 in turn; and two threads against one, where callers
//! share nothing and where they share a budget. Lower quartiles of rounds that are shorter than a
//! slice of the scheduler's. Exit status 1 when a bar was missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "../common/mod.rs"]
mod common;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use common::at;
use haproxy_vertex::limits::{Amounts, BudgetKey, Limit, LimitSet, Limits, Per, RoleLimits, Rules};
use serde_json::json;

const ROUNDS: usize = 400;
const CALLS: usize = 2_000;
/// For two threads, whose start takes longer than a round.
const MANY_CALLS: usize = 100_000;
const MODEL: &str = "google/gemini-2.5-flash";

/// Nanoseconds for a reservation and its settlement, of one caller.
const BARS: [(&str, usize, f64); 2] = [("one limit", 1, 250.0), ("four limits", 4, 600.0)];

const SHARED: Per = Per { role: false, principal: false, model: false };
const PRINCIPAL: Per = Per { principal: true, ..SHARED };
const MODELS: Per = Per { model: true, ..SHARED };
const BOTH: Per = Per { principal: true, ..MODELS };

fn limits(all: &[Per]) -> Limits {
    let mut limits = LimitSet::default();
    for per in all {
        let amounts = Amounts {
            requests_per_minute: Some(1 << 50),
            tokens_per_hour: Some(1 << 53),
            parallel_requests: Some(1000),
            ..Amounts::default()
        };
        limits.add(Limit { pointer: String::new(), per: *per, amounts }).unwrap();
    }
    let role = RoleLimits { limits, ..RoleLimits::default() };
    Limits::new(Rules { roles: vec![role], ..Rules::default() })
}

/// Digests as good as random.
fn principals(count: u64) -> Vec<u128> {
    let spread = |n: u64, by: u64| u128::from((n + 1).wrapping_mul(by).rotate_left(29));
    let principal = |n| (spread(n, 0x9e37_79b9_7f4a_7c15) << 64) | spread(n, 0xd6e8_feb8_6659_fd93);
    (0..count).map(principal).collect()
}

/// Nanoseconds a request.
fn measure<'p>(limits: &Limits, callers: &mut impl Iterator<Item = &'p u128>, calls: usize) -> f64 {
    let started = Instant::now();
    for _ in 0..calls {
        let who = BudgetKey { role: 0, principal: *callers.next().unwrap(), model: MODEL };
        let reservation = black_box(limits.reserve(who, 100, at(1))).unwrap();
        limits.settle(reservation, 60, at(1));
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(calls).unwrap())
}

fn quartile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 4]
}

/// How much more two threads do than one, of two.
fn two_threads(limits: &Limits) -> f64 {
    let callers = principals(2000);
    let (one, two) = callers.split_at(1000);
    let run = |callers: &[u128]| measure(limits, &mut callers.iter().cycle(), MANY_CALLS);
    let ratios = (0..ROUNDS / 20).map(|_| {
        let alone = run(one);
        let together = std::thread::scope(|scope| {
            let other = scope.spawn(|| run(two));
            run(one).max(other.join().unwrap())
        });
        alone / together
    });
    quartile(ratios.collect())
}

fn main() -> ExitCode {
    let mut good = true;
    let many = principals(100_000);
    for (name, count, bar) in BARS {
        let per = [PRINCIPAL, BOTH, SHARED, MODELS];
        let limits = limits(&per[..count]);
        let rounds = |callers: &[u128]| {
            let mut callers = callers.iter().cycle();
            quartile((0..ROUNDS).map(|_| measure(&limits, &mut callers, CALLS)).collect())
        };
        let (one, all) = (rounds(&many[..1]), rounds(&many));
        println!(
            "{}",
            json!({ "name": name, "ns_1": one.round(), "ns_100000": all.round(), "bar": bar })
        );
        good &= one <= bar;
    }
    for (name, per) in [("two threads, each caller", PRINCIPAL), ("two threads, shared", SHARED)] {
        println!("{}", json!({ "name": name, "of_two": two_threads(&limits(&[per])) }));
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
