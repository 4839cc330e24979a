//! Parses a request from HAProxy: HTTP version, method, URL, client and stage, each on a line of
//! its own, then the headers as they came, up to and including the empty line, then the body if it
//! was asked for. No field can hold a line feed: HAProxy refuses such a header or URL.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::net::IpAddr;

use crate::error::{Reason, Refusal};
use crate::gateway::decide::connection::{ClientEnd, address_of};
use crate::gateway::decide::dialect::Dialect;
use crate::gateway::decide::token_values::TokenValues;
use crate::gateway::decide::trace_context::trace_id;
use crate::oidc::{TokenHeader, TokenHeaders};
use crate::policy::{AskedTiers, REQUEST_TYPE, SHARED_REQUEST_TYPE};
use crate::test_switches::{Check, on};
use crate::vertex::{Api, Body, BodyEdit, BodyScanner, Target, respell, vertex_model_name};

/// Headers that change what a request or its answer means without the gateway's knowledge.
const FORBIDDEN_HEADERS: [&str; 7] = [
    "content-encoding",
    "http2-settings",
    "upgrade",
    "x-goog-fieldmask",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// The end of the last header and the empty line.
const END_OF_HEAD: &[u8] = b"\n\r\n";

/// A request's bytes, cut between head and body.
pub(in crate::gateway) struct Received<'r> {
    head: Cow<'r, str>,
    body: &'r [u8],
}

impl<'r> Received<'r> {
    /// Splits head and body. Bytes of the head that are not UTF-8 become a character that no URL
    /// and no token can hold. Without an empty line the head is empty.
    pub(in crate::gateway) fn split(bytes: &'r [u8]) -> Self {
        let end = memchr::memmem::find(bytes, END_OF_HEAD);
        let end = end.map_or(0, |end| end.saturating_add(END_OF_HEAD.len()));
        let (head, body) = bytes.split_at_checked(end).unwrap_or_default();
        let head =
            str::from_utf8(head).map_or_else(|_| String::from_utf8_lossy(head), Cow::Borrowed);
        Self { head, body }
    }

    /// Parses the request; `None` if the head lacks a line or its end: HAProxy 2.6 lets a NUL into
    /// a header and cuts the text there.
    pub(in crate::gateway) fn request(&self) -> Option<Request<'_>> {
        Request::parse(&self.head, self.body)
    }
}

/// A parsed request.
pub(in crate::gateway) struct Request<'r> {
    /// `req.ver`: `1.1`, `2.0`.
    pub(in crate::gateway) version: &'r str,
    /// The method.
    pub(in crate::gateway) method: &'r str,
    /// The URL: in origin form, or over HTTP/2 with scheme and authority.
    pub(in crate::gateway) url: &'r str,
    /// The client's address; none on a Unix socket.
    pub(in crate::gateway) address: Option<IpAddr>,
    /// The client's end of the connection; `None` if HAProxy was not asked for it.
    pub(in crate::gateway) client: Option<ClientEnd>,
    head: &'r str,
    body_stage: BodyStage,
    body: &'r [u8],
    /// What the body asks for, once it was read.
    scanned: OnceCell<Result<Box<Body>, Reason>>,
    /// The model that the beginning of the body names.
    begun_model: OnceCell<Option<String>>,
    /// The URL in origin form, as [`respell`] writes it; `None` for the absolute form over HTTP/1.
    origin: Option<Cow<'r, str>>,
    token_values: TokenValues<'r>,
    has_forbidden_header: bool,
    /// The API that its client is for, by a header that only those of Claude's and Google's send.
    pub(in crate::gateway) client_api: Option<Api>,
    content_type: Option<&'r str>,
    content_length: Option<u64>,
    is_chunked: bool,
    /// Whether the body comes only when the caller is told to go on (RFC 9110 section 10.1.1).
    pub(in crate::gateway) expects_continue: bool,
    /// The tiers that it asks for.
    pub(in crate::gateway) tiers: AskedTiers<'r>,
    /// The last `User-Agent`; empty without one.
    pub(in crate::gateway) user_agent: &'r str,
    /// The caller's own name of its session; empty without one.
    pub(in crate::gateway) session: &'r str,
    /// The trace of a `traceparent` that came; several are none (W3C Trace Context section 3.2).
    trace: Option<Option<&'r str>>,
}

/// Whether HAProxy was asked for the body: `head`, or `body`, the number of its bytes that came, and
/// whether that is all of it (`1` or `true`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyStage {
    NotAsked,
    Given {
        came: Option<u64>,
        is_whole: bool,
    },
    /// It has been read as it passed, this many bytes.
    Read(u64),
}

impl BodyStage {
    fn parse(line: &str) -> Self {
        let mut words = line.split(' ');
        if words.next() != Some("body") {
            return Self::NotAsked;
        }
        let came = words.next().and_then(|count| count.parse().ok());
        Self::Given { came, is_whole: matches!(words.next(), Some("1" | "true")) }
    }
}

/// The state of the body, by the headers and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Payload<'r> {
    /// There is none.
    Empty,
    /// Unknown until the body is asked for.
    Unsaid,
    /// It may have one, which was not asked for yet.
    Unread,
    /// It holds a NUL, where HAProxy cuts a text, or its method takes none.
    Unreadable,
    /// The beginning of a body that has not come as a whole.
    Begun(&'r [u8]),
    /// All of it.
    Whole(&'r [u8]),
    /// Read as it passed.
    Read,
}

impl<'r> Request<'r> {
    /// Parses the head.
    fn parse(head: &'r str, body: &'r [u8]) -> Option<Self> {
        let mut rest = head;
        let mut line = || {
            let (line, behind) = rest.split_at_checked(memchr::memchr(b'\n', rest.as_bytes())?)?;
            rest = behind.get(1..)?;
            Some(line)
        };
        let (version, method, url, client) = (line()?, line()?, line()?, line()?);
        let mut request = Self {
            version,
            method,
            url,
            address: client.split(' ').next().and_then(address_of),
            client: ClientEnd::parse(client),
            head,
            body_stage: BodyStage::parse(line()?),
            body,
            scanned: OnceCell::new(),
            begun_model: OnceCell::new(),
            origin: None,
            token_values: TokenValues::default(),
            has_forbidden_header: false,
            client_api: None,
            content_type: None,
            content_length: None,
            is_chunked: false,
            expects_continue: false,
            tiers: AskedTiers::NONE,
            user_agent: "",
            session: "",
            trace: None,
        };
        request.origin = request.origin_form().map(respell);
        let headers = rest;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', headers.as_bytes()) {
            let line = headers.get(start..end).and_then(|line| line.strip_suffix('\r'));
            start = end + 1;
            match line? {
                "" if start == headers.len() => return Some(request),
                line => {
                    let colon = memchr::memchr(b':', line.as_bytes())?;
                    let (name, value) = line.split_at_checked(colon)?;
                    let value = value.strip_prefix(':').unwrap_or(value);
                    request.read_header(name, value.trim_start_matches(' '));
                }
            }
        }
        None
    }

    fn read_header(&mut self, name: &'r str, value: &'r str) {
        match name {
            "authorization" => self.token_values.add(TokenHeader::Authorization, value),
            "x-api-key" => self.token_values.add(TokenHeader::XApiKey, value),
            "x-goog-api-key" => self.token_values.add(TokenHeader::XGoogApiKey, value),
            "content-type" => {
                let twice = self.content_type.replace(value).is_some();
                self.has_forbidden_header |= twice && on(Check::HeadersOnce);
            }
            "content-length" => {
                let length = value.parse().ok();
                let twice = self.content_length.is_some() && self.content_length != length;
                self.has_forbidden_header |= (twice || length.is_none()) && on(Check::HeadersOnce);
                self.content_length = length;
            }
            "transfer-encoding" => self.is_chunked = true,
            "expect" => self.expects_continue = true,
            "anthropic-version" => self.client_api = Some(Api::Claude),
            "x-goog-api-client" => self.client_api = Some(Api::Gemini),
            "user-agent" => self.user_agent = value,
            REQUEST_TYPE => self.tiers.add_request_type(value),
            SHARED_REQUEST_TYPE => self.tiers.add_shared_request_type(value),
            // Claude Code's, and the two spellings of Codex.
            "x-claude-code-session-id" | "session-id" | "session_id" => {
                if self.session.is_empty() {
                    self.session = value;
                }
            }
            "traceparent" => {
                let is_first = self.trace.is_none();
                self.trace = Some(trace_id(value).filter(|_| is_first));
            }
            _ => {
                self.has_forbidden_header |=
                    FORBIDDEN_HEADERS.contains(&name) && on(Check::ForbiddenHeaders);
            }
        }
    }

    /// The caller's token, in one of the headers that are `read` or in several alike.
    ///
    /// # Errors
    /// `token_missing`, `token_duplicate`, `token_malformed`, `google_token_not_accepted`.
    pub(in crate::gateway) fn token(&self, read: &TokenHeaders) -> Result<&'r str, Refusal> {
        self.token_values.token(read)
    }

    /// The URL in origin form, as [`respell`] writes it.
    ///
    /// # Errors
    /// `url_not_canonical` for the absolute form over HTTP/1.
    pub(in crate::gateway) fn origin_url(&self) -> Result<&str, Reason> {
        self.origin.as_deref().ok_or(Reason::UrlNotCanonical)
    }

    /// The request with its body, which was read as it passed; `bytes` is its length.
    pub(in crate::gateway) fn with_body(self, body: Body, bytes: u64) -> Self {
        let scanned = OnceCell::from(Ok(Box::new(self.by_vertex_names(body))));
        Self { scanned, body_stage: BodyStage::Read(bytes), ..self }
    }

    /// What the body asks for; `bytes` are read once.
    ///
    /// # Errors
    /// `body_not_json`, `body_too_complex`.
    pub(in crate::gateway) fn scanned(&self, bytes: &[u8]) -> Result<&Body, Reason> {
        let scan = || Body::scan(bytes).map(|body| Box::new(self.by_vertex_names(body)));
        let scanned = self.scanned.get_or_init(scan);
        scanned.as_deref().map_err(|reason| *reason)
    }

    /// The change that the body needs on its way to this target.
    pub(in crate::gateway) fn edit_for(&self, target: Option<&Target<'_>>) -> Option<BodyEdit> {
        match self.payload() {
            Payload::Begun(bytes) | Payload::Whole(bytes) => target?.edit_of(bytes),
            _ => None,
        }
    }

    /// The top-level `model` in the beginning of a body, if all of it is there.
    pub(in crate::gateway) fn begun_model(&self, bytes: &[u8]) -> Option<&str> {
        let model = || {
            let mut scanner = BodyScanner::new();
            scanner.push(bytes).ok()?;
            scanner.model_so_far().map(|model| self.by_vertex_name(model))
        };
        self.begun_model.get_or_init(model).as_deref()
    }

    /// The body with its model as Vertex AI names it.
    fn by_vertex_names(&self, body: Body) -> Body {
        let model = body.model.map(|model| self.by_vertex_name(&model));
        Body { model, ..body }
    }

    fn by_vertex_name(&self, model: &str) -> String {
        match Api::of_short(self.path()) {
            Some(Api::Claude) => vertex_model_name(model).into_owned(),
            _ => model.to_owned(),
        }
    }

    /// The path for the log: the URL up to its query.
    pub(in crate::gateway) fn path(&self) -> &'r str {
        let url = self.origin_form().unwrap_or(self.url);
        let end = memchr::memchr2(b'?', b'#', url.as_bytes());
        end.and_then(|end| url.get(..end)).unwrap_or(url)
    }

    /// The trace that the request is part of.
    pub(in crate::gateway) fn trace(&self) -> Option<&'r str> {
        self.trace.flatten()
    }

    /// The format in which the caller's library reads a refusal.
    pub(in crate::gateway) fn dialect(&self) -> Dialect {
        Dialect::of(self.path())
    }

    /// The reason to refuse the request for one of its headers.
    pub(in crate::gateway) fn forbidden_header(&self) -> Option<Reason> {
        self.has_forbidden_header.then_some(Reason::HeaderNotAllowed)
    }

    /// The length of the body, in bytes; `None` if it is not declared and not all of it came.
    pub(in crate::gateway) fn body_bytes(&self) -> Option<u64> {
        match (self.payload(), self.body_stage) {
            (Payload::Empty, _) => Some(0),
            (Payload::Read, BodyStage::Read(bytes)) => Some(bytes),
            (Payload::Whole(body), _) => u64::try_from(body.len()).ok(),
            _ => self.content_length.filter(|_| !self.is_chunked),
        }
    }

    /// The head without the headers that carry the token, for a request that is decided on later.
    pub(in crate::gateway) fn head_without_token(&self) -> String {
        let mut kept = String::with_capacity(self.head.len());
        for line in self.head.split_inclusive('\n') {
            let name = line.split(':').next().unwrap_or_default();
            if TokenHeader::ALL.iter().all(|header| header.name() != name) {
                kept.push_str(line);
            }
        }
        kept
    }

    /// Bytes of head and body that came.
    pub(in crate::gateway) fn bytes_that_came(&self) -> (u64, u64) {
        let [head, body] = [self.head.len(), self.body.len()]
            .map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
        match self.body_stage {
            BodyStage::Given { came: Some(came), .. } => (head, came),
            _ => (head, body),
        }
    }

    /// Whether the body's text ends early, at a NUL.
    pub(in crate::gateway) fn holds_nul(&self) -> bool {
        let given = u64::try_from(self.body.len()).unwrap_or(u64::MAX);
        matches!(self.body_stage, BodyStage::Given { came: Some(came), .. } if came > given)
    }

    /// Whether HAProxy was asked for the body.
    const fn has_body(&self) -> bool {
        matches!(self.body_stage, BodyStage::Given { .. })
    }

    /// What is known of the body; a small one of declared length may have come with the head. Over
    /// HTTP/1 the headers tell that there is none; over HTTP/2 and 3 a method that takes none may
    /// bring one without Content-Length.
    pub(in crate::gateway) fn payload(&self) -> Payload<'r> {
        let given = u64::try_from(self.body.len()).ok();
        let declared = self.content_length.filter(|_| !self.is_chunked);
        match (self.body_stage, self.content_length) {
            (BodyStage::Read(_), _) => Payload::Read,
            (_, Some(0)) => Payload::Empty,
            (_, None) if matches!(self.method, "GET" | "DELETE") && !self.is_chunked => {
                match self.version {
                    "1.0" | "1.1" => Payload::Empty,
                    _ if !self.has_body() => Payload::Unsaid,
                    _ if self.body.is_empty() => Payload::Empty,
                    _ => Payload::Unreadable,
                }
            }
            (BodyStage::NotAsked, _) if declared.is_some() && declared == given => {
                Payload::Whole(self.body)
            }
            (BodyStage::NotAsked, _) => Payload::Unread,
            (BodyStage::Given { .. }, _) if !on(Check::WholeBody) => Payload::Whole(self.body),
            (BodyStage::Given { came, .. }, _) if came != given => Payload::Unreadable,
            (BodyStage::Given { is_whole: true, .. }, _) => match declared {
                Some(_) if declared != given => Payload::Unreadable,
                _ if self.body.is_empty() => Payload::Empty,
                _ => Payload::Whole(self.body),
            },
            (BodyStage::Given { is_whole: false, .. }, _) => Payload::Begun(self.body),
        }
    }

    /// Whether the body is declared as JSON in UTF-8 (RFC 8259 section 8.1).
    pub(in crate::gateway) fn is_json(&self) -> bool {
        let mut parts = self.content_type.unwrap_or_default().split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let is_json = media_type.eq_ignore_ascii_case("application/json")
            && parts.all(|parameter| {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                name.eq_ignore_ascii_case("charset")
                    && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            });
        is_json || !on(Check::JsonType)
    }

    /// The URL in origin form. HAProxy shows a request over HTTP/2 or 3 with scheme and authority;
    /// over HTTP/1 only a client that means another host sends them.
    fn origin_form(&self) -> Option<&'r str> {
        if self.url.starts_with('/') {
            return Some(self.url);
        }
        let rest =
            self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"))?;
        let shown_so = matches!(self.version, "2.0" | "3.0") || !on(Check::OriginForm);
        rest.find('/').filter(|_| shown_so).and_then(|at| rest.get(at..))
    }
}

/// Leaves out the caller's token.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request {{ {} {} }}", self.method, self.path())
    }
}
