//! What reading a request's body costs, in process: honest bodies by the gigabyte, and the longest time
//! of one piece of the bodies that are worst to read. Exit status 1 when a bar was missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use haproxy_vertex::vertex::BodyScanner;
use serde_json::{Value, json};

const ROUNDS: usize = 21;
/// What HAProxy hands on at once.
const PIECE: usize = 24 * 1024;
/// Rounds of a worst body; of each piece the shortest time counts, as others share the machine.
const WORST_ROUNDS: usize = 5;

/// Whether the command line names it, if it names any.
fn is_wanted(name: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| name.contains(&word))
}

fn gigabytes(name: &str, body: &[u8], bar: f64) -> bool {
    if !is_wanted(name) {
        return true;
    }
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            let mut scanner = BodyScanner::new();
            body.chunks(PIECE).for_each(|piece| scanner.push(piece).unwrap());
            black_box(scanner.finish().unwrap());
            started.elapsed().as_secs_f64() * 1e9
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let rate = f64::from(u32::try_from(body.len()).unwrap()) / rounds[rounds.len() / 4];
    println!("{}", json!({ "name": name, "bytes": body.len(), "gb_per_s": rate, "bar": bar }));
    rate >= bar
}

/// Prints the longest time of one piece.
fn longest(name: &str, body: &[u8], bar: f64) -> bool {
    let mut times = vec![f64::INFINITY; body.len().div_ceil(PIECE)];
    for _ in 0..WORST_ROUNDS {
        let mut scanner = BodyScanner::new();
        for (piece, time) in body.chunks(PIECE).zip(&mut times) {
            let started = Instant::now();
            scanner.push(piece).unwrap_or_else(|e| panic!("{name}: {}", e.code()));
            *time = time.min(started.elapsed().as_secs_f64() * 1e3);
        }
        black_box(scanner.finish().unwrap());
    }
    let sum: f64 = times.iter().sum();
    let rate = f64::from(u32::try_from(body.len()).unwrap()) / sum / 1e6;
    let longest = times.into_iter().fold(0.0, f64::max);
    println!(
        "{}",
        json!({ "name": name, "bytes": body.len(), "gb_per_s": rate, "longest_ms": longest, "bar": bar })
    );
    longest <= bar
}

fn with_parts(parts: &Value) -> Vec<u8> {
    json!({ "contents": [{ "role": "user", "parts": parts }] }).to_string().into_bytes()
}

/// A body of this many bytes, of parts that come one after the other.
fn made(bytes: usize, head: &str, part: &dyn Fn(usize) -> String, tail: &str) -> Vec<u8> {
    let mut body = head.as_bytes().to_vec();
    let mut index = 0;
    while body.len() < bytes {
        body.extend_from_slice(part(index).as_bytes());
        index += 1;
    }
    body.extend_from_slice(tail.as_bytes());
    body
}

/// An object of these names.
fn object(count: usize, name: &dyn Fn(usize) -> String, value: &str) -> String {
    let names: Vec<_> = (0..count).map(|index| format!("\"{}\":{value}", name(index))).collect();
    format!("{{{}}}", names.join(","))
}

type Part = Box<dyn Fn(usize) -> String>;

/// What each worst body is made of: what comes before, each part, and what comes after.
fn worst() -> Vec<(&'static str, &'static str, Part, &'static str)> {
    let names = |count: usize, name: &'static dyn Fn(usize, usize) -> String| -> Part {
        Box::new(move |part| object(count, &|index| name(part, index), "1") + ",")
    };
    let fixed = |text: String| -> Part { Box::new(move |_| text.clone()) };
    let listed = |head: &str, each: &dyn Fn(usize) -> String| -> String {
        (0..256).fold(head.to_owned(), |list, index| list + &each(index) + ",")
    };
    vec![
        (
            "names, many in one object",
            "{\"x\":[",
            names(4000, &|p, i| format!("{:x}", p * 4000 + i)),
            "0]}",
        ),
        ("names, the same again", "{\"x\":[", names(4000, &|_, i| format!("{i:x}")), "0]}"),
        (
            "names, to be folded",
            "{\"x\":[",
            names(4000, &|p, i| format!("_{:X}", p * 4000 + i)),
            "0]}",
        ),
        (
            "names that act",
            "{\"x\":[",
            Box::new(|p| object(2000, &|i| format!("{:X}Uri", p * 2000 + i), "null") + ","),
            "0]}",
        ),
        (
            "names, in the caller's own",
            "{\"labels\":[",
            names(4000, &|p, i| format!("{:x}", p * 4000 + i)),
            "0]}",
        ),
        ("names, one an object", "{\"x\":[", names(1, &|p, _| format!("{p:x}")), "0]}"),
        ("names, two an object, folded", "{\"x\":[", names(2, &|p, i| format!("{p:X}{i}")), "0]}"),
        (
            "names below a full object",
            Box::leak(
                (object(4090, &|i| format!("{i:x}"), "1").trim_end_matches('}').to_owned()
                    + ",\"x\":[")
                    .into_boxed_str(),
            ),
            names(3, &|p, i| format!("{p:x}{i}")),
            "0]}",
        ),
        (
            "settings of tools",
            "{\"tools\":[",
            Box::new(|p| {
                let settings = object(200, &|i| format!("{:X}", p * 200 + i), "1");
                settings.replacen('{', "{\"type\":\"function\",", 1) + ","
            }),
            "0]}",
        ),
        (
            "a tool in each object",
            "{\"tools\":[",
            fixed("{\"type\":\"function\",\"aB\":1},".to_owned()),
            "0]}",
        ),
        (
            "tools, the same again",
            "{\"tools\":[",
            fixed(object(250, &|i| format!("T{i}"), "{}") + ","),
            "0]}",
        ),
        ("objects", "{\"x\":[", fixed("{},".to_owned()), "0]}"),
        ("depth of arrays", "{\"x\":[", fixed("[".repeat(125) + &"]".repeat(125) + ","), "0]}"),
        (
            "depth of objects",
            "{\"x\":[",
            fixed("{\"a\":".repeat(125) + "1" + &"}".repeat(125) + ","),
            "0]}",
        ),
        (
            "depth of objects, 32 names each",
            "{\"x\":[",
            Box::new(|p| {
                let names = object(31, &|i| format!("{:x}", p * 31 + i), "1");
                let open = names.trim_end_matches('}').to_owned() + ",\"_\":";
                open.repeat(120) + "1" + &"}".repeat(120) + ","
            }),
            "0]}",
        ),
        ("escapes", "{\"x\":\"", fixed("\\n".repeat(100)), "\"}"),
        ("escapes of code units", "{\"x\":\"", fixed("\\u00e4\\ud83d\\ude00".to_owned()), "\"}"),
        (
            "escapes of an address",
            "{\"x\":[",
            fixed(format!("\"gs://{}\",", "\\u0061".repeat(8000))),
            "0]}",
        ),
        ("characters of four bytes", "{\"x\":\"", fixed("\u{1f600}\u{e4}a".repeat(30)), "\"}"),
        (
            "names with escapes",
            "{\"x\":[",
            Box::new(|p| format!("{{\"\\u{:04x}\":1,\"\\n{p:x}\":1}},", p & 0x7fff)),
            "0]}",
        ),
        (
            "long names",
            "{\"x\":[",
            names(1, &|p, _| format!("{p:08}{}", "aB_".repeat(2700))),
            "0]}",
        ),
        (
            "long names, not ASCII",
            "{\"x\":[",
            names(1, &|p, _| format!("{p:08}{}", "\u{c4}".repeat(4000))),
            "0]}",
        ),
        (
            "names of 64 bytes",
            "{\"x\":[",
            names(1, &|p, _| format!("{p:08}{}", "aB_cDeF".repeat(8))),
            "0]}",
        ),
        ("numbers", "{\"x\":[", fixed("1,".repeat(100)), "0]}"),
        ("numbers, long", "{\"x\":[", fixed("-1234567890.0987654321e-10,".repeat(10)), "0]}"),
        ("numbers of answers", "{\"n\":[", fixed("1e9,1.0,7,".to_owned()), "0]}"),
        ("numbers of answers, large", "{\"n\":[", fixed("1e300,".to_owned()), "0]}"),
        (
            "numbers of answers, hard",
            "{\"n\":[",
            fixed("8.98846567431157953864652595394512366808e307,".to_owned()),
            "0]}",
        ),
        (
            "limits, the same again",
            "{\"fallbacks\":[",
            fixed(listed("", &|i| format!("{{\"max_tokens\":{}}}", i + 1000))),
            "0]}",
        ),
        (
            "addresses, the same again",
            "{\"x\":[",
            fixed(listed("", &|i| format!("\"a://{i:03}\""))),
            "0]}",
        ),
        ("addresses, too short", "{\"x\":[", fixed("\"a:/\",".repeat(50)), "0]}"),
        ("addresses, almost", "{\"x\":[", fixed(format!("\"a://{} \",", "x".repeat(8180))), "0]}"),
        ("schemes", "{\"x\":[", fixed(format!("\"{}\",", "a".repeat(64))), "0]}"),
        ("data URLs", "{\"url\":[", fixed("\"data:,\",\"data:image/png,A\",".to_owned()), "0]}"),
        (
            "media types",
            "{\"x\":[",
            fixed("{\"mimeType\":\"a\",\"data\":\"A\"},".to_owned()),
            "0]}",
        ),
        ("stored state, the same again", "{\"session\":[", fixed("\"s\",".repeat(50)), "0]}"),
        ("texts, empty", "{\"x\":[", fixed("\"\",".repeat(50)), "0]}"),
        ("literals", "{\"x\":[", fixed("true,null,".repeat(20)), "0]}"),
        ("white space", "{\"x\":[", fixed(" \n\t\r".repeat(50)), "0]}"),
    ]
}

fn main() -> ExitCode {
    const MB: usize = 1 << 20;
    let prose = "The quick brown fox jumps over the lazy dog, as it was told, and \"nobody\" saw it again that \
        day. So it went on for years; what became of the dog is not known.\n\nThen another paragraph came, of \
        some more words than the first had, so that there is something to read for everybody.\n";
    let good_prose = gigabytes(
        "prose",
        &with_parts(&json!([{ "text": prose.repeat(8 * MB / prose.len()) }])),
        0.45,
    );
    let wide = "Größere Häuser brauchen längere Türen, sagt man; в городе N жил человек. ";
    gigabytes(
        "prose, not ASCII",
        &with_parts(&json!([{ "text": wide.repeat(8 * MB / wide.len()) }])),
        0.0,
    );
    let code =
        "    let Some(found) = self.next(rest)? else {\n        return Err(\"x\");\n    };\n\n";
    let mut good = gigabytes(
        "code",
        &with_parts(&json!([{ "text": code.repeat(8 * MB / code.len()) }])),
        0.45,
    );
    good &= good_prose;
    let data = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo".repeat(8 * MB / 35);
    let inline = json!([{ "inlineData": { "mimeType": "image/png", "data": data } }]);
    good &= gigabytes("base64", &with_parts(&inline), 0.45);
    let messages: Vec<_> = (0..40_000)
        .map(|index| {
            let role = if index % 2 == 0 { "user" } else { "assistant" };
            json!({ "role": role, "content": format!("This is message {index} of a long conversation; it says little.") })
        })
        .collect();
    let chat = json!({ "model": "google/gemini-2.5-flash", "messages": messages, "stream": true });
    good &= gigabytes("40,000 messages", chat.to_string().as_bytes(), 0.45);
    let contents: Vec<_> = (0..40_000)
        .map(|index| json!({ "role": "user", "parts": [{ "text": format!("This is message {index}, and it says little.") }] }))
        .collect();
    gigabytes("40,000 contents", json!({ "contents": contents }).to_string().as_bytes(), 0.0);
    for bytes in [MB, 8 * MB, 64 * MB] {
        for (name, head, part, tail) in worst().into_iter().filter(|(name, ..)| is_wanted(name)) {
            good &= longest(name, &made(bytes, head, &part, tail), 2.0);
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
