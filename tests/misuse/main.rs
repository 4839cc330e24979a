//! A simulation: a week of honest calls of 280 principals, then an hour in which each one's token is
//! misused. docs/misuse.md says what came of it, and `--nocapture` prints the tables anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attacks;
mod random;
mod table;
mod traffic;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use attacks::{ATTACKS, Attack};
use haproxy_vertex::time::{Monotonic, Now, UnixTime};
use haproxy_vertex::watch::{Seen, Signal, Signals, Watch};
use table::{attacked, honest, same};
use traffic::{Call, HOUR, Kind, kind, week};

/// 40 for each attack.
const PRINCIPALS: u64 = 280;

/// What was told.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) calls: BTreeMap<Kind, u32>,
    pub(crate) told: BTreeMap<(Signal, Kind), u32>,
    /// How often `new_network` and `new_client` were told of one principal within an hour.
    pub(crate) both: BTreeMap<Kind, u32>,
    pub(crate) attacks: Vec<Attacked>,
}

/// One principal under attack.
pub(crate) struct Attacked {
    pub(crate) attack: Attack,
    pub(crate) kind: Kind,
    /// Each signal, and at which call of the attack it was told first.
    pub(crate) told: BTreeMap<Signal, u32>,
}

/// Rounded; there are no casts in this crate, and the text of a float is exact.
fn whole(number: f64) -> u64 {
    format!("{number:.0}").parse().unwrap()
}

fn at(seconds: f64) -> Now {
    let millis = i64::try_from(whole(seconds * 1000.0)).unwrap();
    Now { wall: UnixTime(1_800_000_000 + millis / 1000), mono: Monotonic(millis) }
}

fn tell(watch: &Watch, principal: u64, call: &Call) -> Signals {
    let digest = u128::from(principal).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let [.., a, b, c] = call.network.to_be_bytes();
    let model = format!("google/model-{}", call.model);
    let location = format!("location-{}", call.location);
    let client = format!("client-{}/1.0", call.client);
    let seen = Seen {
        is_allowed: call.is_allowed,
        model: Some(&model),
        location: &location,
        network: Some(IpAddr::V4(Ipv4Addr::new(a, b, c, 7))),
        client: &client,
        body_bytes: Some(whole(call.body_bytes)),
    };
    let now = at(call.at);
    watch.request(digest, &seen, now) | watch.tokens(digest, whole(call.tokens), now)
}

static OUTCOME: LazyLock<Outcome> = LazyLock::new(simulate);

fn simulate() -> Outcome {
    let watch = Watch::new();
    let mut outcome = Outcome::default();
    for principal in 0..PRINCIPALS {
        let (kind, calls) = (kind(principal), week(principal));
        *outcome.calls.entry(kind).or_default() += u32::try_from(calls.len()).unwrap();
        let mut last = BTreeMap::new();
        for call in &calls {
            for signal in tell(&watch, principal, call).iter() {
                *outcome.told.entry((signal, kind)).or_default() += 1;
                last.insert(signal, call.at);
                let other = match signal {
                    Signal::NewNetwork => Signal::NewClient,
                    Signal::NewClient => Signal::NewNetwork,
                    _ => continue,
                };
                if last.remove(&other).is_some_and(|earlier| call.at - earlier < HOUR) {
                    *outcome.both.entry(kind).or_default() += 1;
                    last.clear();
                }
            }
        }
        let attack = ATTACKS[usize::try_from(principal / 10).unwrap() % ATTACKS.len()];
        let mut told = BTreeMap::new();
        for (number, call) in (1_u32..).zip(attack.calls(&calls)) {
            for signal in tell(&watch, principal, &call).iter() {
                told.entry(signal).or_insert(number);
            }
        }
        outcome.attacks.push(Attacked { attack, kind, told });
    }
    outcome
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test reads the files of the tree")]
fn the_document_says_what_the_simulation_says() {
    let outcome = &*OUTCOME;
    let tables = [("honest traffic", honest(outcome)), ("attacks", attacked(outcome))];
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/misuse.md");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    for (name, table) in &tables {
        println!("{name}:\n{}", table.join("\n"));
    }
    for (name, table) in &tables {
        same(&text, table).unwrap_or_else(|line| panic!("docs/misuse.md, {name}, lacks: {line}"));
    }
}

#[test]
fn honest_traffic_is_quiet_and_attacks_are_not() {
    let outcome = &*OUTCOME;
    let all: u32 = outcome.calls.values().sum();
    for signal in [Signal::RequestRate, Signal::TokenRate, Signal::PromptSize, Signal::Refusals] {
        for (kind, calls) in &outcome.calls {
            let told = outcome.told.get(&(signal, *kind)).copied().unwrap_or_default();
            assert!(told * 1000 < *calls, "{signal:?} {kind:?}: {told} of {calls}");
        }
    }
    let told: u32 = outcome.told.values().sum();
    assert!(told * 1000 < all, "{told} of {all}");
    let caught = |attack, signal| {
        let of = outcome.attacks.iter().filter(|one| one.attack == attack);
        of.filter(|one| one.told.contains_key(&signal)).count()
    };
    assert_eq!(caught(Attack::Stolen, Signal::NewNetwork), 40);
    assert_eq!(caught(Attack::Stolen, Signal::NewClient), 40);
    assert_eq!(caught(Attack::Scan, Signal::Refusals), 40);
    assert_eq!(caught(Attack::Elsewhere, Signal::NewModel), 40);
    assert!(caught(Attack::Faster(100), Signal::RequestRate) >= 35);
    assert!(caught(Attack::Stuffed, Signal::PromptSize) >= 25);
}
