//! Bodies in any pieces: each cut is read like the whole, and what is accepted is JSON to others, too.
//! The first byte of the input sets the size of the pieces.
#![no_main]

use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Body, BodyScanner};
use libfuzzer_sys::fuzz_target;

fn in_pieces(body: &[u8], size: usize) -> Result<Body, Reason> {
    let mut scanner = BodyScanner::new();
    body.chunks(size).try_for_each(|piece| scanner.push(piece))?;
    scanner.finish()
}

fuzz_target!(|input: &[u8]| {
    let Some((size, body)) = input.split_first() else { return };
    let whole = Body::scan(body);
    assert_eq!(in_pieces(body, usize::from(*size).max(1)), whole);
    if whole.is_ok() {
        assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
    }
});
