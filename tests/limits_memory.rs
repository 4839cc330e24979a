//! What limits cost in memory: nothing for a request whose key is known, a bounded number of bytes
//! for each of a million keys, and no more after that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::at;
use haproxy_vertex::limits::{
    Amounts, BudgetKey, Limit, LimitSet, Limits, MAX_KEYS, Per, RoleLimits, Rules,
};

struct Counting;

thread_local! {
    /// Of this thread alone: the test's harness has its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}
static BYTES: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is done by the system's allocator; only numbers are added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const MILLION: u64 = 1_000_000;

/// Digests as good as random: SplitMix64's steps, twice.
fn principal(number: u64) -> u128 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let high = mix(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (u128::from(high) << 64) | u128::from(mix(high ^ 1))
}

fn limits(all: &[(Per, Amounts)]) -> Limits {
    let mut limits = LimitSet::default();
    for (per, amounts) in all {
        let limit = Limit { pointer: "/limits".to_owned(), per: *per, amounts: *amounts };
        limits.add(limit).unwrap();
    }
    Limits::new(Rules {
        gateway: LimitSet::default(),
        roles: vec![RoleLimits { limits, ..RoleLimits::default() }],
    })
}

fn caller(number: u64) -> BudgetKey<'static> {
    BudgetKey { role: 0, principal: principal(number), model: "google/gemini-2.5-flash" }
}

/// Whether a request passes; it ends at once.
fn passes(limits: &Limits, number: u64, secs: i64) -> bool {
    let reservation = limits.reserve(caller(number), 10, at(secs));
    reservation.map(|reservation| limits.settle(reservation, 10, at(secs))).is_ok()
}

fn known_keys_allocate_nothing() {
    let per = |principal, model| Per { role: false, principal, model };
    let amounts = Amounts {
        requests_per_minute: Some(1 << 30),
        tokens_per_hour: Some(1 << 40),
        ..Amounts::default()
    };
    let all = [per(false, false), per(true, false), per(false, true), per(true, true)];
    let limits = limits(&all.map(|per| (per, amounts)));
    assert!(passes(&limits, 1, 0));
    let before = ALLOCATIONS.get();
    for _ in 0..1000 {
        assert!(passes(&limits, 1, 0));
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

fn a_million_callers_and_no_more() {
    let per = Per { role: false, principal: true, model: false };
    let amounts = Amounts { requests_per_hour: Some(5), ..Amounts::default() };
    let limits = limits(&[(per, amounts)]);
    let before = BYTES.load(Ordering::Relaxed);
    for number in 0..MILLION {
        assert!(passes(&limits, number, 0));
    }
    let bytes = BYTES.load(Ordering::Relaxed) - before;
    println!("{} bytes a key at a million", bytes / 1_000_000);
    assert!(bytes / 1_000_000 <= 160, "{bytes}");
    assert_eq!((limits.statuses(at(0))[0].keys, limits.overflowed()), (1_000_000, 0));

    // Newcomers fill what is left, and then share one budget; who was there first keeps theirs.
    let newcomers = u64::try_from(MAX_KEYS).unwrap() + 100_000;
    let passed = (MILLION..newcomers).filter(|number| passes(&limits, *number, 1)).count();
    let full = BYTES.load(Ordering::Relaxed) - before;
    println!("{} MB when full", full / 1_000_000);
    assert!(full <= 160 * MAX_KEYS, "{full}");
    let status = &limits.statuses(at(1))[0];
    assert_eq!(status.keys, MAX_KEYS + 1);
    assert_eq!(passed, MAX_KEYS - 1_000_000 + 5);
    assert!(limits.overflowed() >= 100_000);
    for _ in 0..4 {
        assert!(passes(&limits, 7, 1));
    }
    assert!(!passes(&limits, 7, 1));

    // An hour later, and two minutes for a clock that is set back, they make room for as many.
    let newest = newcomers..newcomers + MILLION;
    assert!(newest.clone().filter(|n| passes(&limits, *n, 3600)).count() <= 5);
    let passed = newest.filter(|n| passes(&limits, *n, 3720)).count();
    assert_eq!(passed, 1_000_000);
    // But for some bytes of this test.
    assert!(BYTES.load(Ordering::Relaxed) - before <= full + 4096);
}

fn who_is_in_flight_is_never_forgotten() {
    let per = Per { role: false, principal: true, model: false };
    let amounts = Amounts { parallel_requests: Some(1), ..Amounts::default() };
    let limits = limits(&[(per, amounts)]);
    let held = limits.reserve(caller(0), 10, at(0)).unwrap();
    // Each of these is forgotten as soon as it has ended.
    for number in 1..100_000 {
        assert!(passes(&limits, number, 7200));
    }
    assert_eq!(limits.overflowed(), 0);
    assert!(limits.reserve(caller(0), 10, at(7200)).is_err());
    limits.settle(held, 10, at(7200));
    assert!(passes(&limits, 0, 7200));
}

/// One after the other: the numbers are of the whole process.
#[test]
fn memory_is_bounded() {
    known_keys_allocate_nothing();
    a_million_callers_and_no_more();
    who_is_in_flight_is_never_forgotten();
}
