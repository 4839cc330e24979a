//! The scanner of bodies against a slow and obvious reading of the same bytes: serde_json makes a tree,
//! and the rules are applied to it. Bodies are random, of the names that have a meaning and of noise, and
//! come in random pieces. `PROPTEST_CASES` sets their number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod arbitrary;
mod tree;

/// The table of members, read from the sources, and the rules that apply it: the latter are compared.
#[allow(dead_code, missing_docs, unreachable_pub, unnameable_types)]
#[path = "."]
mod vertex {
    #[path = "."]
    pub mod body {
        #[path = "../../src/vertex/body/cap.rs"]
        pub mod cap;
        #[path = "../../src/vertex/body/field.rs"]
        pub mod field;
        #[path = "../../src/vertex/body/name.rs"]
        pub mod name;
        pub mod reference;
    }
}

/// What the table uses of the module.
#[allow(missing_docs, unreachable_pub)]
mod json {
    pub use haproxy_vertex::json::fold_name;
}

/// Every check is on.
#[allow(missing_docs, unreachable_pub)]
mod test_switches {
    pub enum Check {
        SnakeCase,
    }

    pub const fn on(_: Check) -> bool {
        true
    }
}

use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Body, BodyScanner};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vertex::body::reference;

/// How many bodies are read, unless the environment says otherwise.
const CASES: u32 = 4_000;

fn in_pieces(body: &[u8], cuts: &[u8]) -> Result<Body, Reason> {
    let mut scanner = BodyScanner::new();
    let (mut rest, mut sizes) = (body, cuts.iter().cycle());
    while !rest.is_empty() {
        let size = usize::from(*sizes.next().unwrap_or(&255)).clamp(1, rest.len());
        let (piece, after) = rest.split_at(size);
        scanner.push(piece)?;
        rest = after;
    }
    scanner.finish()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test reads its environment")]
fn a_body_says_what_its_tree_says_however_it_is_cut() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let entropy = prop::collection::vec(any::<u8>(), 0..500);
    let cuts = prop::collection::vec(any::<u8>(), 0..6);
    let (mut read, mut refused, mut found) = (0_u32, 0_u32, 0_u32);
    let counts = std::cell::RefCell::new((&mut read, &mut refused, &mut found));
    runner
        .run(&(entropy, cuts), |(entropy, cuts)| {
            let body = arbitrary::body(&entropy);
            let shown = String::from_utf8_lossy(&body);
            let Some(want) = reference::read(&body) else {
                prop_assert_eq!(in_pieces(&body, &cuts), Body::scan(&body), "{} {:?}", shown, cuts);
                return Ok(());
            };
            prop_assert_eq!(&Body::scan(&body), &want, "{}", shown);
            prop_assert_eq!(&in_pieces(&body, &cuts), &want, "{} {:?}", shown, cuts);
            let mut counts = counts.borrow_mut();
            match want {
                Ok(body) if body == Body::default() => *counts.0 += 1,
                Ok(_) => *counts.2 += 1,
                Err(_) => *counts.1 += 1,
            }
            Ok(())
        })
        .unwrap();
    println!("{found} bodies ask for something, {read} for nothing, {refused} are refused");
    assert!(found > cases / 4 && refused > cases / 20, "{found} {read} {refused}");
}
