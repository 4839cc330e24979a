//! Response bytes: heads, chunks, and the two shapes in which Google sends a stream.

use crate::clock;

pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Chunked,
    Length(usize),
    /// An HTTP/1.0 client: the end of the connection is the end of the body.
    Close,
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// Appends a response head. `headers` are whole lines, each with its CRLF.
pub fn head(out: &mut Vec<u8>, status: u16, headers: &str, ending: Ending, close: bool) {
    out.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", reason(status)).as_bytes());
    out.extend_from_slice(headers.as_bytes());
    out.extend_from_slice(b"Date: ");
    clock::push_http_date(out);
    out.extend_from_slice(b"\r\n");
    match ending {
        Ending::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Ending::Length(n) => out.extend_from_slice(format!("Content-Length: {n}\r\n").as_bytes()),
        Ending::Close => {}
    }
    if close || ending == Ending::Close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a piece of a body.
pub fn piece(out: &mut Vec<u8>, data: &[u8], ending: Ending) {
    // An empty chunk would be the last one.
    if ending == Ending::Chunked && !data.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    } else {
        out.extend_from_slice(data);
    }
}

/// The shape of a streamed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// `alt=sse`: `data: {…}` and CR LF CR LF.
    Sse,
    /// Without: one JSON array, delivered as its elements become known.
    Array,
}

impl Stream {
    /// The pieces in which the element number `index` goes out, each a chunk of its own.
    pub fn element(self, index: usize, json: &str) -> Vec<String> {
        match (self, index) {
            (Self::Sse, _) => vec![format!("data: {json}\r\n\r\n")],
            (Self::Array, 0) => vec![format!("[{json}")],
            (Self::Array, _) => vec!["\n,\n".to_owned(), json.to_owned()],
        }
    }

    /// An error in the middle. In SSE it stands bare on several lines, without `data: `.
    pub fn error(self, json: &str) -> Vec<String> {
        match self {
            Self::Sse => vec![format!("{json}\r\n\r\n")],
            Self::Array => self.element(1, json),
        }
    }

    pub fn end(self) -> &'static str {
        match self {
            Self::Sse => "",
            Self::Array => "\n]",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_is_json() {
        let mut all = String::new();
        for index in 0..3 {
            all.extend(Stream::Array.element(index, "{\n  \"a\": 1\n}"));
        }
        all.push_str(Stream::Array.end());
        assert!(all.starts_with("[{\n") && all.contains("\n}\n,\n{\n") && all.ends_with("\n}\n]"));
        let value: serde_json::Value = serde_json::from_str(&all).unwrap();
        assert_eq!(value.as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn sse_and_chunks() {
        assert_eq!(Stream::Sse.element(4, "{}"), ["data: {}\r\n\r\n"]);
        assert!(!Stream::Sse.error("{\n}").concat().contains("data:"));
        let mut out = Vec::new();
        piece(&mut out, b"0123456789abcdef0", Ending::Chunked);
        piece(&mut out, b"", Ending::Chunked);
        assert_eq!(out, b"11\r\n0123456789abcdef0\r\n");
    }

    #[test]
    fn heads() {
        let mut out = Vec::new();
        head(&mut out, 429, "A: b\r\n", Ending::Length(3), true);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 429 Too Many Requests\r\nA: b\r\nDate: "));
        assert!(text.ends_with(" GMT\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"));
    }
}
