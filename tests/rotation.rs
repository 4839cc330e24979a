//! Keys that change while tokens come, honest and forged ones: whoever has a token of a key that is
//! published now is never told 401, and passes soon.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Barrier;

use common::keys::{SigningKey, jwks};
use common::now;
use common::script::{DISCOVERY, JWKS, Script, answer, claims, discovery_document, fetched, ok};
use haproxy_vertex::fetch::Reply;
use haproxy_vertex::oidc::Outcome;
use haproxy_vertex::time::Now;
use proptest::prelude::*;
use serde_json::Value;

/// How often HAProxy's task asks what is to be fetched, or less.
const TICK: i64 = 20;

/// How long a request waits.
const PATIENCE: i64 = 5_000;

/// What the issuer does with a request.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Answers { after: i64 },
    Fails { after: i64 },
    TooMany,
}

const WELL: Mood = Mood::Answers { after: 300 };

/// An issuer, and a gateway that asks it.
struct World {
    script: Script,
    mood: Mood,
    published: Vec<Value>,
    /// The fetch under way, when its answer comes and what it is.
    under_way: Option<(u32, i64, Reply)>,
    clock: i64,
    fetches: Vec<i64>,
    forger: SigningKey,
    forged: usize,
}

impl World {
    /// Everything is well, and the keys are there.
    fn new(published: Vec<Value>) -> Self {
        let script = Script::new(fetched(None));
        let forger = SigningKey::ed();
        let (under_way, fetches) = (None, Vec::new());
        let mut world =
            Self { script, mood: WELL, published, under_way, clock: 0, fetches, forger, forged: 0 };
        world.run(60_000);
        world.fetches.clear();
        world
    }

    /// Time goes on; whether the gateway has learnt something.
    fn tick(&mut self) -> bool {
        self.script.pass_millis(TICK);
        self.clock += TICK;
        let learnt = self.under_way.take_if(|(_, at, _)| *at <= self.clock);
        if let Some((number, _, reply)) = &learnt {
            self.script.answer(*number, reply);
        }
        if let Some((number, url)) = self.script.step() {
            let document = match url.as_str() {
                DISCOVERY => discovery_document(),
                JWKS => {
                    self.fetches.push(self.clock);
                    // What is published when the issuer is asked, though it may answer late.
                    ok(jwks(&self.published))
                }
                other => panic!("{other}"),
            };
            let (after, reply) = match self.mood {
                Mood::Answers { after } => (after, document),
                Mood::Fails { after } => (after, Reply::Failure("no answer".to_owned())),
                Mood::TooMany => (TICK, answer(429, "", "", "")),
            };
            self.under_way = Some((number, self.clock + after, reply));
        }
        learnt.is_some()
    }

    fn run(&mut self, millis: i64) {
        for _ in 0..millis / TICK {
            self.tick();
        }
    }

    /// The last word on a token, and how long it took, with this happening at each tick.
    fn ask_while(&mut self, token: &str, mut each: impl FnMut(&mut Self)) -> (&'static str, i64) {
        let came = self.script.now();
        let mut waited = 0;
        loop {
            match self.script.verdict_since(token, came) {
                "wait" if waited < PATIENCE => {}
                verdict => return (verdict, waited),
            }
            loop {
                each(self);
                waited += TICK;
                if self.tick() || waited >= PATIENCE {
                    break;
                }
            }
        }
    }

    fn ask(&mut self, token: &str) -> (&'static str, i64) {
        self.ask_while(token, |_| {})
    }

    /// A token that the issuer never made comes, with this `kid`.
    fn forge(&mut self, kid: &str) -> &'static str {
        self.script.verdict(&self.forger.token(kid, &claims()))
    }

    /// The same with a new `kid`.
    fn forge_anew(&mut self) {
        self.forged += 1;
        let kid = format!("made-up-{}", self.forged);
        self.forge(&kid);
    }

    /// Fetches in an hour at the pace of those since then.
    fn fetches_an_hour(&self, since: i64) -> i64 {
        let at: Vec<i64> = self.fetches.iter().copied().filter(|at| *at >= since).collect();
        let (first, last) = (at.first().unwrap(), at.last().unwrap());
        i64::try_from(at.len() - 1).unwrap() * 3_600_000 / (last - first)
    }
}

fn token(key: &SigningKey, kid: &str) -> String {
    key.token(kid, &claims())
}

#[test]
fn one_forged_token_every_ten_seconds_holds_up_no_rotation() {
    let keys: Vec<SigningKey> = (0..40).map(|_| SigningKey::ed()).collect();
    let mut world = World::new(vec![SigningKey::ed().jwk("first")]);
    for (index, key) in keys.iter().enumerate() {
        world.forge_anew();
        // Whenever the rotation comes after it, and the first token of the new key.
        world.run(i64::try_from(index).unwrap() * 240);
        let kid = format!("new-{index}");
        world.published = vec![key.jwk(&kid)];
        let (verdict, took) = world.ask(&token(key, &kid));
        assert!(verdict == "ok" && took <= 2_000, "{index}: {verdict} after {took} ms");
        world.run(10_000);
    }
}

#[test]
fn a_flood_of_made_up_kids_holds_up_no_rotation_and_hammers_no_issuer() {
    let keys: Vec<SigningKey> = (0..8).map(|_| SigningKey::ed()).collect();
    let mut world = World::new(vec![SigningKey::ed().jwk("first")]);
    // 200 a second, no two alike: more than are remembered.
    let flood = |world: &mut World| (0..4).for_each(|_| world.forge_anew());
    let begun = world.clock;
    for (index, key) in keys.iter().enumerate() {
        for _ in 0..(3_000 + index * 140) / 20 {
            flood(&mut world);
            world.tick();
        }
        let kid = format!("new-{index}");
        world.published = vec![key.jwk(&kid)];
        let (verdict, took) = world.ask_while(&token(key, &kid), flood);
        assert!(verdict == "ok" && took <= 2_000, "{index}: {verdict} after {took} ms");
    }
    assert!(world.forged > 5_000, "{}", world.forged);
    assert!(world.fetches_an_hour(begun) <= 2_400, "{}", world.fetches_an_hour(begun));
    let apart = world.fetches.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(apart >= 1_500, "{apart}");
}

#[test]
fn one_made_up_kid_again_and_again_causes_fewer_fetches() {
    let mut world = World::new(vec![SigningKey::ed().jwk("first")]);
    let begun = world.clock;
    for round in 0..30 {
        let made_up = token(&world.forger, "made-up");
        let (verdict, took) = world.ask(&made_up);
        assert_eq!(verdict, "key_unknown", "{round}, after {took} ms");
    }
    assert!(world.fetches_an_hour(begun) <= 900, "{}", world.fetches_an_hour(begun));
}

#[test]
fn a_kid_that_was_asked_for_before_it_was_published_passes_once_it_is() {
    let key = SigningKey::ed();
    let mut world = World::new(vec![SigningKey::ed().jwk("first")]);
    // The kid is foreseeable, or the issuer publishes late.
    for _ in 0..5 {
        let early = token(&world.forger, "2027-01");
        assert_eq!(world.ask(&early).0, "key_unknown");
    }
    world.published = vec![key.jwk("2027-01")];
    let (verdict, took) = world.ask(&token(&key, "2027-01"));
    assert!(verdict == "ok" && took <= PATIENCE, "{verdict} after {took} ms");
}

#[test]
fn rotations_in_quick_succession_refuse_nobody() {
    let keys: Vec<SigningKey> = (0..10).map(|_| SigningKey::ed()).collect();
    let mut world = World::new(vec![SigningKey::ed().jwk("first")]);
    for (index, key) in keys.iter().enumerate() {
        let kid = format!("new-{index}");
        world.published = vec![key.jwk(&kid)];
        let (verdict, took) = world.ask(&token(key, &kid));
        assert!(verdict == "ok" && took <= 2_000, "{index}: {verdict} after {took} ms");
    }
}

#[test]
fn another_key_under_an_old_kid_is_fetched_for() {
    let (first, second, third) = (SigningKey::ed(), SigningKey::ed(), SigningKey::ec());
    let mut world = World::new(vec![first.jwk("k")]);
    assert_eq!(world.ask(&token(&first, "k")), ("ok", 0));
    world.published = vec![second.jwk("k")];
    let (verdict, took) = world.ask(&token(&second, "k"));
    assert!(verdict == "ok" && took <= 2_000, "{verdict} after {took} ms");
    // One of another type, whose algorithm the known key refuses.
    world.run(10_000);
    world.published = vec![third.jwk("k")];
    let (verdict, took) = world.ask(&token(&third, "k"));
    assert!(verdict == "ok" && took <= 2_000, "{verdict} after {took} ms");
    // The twin: the former key's tokens are refused, for what they are.
    assert_eq!(world.ask(&token(&second, "k")).0, "alg_not_allowed");
}

#[test]
fn a_flood_of_forged_signatures_causes_few_fetches_and_hides_no_new_key() {
    let (key, next) = (SigningKey::ed(), SigningKey::ed());
    let mut world = World::new(vec![key.jwk("k")]);
    let forged = token(&world.forger, "k");
    assert_eq!(world.ask(&forged).0, "bad_signature");
    let begun = world.clock;
    let flood = |world: &mut World| {
        for _ in 0..5 {
            assert_eq!(world.forge("k"), "wait");
        }
    };
    for _ in 0..3_000 {
        flood(&mut world);
        world.tick();
        assert_eq!(world.script.verdict(&token(&key, "k")), "ok");
    }
    assert!(world.fetches_an_hour(begun) <= 900, "{}", world.fetches_an_hour(begun));
    world.published = vec![next.jwk("k")];
    let (verdict, took) = world.ask_while(&token(&next, "k"), flood);
    assert!(verdict == "ok" && took < PATIENCE, "{verdict} after {took} ms");
}

#[test]
fn a_single_key_is_for_tokens_without_kid_also_after_a_rotation() {
    let (first, second, other) = (SigningKey::ed(), SigningKey::ed(), SigningKey::ec());
    let bare = |key: &SigningKey| {
        let header = format!(r#"{{"alg":"{}"}}"#, key.alg());
        key.compact(&header, &claims().to_string())
    };
    let mut world = World::new(vec![first.jwk("a"), other.jwk("b")]);
    assert_eq!(world.ask(&bare(&first)).0, "ok");
    assert_eq!(world.ask(&bare(&other)).0, "ok");
    world.published = vec![second.jwk("c"), other.jwk("b")];
    let (verdict, took) = world.ask(&bare(&second));
    assert!(verdict == "ok" && took <= 2_000, "{verdict} after {took} ms");
    // With two that fit nobody can tell which one is meant.
    world.published.push(first.jwk("a"));
    assert_eq!(world.ask(&token(&first, "a")).0, "ok");
    assert_eq!(world.ask(&bare(&second)).0, "key_unknown");
}

#[test]
fn an_issuer_that_is_asked_too_often_is_left_alone_for_half_a_minute() {
    let key = SigningKey::ed();
    let mut world = World::new(vec![SigningKey::ed().jwk("first")]);
    world.mood = Mood::TooMany;
    world.forge_anew();
    world.run(1_000);
    assert_eq!(world.fetches.len(), 1);
    world.mood = WELL;
    world.published = vec![key.jwk("new")];
    // That is no fault of the caller.
    let (verdict, took) = world.ask(&token(&key, "new"));
    assert_eq!((verdict, took), ("wait", PATIENCE));
    for _ in 0..1_180 {
        world.forge_anew();
        world.tick();
    }
    assert_eq!(world.fetches.len(), 1, "{:?}", world.fetches);
    let (verdict, took) = world.ask(&token(&key, "new"));
    assert!(verdict == "ok" && took <= 2_000, "{verdict} after {took} ms");
}

#[test]
fn an_answer_that_lands_while_a_token_is_looked_at_refuses_nobody() {
    const ROUNDS: usize = 3_000;
    let keys: Vec<SigningKey> = (0..4).map(|_| SigningKey::ed()).collect();
    let tokens: Vec<String> = keys.iter().map(|key| token(key, "k")).collect();
    let sets: Vec<Reply> = keys.iter().map(|key| ok(jwks(&[key.jwk("k")]))).collect();
    let script = Script::with_keys(&[SigningKey::ed().jwk("first")]);
    let at = |round: usize| -> Now { now(0, 1_000_000 * i64::try_from(round + 1).unwrap()) };
    let start = Barrier::new(2);
    // Told at the end: a panic in between would leave the other thread at the barrier.
    let mut refused = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                // The set was asked for before the token comes, and holds its key.
                let fetch = script.issuer().step(at(round));
                start.wait();
                if let Some((number, request)) = fetch {
                    let is_set = request.endpoint.to_string() == JWKS;
                    let discovery = discovery_document();
                    let reply = if is_set { &sets[round % sets.len()] } else { &discovery };
                    script.issuer().answer(number, reply, at(round));
                }
                start.wait();
            }
        });
        for round in 0..ROUNDS {
            start.wait();
            let came = at(round);
            let token = &tokens[round % tokens.len()];
            let outcome = script.verifier.verify(token, came, came.mono);
            if matches!(outcome, Outcome::Refuse(_)) {
                refused.push(format!("{round}: {outcome:?}"));
            }
            start.wait();
        }
    });
    assert!(refused.is_empty(), "{refused:?}");
}

#[derive(Clone, Debug)]
enum Event {
    /// Nothing happens for a while.
    Pass(i64),
    /// Some forged tokens: of new kids, of the next one or of the current one.
    Forge(usize, usize),
    /// The issuer takes another key, under a new kid or the same one, and keeps the former or not.
    Rotate {
        same_kid: bool,
        keeps_old: bool,
    },
    Mood(Mood),
    /// Another process takes over.
    Reload,
    /// A caller comes with a token of the current key.
    Call,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let mood = prop_oneof![
        3 => Just(WELL),
        1 => (0..6_000_i64).prop_map(|after| Mood::Answers { after }),
        1 => (0..8_000_i64).prop_map(|after| Mood::Fails { after }),
    ];
    let event = prop_oneof![
        4 => (1..3_000_i64).prop_map(Event::Pass),
        3 => (1..20_usize, 0..4_usize).prop_map(|(count, kind)| Event::Forge(count, kind)),
        2 => any::<(bool, bool)>()
            .prop_map(|(same_kid, keeps_old)| Event::Rotate { same_kid, keeps_old }),
        1 => mood.prop_map(Event::Mood),
        1 => Just(Event::Reload),
        4 => Just(Event::Call),
    ];
    prop::collection::vec(event, 1..60)
}

/// A caller who waits.
struct Caller {
    token: String,
    came: Now,
    came_at: i64,
    jwk: Value,
}

struct Run {
    world: World,
    keys: Vec<SigningKey>,
    key: usize,
    number: usize,
    callers: Vec<Caller>,
    /// From then on every answer comes in 300 ms.
    well_since: i64,
    passed: usize,
}

impl Run {
    fn new(keys: usize) -> Self {
        let keys: Vec<SigningKey> = (0..keys).map(|_| SigningKey::ed()).collect();
        let world = World::new(vec![keys[0].jwk("kid-0")]);
        let well_since = 0;
        Self { world, keys, key: 0, number: 0, callers: Vec::new(), well_since, passed: 0 }
    }

    fn kid(&self) -> String {
        format!("kid-{}", self.number)
    }

    /// What a caller is told now; whether that is the last word.
    fn tell(&mut self, caller: &Caller) -> bool {
        let verdict = self.world.script.verdict_since(&caller.token, caller.came);
        let waited = self.world.clock - caller.came_at;
        let is_published = self.world.published.contains(&caller.jwk);
        match verdict {
            "ok" => self.passed += 1,
            "wait" => {
                // A pause after a failure, and two fetches at 300 ms.
                let is_late = caller.came_at >= self.well_since + 5_000 && waited >= 4_700;
                assert!(!is_late || !is_published, "{verdict} after {waited} ms");
            }
            _ => assert!(!is_published, "{verdict} after {waited} ms"),
        }
        verdict != "wait" || waited >= PATIENCE
    }

    fn tick(&mut self) {
        let learnt = self.world.tick();
        let callers = std::mem::take(&mut self.callers);
        for caller in callers {
            let is_over = self.world.clock - caller.came_at >= PATIENCE;
            if !(learnt || is_over) || !self.tell(&caller) {
                self.callers.push(caller);
            }
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Pass(millis) => (0..=millis / TICK).for_each(|_| self.tick()),
            Event::Forge(count, kind) => {
                let (current, next) = (self.kid(), format!("kid-{}", self.number + 1));
                for _ in 0..count {
                    match kind {
                        0 => drop(self.world.forge(&current)),
                        1 => drop(self.world.forge(&next)),
                        _ => self.world.forge_anew(),
                    }
                }
            }
            Event::Rotate { same_kid, keeps_old } => {
                self.key = (self.key + 1) % self.keys.len();
                self.number += usize::from(!same_kid);
                let jwk = self.keys[self.key].jwk(&self.kid());
                let mut published = vec![jwk.clone()];
                if keeps_old && !same_kid {
                    published.extend(self.world.published.first().cloned());
                }
                self.world.published = published;
                // No token of a new key comes in the very instant in which it is published.
                self.tick();
            }
            Event::Mood(mood) => {
                let is_well = matches!(mood, Mood::Answers { after } if after <= 300);
                let under_way = self.world.under_way.as_ref().map_or(0, |(_, at, _)| *at);
                self.well_since =
                    if is_well { self.world.clock.max(under_way) } else { i64::MAX / 2 };
                self.world.mood = mood;
            }
            Event::Reload => {
                let stored = self.world.script.issuer().stored();
                let mut script = Script::new(fetched(None));
                script.pass_millis(self.world.clock);
                if let Some(stored) = stored {
                    script.issuer().restore(&stored, script.now()).unwrap();
                }
                self.world.script = script;
                self.world.under_way = None;
                // Those who wait there are served there.
                self.callers.clear();
                if self.well_since < i64::MAX / 2 {
                    self.well_since = self.world.clock;
                }
            }
            Event::Call => {
                let (token, jwk) = {
                    let key = &self.keys[self.key];
                    (token(key, &self.kid()), key.jwk(&self.kid()))
                };
                let (came, came_at) = (self.world.script.now(), self.world.clock);
                let caller = Caller { token, came, came_at, jwk };
                if !self.tell(&caller) {
                    self.callers.push(caller);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_token_of_a_published_key_is_never_refused(events in events()) {
        let mut run = Run::new(12);
        for event in &events {
            run.happen(event);
        }
        // In the end all is well, and a new key is there soon.
        run.happen(&Event::Mood(WELL));
        run.happen(&Event::Pass(40_000));
        run.happen(&Event::Rotate { same_kid: false, keeps_old: false });
        let passed = run.passed;
        run.happen(&Event::Call);
        run.happen(&Event::Pass(4_600));
        prop_assert_eq!(run.passed, passed + 1);
    }
}
