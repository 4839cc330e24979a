//! Random limits, and random sequences of reservations, settlements and steps of the clock: the
//! engine says and counts what the slow model does, at every step.

use haproxy_vertex::limits::{
    Amounts, BudgetKey, Limit, LimitSet, Limits, Per, RoleLimits, Rules, What,
};
use haproxy_vertex::time::Now;
use proptest::prelude::*;

use super::model::{Model, Who, refusal};
use super::{common, principal};
use common::{START, now as clocks};

const MODELS: [&str; 2] = ["google/gemini-2.5-flash", "anthropic/claude-opus-4"];

/// The wall clock alone goes on: what has made room, and is then asked for at an earlier time, is
/// more than the model knows.
fn at(secs: i64) -> Now {
    clocks(secs, 0)
}

#[derive(Clone, Debug)]
enum Act {
    Reserve(Who, u64),
    Settle(prop::sample::Index, u64),
    /// The clock goes on by so many seconds, or back.
    Step(i64),
}

fn amount(most: u64) -> impl Strategy<Value = Option<u64>> {
    prop::option::of(1..=most)
}

fn amounts() -> impl Strategy<Value = Amounts> {
    (amount(5), amount(12), amount(60), amount(150), amount(4)).prop_map(|a| Amounts {
        requests_per_minute: a.0,
        requests_per_hour: a.1,
        tokens_per_minute: a.2,
        tokens_per_hour: a.3,
        parallel_requests: a.4,
    })
}

fn set(at: &'static str) -> impl Strategy<Value = LimitSet> {
    let per = any::<(bool, bool, bool)>();
    prop::collection::vec((per, amounts()), 0..5).prop_map(move |limits| {
        let mut set = LimitSet::default();
        for (index, ((role, principal, model), amounts)) in limits.into_iter().enumerate() {
            let per = Per { role, principal, model };
            // One with the same key is left out, as a configuration would be refused.
            let _ = set.add(Limit { pointer: format!("{at}/{index}"), per, amounts });
        }
        set
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let role = |limits| RoleLimits { limits, ..RoleLimits::default() };
    (set("/limits"), set("/roles/0/limits"), set("/roles/1/limits"))
        .prop_map(move |(gateway, one, two)| Rules { gateway, roles: vec![role(one), role(two)] })
}

fn act() -> impl Strategy<Value = Act> {
    let who = (0_usize..2, 0_u8..3, 0_u8..2).prop_map(|(role, principal, model)| Who {
        role,
        principal,
        model,
    });
    let step = prop_oneof![
        6 => 0_i64..30,
        2 => 30_i64..120,
        1 => Just(3600_i64),
        1 => -90_i64..0,
        1 => prop_oneof![Just(-10_000_i64), Just(50_000), Just(-50_000)],
    ];
    prop_oneof![
        5 => (who, 0_u64..40).prop_map(|(who, tokens)| Act::Reserve(who, tokens)),
        4 => (any::<prop::sample::Index>(), 0_u64..60).prop_map(|(which, t)| Act::Settle(which, t)),
        2 => step.prop_map(Act::Step),
    ]
}

fn subject(who: Who) -> BudgetKey<'static> {
    let model = MODELS[usize::from(who.model)];
    BudgetKey { role: who.role, principal: principal(who.principal.into()), model }
}

fn everybody() -> impl Iterator<Item = Who> {
    (0..12_u8).map(|n| Who { role: usize::from(n % 2), principal: n / 2 % 3, model: n / 6 })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_engine_counts_what_the_slow_model_counts(
        rules in rules(),
        acts in prop::collection::vec(act(), 1..80),
    ) {
        let mut model = Model::new(rules.clone());
        let limits = Limits::new(rules);
        let mut held = Vec::new();
        let mut secs = 0;
        for act in acts {
            let now = at(secs);
            let wall = START + secs;
            match act {
                Act::Reserve(who, tokens) => {
                    let found = limits.reserve(subject(who), tokens, now);
                    match (found, model.reserve(who, tokens, wall)) {
                        (Ok(reservation), Ok(request)) => held.push((reservation, request)),
                        (Err(found), Err(expected)) => prop_assert_eq!(refusal(&found), expected),
                        (found, expected) => prop_assert!(false, "{:?} {:?}", found, expected),
                    }
                }
                Act::Settle(..) if held.is_empty() => {}
                Act::Settle(which, tokens) => {
                    let (reservation, request) = held.swap_remove(which.index(held.len()));
                    limits.settle(reservation, tokens, now);
                    model.settle(request, tokens, wall);
                }
                Act::Step(by) => secs += by,
            }
            let (now, wall) = (at(secs), START + secs);
            for who in everybody() {
                let found: Vec<_> = limits
                    .lookup(subject(who), now)
                    .into_iter()
                    .flat_map(|(pointer, usage)| usage.into_iter().map(move |u| (pointer.to_owned(), u)))
                    .map(|(pointer, u)| {
                        let reset = u.reset.map_or(wall + 1, |reset| reset.0);
                        (pointer, u.what, u.window, i128::from(u.used), u.limit, reset)
                    })
                    .collect();
                prop_assert_eq!(found, model.usage(who, wall));
            }
        }
        // What has ended is in flight nowhere.
        for (reservation, _) in held {
            limits.settle(reservation, 0, at(secs));
        }
        let in_flight = |who| limits.lookup(subject(who), at(secs)).into_iter().any(|(_, usage)| {
            usage.iter().any(|u| u.what == What::Parallel && u.used > 0)
        });
        prop_assert!(!everybody().any(in_flight));
    }
}
