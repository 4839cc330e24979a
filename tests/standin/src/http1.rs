//! Reading HTTP/1 requests: the head is kept as received, the body is hashed as it passes.

use crate::wire::{Conn, Wire};
use bytes::Buf;
use ring::digest;
use std::ops::Range;

pub const MAX_HEADERS: usize = 128;
const MAX_HEAD: usize = 256 * 1024;

#[derive(Debug)]
pub enum ReadError {
    /// The connection ended; between two requests this is the usual end.
    Gone,
    /// What the client sent is no request that this server takes.
    Bad(&'static str),
}

impl From<crate::wire::Gone> for ReadError {
    fn from(_: crate::wire::Gone) -> Self {
        Self::Gone
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    None,
    One(String),
    Many,
}

/// A request head: the bytes as received, and what this server needs of them.
#[derive(Debug)]
pub struct Head {
    pub raw: Box<[u8]>,
    pub method: String,
    target: Range<usize>,
    pub http11: bool,
    pub host: String,
    pub authorization: Authorization,
    /// `x-goog-api-key`; of several the last.
    pub api_key: Option<String>,
    pub length: u64,
    pub chunked: bool,
    pub close: bool,
    pub expects_continue: bool,
}

impl Head {
    pub fn target(&self) -> &str {
        std::str::from_utf8(&self.raw[self.target.clone()]).unwrap_or("")
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        // What was parsed once parses again.
        let mut space = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut space);
        request.parse(&self.raw).ok()?;
        let found = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).into_owned())
    }

    /// The target split at its question mark.
    pub fn path_and_query(&self) -> (&str, &str) {
        self.target().split_once('?').unwrap_or((self.target(), ""))
    }
}

/// The body as far as it is of interest.
pub struct Body {
    pub length: u64,
    pub sha256: [u8; 32],
    /// The first bytes, at most the limit given to [`read_body`].
    pub kept: Vec<u8>,
    /// The lines behind the last chunk.
    pub trailers: Vec<String>,
}

pub async fn read_head<S: Wire>(conn: &mut Conn<S>) -> Result<Head, ReadError> {
    loop {
        // A stray CRLF after the former body is allowed (RFC 9112 section 2.2).
        while conn.unread.starts_with(b"\r\n") {
            conn.unread.advance(2);
        }
        if !conn.unread.is_empty()
            && let Some((head, used)) = parse_head(&conn.unread)?
        {
            conn.unread.advance(used);
            return Ok(head);
        }
        if conn.unread.len() > MAX_HEAD {
            return Err(ReadError::Bad("request head too large"));
        }
        conn.fill().await?;
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, ReadError> {
    let mut space = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut space);
    let used = match request.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Bad("not an HTTP/1 request")),
    };
    let target = request.path.unwrap_or("/");
    let start = target.as_ptr() as usize - bytes.as_ptr() as usize;
    let http11 = request.version == Some(1);
    let mut head = Head {
        raw: bytes[..used].into(),
        method: request.method.unwrap_or("").to_owned(),
        target: start..start + target.len(),
        http11,
        host: String::new(),
        authorization: Authorization::None,
        api_key: None,
        length: 0,
        chunked: false,
        close: !http11,
        expects_continue: false,
    };
    let mut lengths = 0;
    for header in request.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        let value = value.trim();
        let name = header.name;
        if name.eq_ignore_ascii_case("host") {
            head.host = value.to_ascii_lowercase();
        } else if name.eq_ignore_ascii_case("authorization") {
            head.authorization = match head.authorization {
                Authorization::None => Authorization::One(value.to_owned()),
                _ => Authorization::Many,
            };
        } else if name.eq_ignore_ascii_case("x-goog-api-key") {
            head.api_key = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("content-length") {
            lengths += 1;
            // `parse` alone would take a leading plus sign.
            let digits = value.bytes().all(|b| b.is_ascii_digit());
            head.length = match value.parse() {
                Ok(length) if digits => length,
                _ => return Err(ReadError::Bad("bad Content-Length")),
            };
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if head.chunked || !value.eq_ignore_ascii_case("chunked") {
                return Err(ReadError::Bad("unknown Transfer-Encoding"));
            }
            head.chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            head.close |= value.split(',').any(|v| v.trim().eq_ignore_ascii_case("close"));
        } else if name.eq_ignore_ascii_case("expect") {
            head.expects_continue = value.eq_ignore_ascii_case("100-continue");
        }
    }
    // Ambiguous framing is how requests are smuggled: a proxy must never send it on.
    if lengths > 1 || (lengths == 1 && head.chunked) {
        return Err(ReadError::Bad("ambiguous body length"));
    }
    Ok(Some((head, used)))
}

/// Reads the whole body; keeps at most `keep` bytes of it.
pub async fn read_body<S: Wire>(
    conn: &mut Conn<S>,
    head: &Head,
    keep: usize,
) -> Result<Body, ReadError> {
    let expects_body = head.chunked || head.length > 0;
    if head.expects_continue && expects_body && conn.unread.is_empty() {
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let mut sink = Sink::new(keep);
    let mut trailers = Vec::new();
    if head.chunked {
        loop {
            let line = read_line(conn).await?;
            let digits = line.split(';').next().unwrap_or("").trim();
            let size =
                u64::from_str_radix(digits, 16).map_err(|_| ReadError::Bad("bad chunk size"))?;
            if size == 0 {
                break;
            }
            sink.take(conn, size).await?;
            if !read_line(conn).await?.is_empty() {
                return Err(ReadError::Bad("bad chunk end"));
            }
        }
        // Trailers, up to the empty line.
        loop {
            let line = read_line(conn).await?;
            if line.is_empty() {
                break;
            }
            trailers.push(line);
        }
    } else {
        sink.take(conn, head.length).await?;
    }
    Ok(Body { trailers, ..sink.finish() })
}

async fn read_line<S: Wire>(conn: &mut Conn<S>) -> Result<String, ReadError> {
    loop {
        if let Some(end) = conn.unread.windows(2).position(|w| w == b"\r\n") {
            let line = String::from_utf8_lossy(&conn.unread[..end]).into_owned();
            conn.unread.advance(end + 2);
            return Ok(line);
        }
        if conn.unread.len() > 16 * 1024 {
            return Err(ReadError::Bad("chunk line too long"));
        }
        conn.fill().await?;
    }
}

struct Sink {
    hash: digest::Context,
    length: u64,
    kept: Vec<u8>,
    keep: usize,
}

impl Sink {
    fn new(keep: usize) -> Self {
        Self { hash: digest::Context::new(&digest::SHA256), length: 0, kept: Vec::new(), keep }
    }

    async fn take<S: Wire>(&mut self, conn: &mut Conn<S>, mut left: u64) -> Result<(), ReadError> {
        while left > 0 {
            if conn.unread.is_empty() {
                conn.fill().await?;
            }
            let now = conn.unread.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let bytes = &conn.unread[..now];
            self.hash.update(bytes);
            let room = self.keep.saturating_sub(self.kept.len()).min(now);
            self.kept.extend_from_slice(&bytes[..room]);
            conn.unread.advance(now);
            left -= now as u64;
            self.length += now as u64;
        }
        Ok(())
    }

    fn finish(self) -> Body {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.hash.finish().as_ref());
        Body { length: self.length, sha256, kept: self.kept, trailers: Vec::new() }
    }
}

#[cfg(test)]
#[path = "http1_tests.rs"]
mod tests;
