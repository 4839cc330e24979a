//! What the watch tells of a principal, request by request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::IpAddr;
use std::thread;

use haproxy_vertex::time::{Monotonic, Now, UnixTime};
use haproxy_vertex::watch::{MAX_PRINCIPALS, Seen, Signal, Signals, Watch};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const ALICE: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

fn at(secs: i64) -> Now {
    // The wall clock is stepped at will: durations are not its business.
    Now { wall: UnixTime(secs % 77), mono: Monotonic(secs * 1000 - 5_000_000) }
}

fn usual() -> Seen<'static> {
    Seen {
        is_allowed: true,
        model: Some("google/gemini-2.5-flash"),
        location: "us-central1",
        network: Some(address("192.0.2.1")),
        client: "google-genai-sdk/1.2 gl-python/3.11",
        body_bytes: Some(2_000),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn names(signals: Signals) -> Vec<&'static str> {
    signals.iter().map(Signal::name).collect()
}

/// A principal that has sent one request a minute for so many hours.
fn after(hours: i64) -> Watch {
    let watch = Watch::new();
    for minute in 0..hours * 60 {
        let told = watch.request(ALICE, &usual(), at(minute * MINUTE))
            | watch.tokens(ALICE, 1_000, at(minute * MINUTE + 3));
        assert_eq!(names(told), [""; 0], "minute {minute}");
    }
    watch
}

#[test]
fn what_a_principal_had_not_used_is_told_once_each() {
    let others = [
        ("new_model", Seen { model: Some("anthropic/claude-opus-4-1"), ..usual() }),
        ("new_location", Seen { location: "europe-west4", ..usual() }),
        ("new_network", Seen { network: Some(address("198.51.100.9")), ..usual() }),
        ("new_client", Seen { client: "curl/8.5.0", ..usual() }),
        ("new_client", Seen { client: "", ..usual() }),
    ];
    for (name, other) in others {
        let watch = after(24);
        assert_eq!(names(watch.request(ALICE, &other, at(24 * HOUR))), [name]);
        for later in [1, 2 * HOUR, 4 * HOUR] {
            let now = at(24 * HOUR + later);
            assert_eq!(names(watch.request(ALICE, &other, now)), [""; 0], "{name}");
            assert_eq!(names(watch.request(ALICE, &usual(), now)), [""; 0], "{name}");
        }
    }
}

#[test]
fn another_version_another_address_of_the_network_and_nothing_are_not_new() {
    let watch = after(24);
    for same in [
        Seen { client: "google-genai-sdk/2.0 gl-python/3.13", ..usual() },
        Seen { network: Some(address("::ffff:192.0.2.77")), ..usual() },
        Seen { network: None, model: None, location: "", body_bytes: None, ..usual() },
        Seen { body_bytes: Some(0), ..usual() },
    ] {
        assert_eq!(names(watch.request(ALICE, &same, at(24 * HOUR))), [""; 0], "{same:?}");
    }
}

#[test]
fn several_signals_come_at_once() {
    let watch = after(24);
    let thief = Seen {
        network: Some(address("2001:db8::1")),
        client: "curl/8.5.0",
        body_bytes: Some(2_000_000),
        ..usual()
    };
    let told = watch.request(ALICE, &thief, at(24 * HOUR));
    assert_eq!(names(told), ["prompt_size", "new_network", "new_client"]);
}

#[test]
fn what_was_refused_was_not_used() {
    let watch = after(24);
    let other = Seen {
        is_allowed: false,
        model: Some("anthropic/claude-opus-4-1"),
        location: "europe-west4",
        body_bytes: Some(2_000_000),
        ..usual()
    };
    assert_eq!(names(watch.request(ALICE, &other, at(24 * HOUR))), [""; 0]);
    let allowed = Seen { is_allowed: true, ..other };
    let told = watch.request(ALICE, &allowed, at(24 * HOUR + 1));
    assert_eq!(names(told), ["prompt_size", "new_model", "new_location"]);
}

#[test]
fn nothing_is_told_while_a_principal_is_learnt_but_refusals() {
    let other = |number: i64| Seen {
        network: Some(IpAddr::from([10, 1, u8::try_from(number % 250).unwrap(), 1])),
        ..usual()
    };
    // Enough requests in too short a time, then enough time with too few requests.
    for (requests, every) in [(200, 30), (50, 20 * MINUTE)] {
        let watch = Watch::new();
        for number in 0..requests {
            let told = watch.request(ALICE, &other(number), at(number * every));
            assert_eq!(names(told), [""; 0], "{number}");
        }
        let told = watch.request(ALICE, &other(249), at(requests * every + 2 * HOUR));
        assert_eq!(names(told), ["new_network"]);
    }
    let watch = Watch::new();
    let refused = Seen { is_allowed: false, ..usual() };
    for number in 1..10 {
        assert!(watch.request(ALICE, &refused, at(number)).is_empty());
    }
    assert_eq!(names(watch.request(ALICE, &refused, at(10))), ["refusals"]);
}

#[test]
fn refusals_are_a_row_until_one_is_allowed_or_a_pause() {
    let refused = Seen { is_allowed: false, ..usual() };
    let row = |between: &dyn Fn(&Watch, i64) -> i64| {
        let watch = Watch::new();
        let mut now = 0;
        let mut told = 0;
        for number in 0..40 {
            now += between(&watch, number) + 1;
            told += watch.request(ALICE, &refused, at(now)).iter().count();
            now += 1;
        }
        told
    };
    assert_eq!(row(&|_, _| 0), 1);
    assert_eq!(row(&|_, _| HOUR), 0);
    let allowed = |watch: &Watch, number: i64| {
        if number % 9 == 0 {
            assert!(watch.request(ALICE, &usual(), at(number * 2)).is_empty());
        }
        0
    };
    assert_eq!(row(&allowed), 0);
}

#[test]
fn a_burst_far_above_the_busiest_minutes_is_told_once() {
    let watch = after(24);
    let mut told = Vec::new();
    for number in 0..1_000 {
        let now = at(24 * HOUR + number);
        told.extend(watch.request(ALICE, &usual(), now).iter().map(|signal| (number, signal)));
    }
    let [(first, Signal::RequestRate)] = *told else {
        panic!("{told:?}");
    };
    assert!((15..60).contains(&first), "{first}");
}

#[test]
fn tokens_far_above_the_usual_are_told_when_the_call_ends() {
    let watch = after(24);
    let told: Vec<_> = (0..10)
        .map(|call| watch.tokens(ALICE, 40_000, at(24 * HOUR + call)))
        .map(|told| !told.is_empty())
        .collect();
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
    assert!(told[1], "{told:?}");
    assert!(watch.tokens(7, 40_000_000, at(25 * HOUR)).is_empty(), "nobody's");
    assert_eq!(watch.len(), 1);
}

#[test]
fn one_signal_is_told_once_an_hour() {
    let watch = after(24);
    let from = |network: u8, secs: i64| {
        let seen = Seen { network: Some(IpAddr::from([10, 0, network, 1])), ..usual() };
        names(watch.request(ALICE, &seen, at(24 * HOUR + secs)))
    };
    assert_eq!(from(1, 0), ["new_network"]);
    for network in 2..12 {
        assert_eq!(from(network, i64::from(network)), [""; 0]);
    }
    assert_eq!(from(12, HOUR), ["new_network"]);
    assert_eq!(from(5, 3 * HOUR), [""; 0], "known since");
}

#[test]
fn a_clock_that_is_read_late_takes_nothing_back() {
    let watch = after(24);
    // Another thread read its clock before this one.
    assert!(watch.request(ALICE, &usual(), at(23 * HOUR)).is_empty());
    assert!(watch.request(ALICE, &usual(), at(24 * HOUR)).is_empty());
    assert!(watch.tokens(ALICE, u64::MAX, at(23 * HOUR)).contains(Signal::TokenRate));
    assert!(watch.tokens(ALICE, 0, at(24 * HOUR)).is_empty());
}

#[test]
fn a_million_principals_leave_no_more_than_the_most() {
    let watch = Watch::new();
    assert!(watch.is_empty());
    let many: u64 = 1_000_000;
    for number in 0..many {
        // As evenly spread as digests are.
        let digest = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let _ = watch.request(digest, &usual(), at(0));
    }
    let left = u64::try_from(watch.len()).unwrap();
    assert!(watch.len() <= MAX_PRINCIPALS && watch.len() > MAX_PRINCIPALS * 9 / 10, "{left}");
    assert_eq!(watch.evicted(), many - left);
}

#[test]
fn threads_share_one_history() {
    let watch = Watch::new();
    let told: usize = thread::scope(|scope| {
        let work = |thread: u8| {
            let watch = &watch;
            move || {
                let mut told = 0;
                for number in 0..20_000_u32 {
                    let own = u128::from(number % 500) << 64 | u128::from(thread) << 32;
                    let now = at(i64::from(number));
                    let _ = watch.request(own, &usual(), now) | watch.tokens(own, 1, now);
                    let shared = Seen { is_allowed: number == 0, ..usual() };
                    let signals = watch.request(ALICE, &shared, now);
                    told += usize::from(signals.contains(Signal::Refusals));
                }
                told
            }
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(watch.len(), 4 * 500 + 1);
    assert_eq!(watch.evicted(), 0);
    // One row of refusals; the others' first request may have come in between.
    assert!((1..=4).contains(&told), "{told}");
}
