//! What the tests share: keys, tokens, a clock that stands still, a scripted provider, a gateway.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

pub mod bodies;
pub mod gateway;
pub mod identity;
pub mod journal;
pub mod keys;
pub mod script;
pub mod settings;
#[cfg(feature = "cli")]
pub mod tool;
pub mod vectors;

use haproxy_vertex::time::{Monotonic, Now, UnixTime};

/// The wall clock at which tests begin: 2027-01-15T08:00:00Z.
pub const START: i64 = 1_800_000_000;

/// Both clocks some seconds after the beginning.
pub fn at(secs: i64) -> Now {
    now(secs, secs * 1000)
}

/// The wall clock `wall_secs` after the beginning, the other one `mono_millis` after its own.
pub fn now(wall_secs: i64, mono_millis: i64) -> Now {
    // Not 0, so that a forgotten clock shows.
    Now { wall: UnixTime(START + wall_secs), mono: Monotonic(7_000_000 + mono_millis) }
}
