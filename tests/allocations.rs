//! What a decision on a token that is known takes from the heap: the verdict's text, and the log tail
//! that its call keeps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::at;
use common::gateway::{Ask, BACKENDS, Said, URL, member};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use haproxy_vertex::gateway::{Gateway, Style};
use haproxy_vertex::haproxy::Haproxy;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: it hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_decision_allocates_its_text_and_its_calls_tail_and_nothing_else() {
    let key = SigningKey::rsa();
    let mut settings = minimal();
    settings["roles"][0]["body"] = serde_json::json!("unread");
    let config = Files::new(&key).load(&settings.to_string()).unwrap();
    let host = Haproxy { accounts: true, ..haproxy(BACKENDS) };
    let gateway = Gateway::open(config, &host, at(0)).unwrap();
    let request = Ask::with(&key.token("k1", &member())).url(URL).bytes();
    let mut counts = Vec::new();
    for _ in 0..200 {
        let before = COUNT.with(Cell::get);
        let verdict = gateway.decide(&request, at(1));
        counts.push(COUNT.with(Cell::get) - before);
        assert_eq!(Said::new(&verdict).decision(), "allow");
        let ended = format!("-{verdict}^^200^200^");
        assert!(gateway.log_fields(&ended, Style::Text, at(1)).is_some());
    }
    // The first verify the token, and tables grow now and then.
    counts.sort_unstable();
    assert_eq!(counts[counts.len() / 2], 2, "{counts:?}");
}
