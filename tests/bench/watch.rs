//! What the watch costs: nanoseconds a request, for few principals and for as many as there may be,
//! and bytes a principal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::fs::read_to_string;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Instant;

use haproxy_vertex::time::{Monotonic, Now, UnixTime};
use haproxy_vertex::watch::{MAX_PRINCIPALS, Seen, Watch};
use serde_json::json;

const ROUNDS: u32 = 15;
const CALLS: u32 = 400_000;

/// Spread as digests are.
fn digest(number: u32) -> u128 {
    u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

/// Resident bytes of this process (proc(5), `VmRSS`).
fn resident() -> f64 {
    let status = read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: u32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    f64::from(kilobytes) * 1024.0
}

fn now(second: u32) -> Now {
    Now { wall: UnixTime(0), mono: Monotonic(i64::from(second) * 1000) }
}

/// The least of the rounds, in nanoseconds a request and a report of tokens: what is more, other
/// processes took.
fn measure(watch: &Watch, principals: u32, start: &mut u32) -> [f64; 2] {
    let seen = Seen {
        is_allowed: true,
        model: Some("google/gemini-2.5-flash"),
        location: "us-central1",
        network: Some(IpAddr::from([192, 0, 2, 1])),
        client: "google-genai-sdk/1.2 gl-python/3.11",
        body_bytes: Some(2_000),
    };
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (place, cost) in costs.iter_mut().enumerate() {
            let started = Instant::now();
            for number in 0..CALLS {
                // Each call falls into another second: nothing is saved by a decay of nothing.
                *start += 1;
                let principal = digest(number.wrapping_mul(7919) % principals);
                black_box(match place {
                    0 => watch.request(principal, black_box(&seen), now(*start)),
                    _ => watch.tokens(principal, 1_500, now(*start)),
                });
            }
            cost.push(started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
        }
    }
    costs.map(|costs| costs.into_iter().fold(f64::INFINITY, f64::min))
}

fn main() {
    let mut start = 0;
    let few = measure(&Watch::new(), 100, &mut start);
    let before = resident();
    let watch = Watch::new();
    let most = u32::try_from(MAX_PRINCIPALS).unwrap();
    // Twice as many, so that every shard is full.
    for number in 0..2 * most {
        let seen = Seen {
            is_allowed: true,
            model: None,
            location: "",
            network: None,
            client: "",
            body_bytes: None,
        };
        let _ = watch.request(digest(number), &seen, now(start));
    }
    let kept = f64::from(u32::try_from(watch.len()).unwrap());
    let bytes = (resident() - before) / kept;
    // Those that were not pushed out.
    let many = measure(&watch, most, &mut start);
    let line = json!({
        "request_ns": { "100 principals": few[0].round(), "200,000 principals": many[0].round() },
        "tokens_ns": { "100 principals": few[1].round(), "200,000 principals": many[1].round() },
        "bytes_a_principal": bytes.round(),
        "principals": kept,
    });
    println!("{line}");
}
