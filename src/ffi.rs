//! The C face of the same engine, for hosts without Lua. Every function checks its pointers and
//! lengths before it uses one, writes its outputs however it ends, lets no panic out and decides
//! nothing. Statuses keep their numbers for ever.

use std::collections::HashMap;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use zeroize::Zeroizing;

use crate::config::Config;
use crate::fetch::{Answer, Header, Headers, Id, Reply};
use crate::gateway::{Fetch, Gateway};
use crate::haproxy::{API_KEYS, Haproxy};
use crate::host;
use crate::time::{Monotonic, Now, UnixTime};

/// How a call ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HvStatus {
    /// It did what it is for.
    Ok = 0,
    /// A pointer that must not be NULL is, or it is not aligned for what it points at.
    Null = 1,
    /// A text is not UTF-8.
    NotUtf8 = 2,
    /// The configuration cannot be used; the error text says why.
    Config = 3,
    /// The buffer is too small; the length that is needed was written.
    TooSmall = 4,
    /// There is nothing to do now.
    Nothing = 5,
    /// A failure inside; treat it as a refusal.
    Internal = 6,
    /// A length or size is larger than any object can be (`PTRDIFF_MAX`): a negative number, or
    /// the length of something else.
    TooLarge = 7,
}

/// Both clocks: Unix seconds, and milliseconds of a clock that never steps.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HvClock {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: i64,
    /// Milliseconds since whatever moment.
    pub monotonic_millis: i64,
}

/// A header field (RFC 9110 section 5) of a request or an answer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HvHeader {
    /// The field name, closed by NUL.
    pub name: *const c_char,
    /// The field value, closed by NUL: any bytes, as HTTP leaves their meaning open.
    pub value: *const c_char,
}

/// A request that the host is to send. All of it belongs to the library, until `hv_request_free`.
/// Later versions may add members at the end. Header fields and body may be secrets.
#[repr(C)]
#[derive(Debug)]
pub struct HvRequest {
    /// What the answer is given back with; not 0.
    pub id: u64,
    /// The method, closed by NUL: `GET`, `POST` or `PUT`.
    pub method: *const c_char,
    /// The URL, closed by NUL. It begins with `https://`, whose server must be verified, or with
    /// `http://`, and names the host of a backend `vertex_fetch_<host>`.
    pub url: *const c_char,
    /// The header fields beside `Host` and `Content-Length`, `header_count` of them; NULL for none.
    pub headers: *const HvHeader,
    /// How many there are.
    pub header_count: usize,
    /// The body, `body_length` bytes; NULL for none.
    pub body: *const u8,
    /// How long it is, in bytes.
    pub body_length: usize,
}

/// A configuration at work. Any number of threads may use one at a time.
#[derive(Debug)]
pub struct HvGateway(Gateway);

/// What a host reads, and what that points at. The view stands first: a pointer to it is one to all.
#[repr(C)]
struct OwnedRequest {
    view: HvRequest,
    headers: Vec<HvHeader>,
    /// Each closed by NUL.
    texts: Vec<Zeroizing<Vec<u8>>>,
    body: Zeroizing<Vec<u8>>,
}

impl OwnedRequest {
    fn new(Fetch { id, request }: &Fetch) -> Self {
        let mut texts = Vec::new();
        let mut text = |text: &str| {
            let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
            let start: *const c_char = bytes.as_ptr().cast();
            texts.push(bytes);
            start
        };
        let (method, url) = (text(request.method.name()), text(&request.endpoint.to_string()));
        let header = |header: &Header| {
            let name = text(&header.name);
            HvHeader { name, value: text(header.value.as_str()) }
        };
        let headers: Vec<HvHeader> = request.headers.iter().map(header).collect();
        let body = request.body.clone();
        let view = HvRequest {
            id: (*id).into(),
            method,
            url,
            headers: start_of(&headers),
            header_count: headers.len(),
            body: start_of(&body),
            body_length: body.len(),
        };
        Self { view, headers, texts, body }
    }

    /// Hands it out; `hv_request_free` takes it back.
    fn into_raw(self) -> *const HvRequest {
        Box::into_raw(Box::new(self)).cast::<HvRequest>().cast_const()
    }
}

/// Where the elements are; NULL where there are none.
const fn start_of<T>(elements: &[T]) -> *const T {
    if elements.is_empty() { ptr::null() } else { elements.as_ptr() }
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The version of this library, as `MAJOR.MINOR.PATCH`; it lives as long as the library.
#[unsafe(no_mangle)]
pub extern "C" fn hv_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Loads the configuration file `config` for a host that can reach the `backend_count` names in
/// `backends` (`vertex_<location>`, `vertex_fetch_<host>`), and writes the gateway to `*gateway`:
/// give it back with `hv_free`. Files are read here, and not again. Where it does not end with
/// `HV_STATUS_OK`, `*gateway` is NULL. On `HV_STATUS_CONFIG` what is wrong is written to `error`, cut
/// to `error_size` bytes with the closing NUL; otherwise `error` is empty.
///
/// # Safety
/// `config` and each of `backends` end in NUL; `backends` holds `backend_count` pointers; `error`
/// has room for `error_size` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hv_open(
    config: *const c_char,
    backends: *const *const c_char,
    backend_count: usize,
    now: HvClock,
    gateway: *mut *mut HvGateway,
    error: *mut c_char,
    error_size: usize,
) -> HvStatus {
    guarded(|| {
        // SAFETY: the caller promises room for one pointer, and for `error_size` bytes.
        let (out, size) = unsafe { (output(gateway, ptr::null_mut()), empty(error, error_size)) };
        out.and(size)?;
        // SAFETY: the caller promises a text that ends in NUL.
        let config = unsafe { text(config) }?;
        // SAFETY: the caller promises `backend_count` pointers.
        let names = unsafe { elements(backends, backend_count) }?.iter();
        // SAFETY: the caller promises texts that end in NUL.
        let names = names.map(|name| unsafe { text(*name) }.map(str::to_owned));
        let backends = names.collect::<Result<Vec<_>, _>>()?;
        // Buffers are HAProxy's business, and so is what is sent; this host has none to check.
        let host = Haproxy {
            backends,
            bufsize: usize::MAX,
            maxrewrite: usize::MAX / 2,
            switches: HashMap::from([(API_KEYS, "on".to_owned())]),
            ..Haproxy::default()
        };
        let opened = Config::load(config, &host::read_file, &host::variable)
            .and_then(|config| Gateway::open(config, &host, now.into()));
        match opened {
            Ok(opened) => {
                let opened = Box::into_raw(Box::new(HvGateway(opened)));
                // SAFETY: it was written to before.
                unsafe { gateway.write(opened) };
                Ok(())
            }
            Err(problem) => {
                // SAFETY: the caller promises `error_size` bytes, or NULL.
                unsafe { write_cut(&problem.to_string(), error, error_size) };
                Err(HvStatus::Config)
            }
        }
    })
}

/// Decides on one request, and decides only: HTTP version (`1.1`), method, URL, peer and stage, each
/// with a line feed behind it, then the headers (`name: value`, CR, LF; names in lower case) and an
/// empty line (CR, LF). The verdict is a line of text, not closed by NUL; its length is written to
/// `*length`, also when `verdict_size` is too small for it, and 0 where there is none. What does not
/// begin with `allow|` is a refusal, as is every status but `HV_STATUS_OK`. At first the peer is `-`,
/// or the address alone, and the stage `head`. A verdict that begins with `peer|` asks for the peer
/// (`src`, `ssl_c_used`/`ssl_c_verify`, the certificate's subject and SHA-256 in hexadecimal,
/// separated by blanks), one with `body|` for both and, with the stage `body`, for the body behind
/// the empty line. An allow costs the limits that apply what the request is expected to
/// take; nobody tells what it took.
///
/// # Safety
/// `gateway` is of `hv_open`; `request` holds `request_length` bytes; `verdict` has room for
/// `verdict_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hv_decide(
    gateway: *const HvGateway,
    request: *const u8,
    request_length: usize,
    now: HvClock,
    verdict: *mut c_char,
    verdict_size: usize,
    length: *mut usize,
) -> HvStatus {
    guarded(|| {
        // SAFETY: the caller promises room for a length.
        unsafe { output(length, 0) }?;
        if verdict.is_null() {
            return Err(HvStatus::Null);
        }
        fits(verdict_size)?;
        // SAFETY: the caller promises a gateway of `hv_open`.
        let gateway = unsafe { opened(gateway) }?;
        // SAFETY: the caller promises that many bytes.
        let request = unsafe { elements(request, request_length) }?;
        let text = gateway.decide(request, now.into());
        // SAFETY: it was written to before.
        unsafe { length.write(text.len()) };
        if text.len() > verdict_size {
            return Err(HvStatus::TooSmall);
        }
        // SAFETY: there is room, and a new text does not overlap the caller's buffer.
        unsafe { verdict.copy_from_nonoverlapping(text.as_ptr().cast(), text.len()) };
        Ok(())
    })
}

/// Does what is due: signs tokens, and names a request that the host is to send now, once and without
/// following redirects. A pointer to it is written to `*request`: give it back with `hv_request_free`,
/// before `hv_answer` or after it, whichever thread that is. `HV_STATUS_NOTHING`: call again within a
/// second. Where it does not end with `HV_STATUS_OK`, `*request` is NULL and no request is due.
///
/// # Safety
/// `gateway` is of `hv_open`; `request` has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hv_step(
    gateway: *const HvGateway,
    now: HvClock,
    request: *mut *const HvRequest,
) -> HvStatus {
    guarded(|| {
        // SAFETY: the caller promises room for one pointer.
        unsafe { output(request, ptr::null()) }?;
        // SAFETY: the caller promises a gateway of `hv_open`.
        let gateway = unsafe { opened(gateway) }?;
        let fetch = gateway.step(now.into()).ok_or(HvStatus::Nothing)?;
        // SAFETY: it was written to before.
        unsafe { request.write(OwnedRequest::new(&fetch).into_raw()) };
        Ok(())
    })
}

/// Ends a request, and overwrites what it holds, which may be a secret. NULL is let be, and so is a
/// pointer that cannot be of `hv_step`.
///
/// # Safety
/// `request` is of `hv_step`, unchanged, and nobody reads it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hv_request_free(request: *const HvRequest) {
    guarded(|| {
        let request = request.cast_mut().cast::<OwnedRequest>();
        if request.is_null() || !request.is_aligned() {
            return Err(HvStatus::Null);
        }
        // SAFETY: `into_raw` made it from a box, and the caller gives it up.
        drop(unsafe { Box::from_raw(request) });
        Ok(())
    });
}

/// Takes what request `id` brought: the status of the answer, its `header_count` header fields, its
/// body. `status` 0 says that there was no answer, or none that is whole. `headers` may be NULL where
/// `header_count` is 0, and `body` where `body_length` is 0. All header fields are wanted, a line of
/// its own each, names in any case; what is in them decides how long a document is used. Where it
/// does not end with `HV_STATUS_OK`, nothing was taken, and the request still waits for its answer.
///
/// # Safety
/// `gateway` is of `hv_open`; `headers` holds `header_count` fields, whose texts end in NUL; `body`
/// holds `body_length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hv_answer(
    gateway: *const HvGateway,
    id: u64,
    status: u16,
    headers: *const HvHeader,
    header_count: usize,
    body: *const u8,
    body_length: usize,
    now: HvClock,
) -> HvStatus {
    guarded(|| {
        // SAFETY: the caller promises a gateway of `hv_open`.
        let gateway = unsafe { opened(gateway) }?;
        // SAFETY: the caller promises that many fields.
        let lines = unsafe { elements(headers, header_count) }?.iter().map(|header| {
            // SAFETY: the caller promises texts that end in NUL.
            unsafe { Ok((text(header.name)?, octets(header.value)?)) }
        });
        let headers = Headers::new(lines.collect::<Result<Vec<_>, HvStatus>>()?);
        // SAFETY: the caller promises that many bytes.
        let body = unsafe { elements(body, body_length) }?;
        let reply = match status {
            0 => Reply::Failure("no answer".to_owned()),
            _ => Reply::Answer(Answer::new(status, headers, body.to_vec())),
        };
        gateway.answer(Id::from(id), &reply, now.into());
        Ok(())
    })
}

/// Ends a gateway; NULL is let be, and so is a pointer that cannot be of `hv_open`.
///
/// # Safety
/// `gateway` is of `hv_open`, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hv_free(gateway: *mut HvGateway) {
    guarded(|| {
        if gateway.is_null() || !gateway.is_aligned() {
            return Err(HvStatus::Null);
        }
        // SAFETY: `hv_open` made it from a box, and the caller gives it up.
        drop(unsafe { Box::from_raw(gateway) });
        Ok(())
    });
}

impl From<HvClock> for Now {
    fn from(clock: HvClock) -> Self {
        Self { wall: UnixTime(clock.unix_seconds), mono: Monotonic(clock.monotonic_millis) }
    }
}

fn guarded(body: impl FnOnce() -> Result<(), HvStatus>) -> HvStatus {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => HvStatus::Ok,
        Ok(Err(status)) => status,
        Err(_) => HvStatus::Internal,
    }
}

/// # Safety
/// `value` is NULL or ends in NUL.
unsafe fn text<'a>(value: *const c_char) -> Result<&'a str, HvStatus> {
    // SAFETY: the same promise.
    str::from_utf8(unsafe { octets(value) }?).map_err(|_| HvStatus::NotUtf8)
}

/// # Safety
/// `value` is NULL or ends in NUL.
unsafe fn octets<'a>(value: *const c_char) -> Result<&'a [u8], HvStatus> {
    if value.is_null() {
        return Err(HvStatus::Null);
    }
    // SAFETY: not NULL, and the caller promises that it ends in NUL.
    Ok(unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// # Safety
/// `gateway` is of `hv_open`, or NULL.
unsafe fn opened<'a>(gateway: *const HvGateway) -> Result<&'a Gateway, HvStatus> {
    if gateway.is_null() || !gateway.is_aligned() {
        return Err(HvStatus::Null);
    }
    // SAFETY: the caller promises a gateway, and it is neither NULL nor crooked.
    Ok(&unsafe { &*gateway }.0)
}

/// # Safety
/// `start` holds `count` elements, or `count` is 0.
unsafe fn elements<'a, T>(start: *const T, count: usize) -> Result<&'a [T], HvStatus> {
    if count == 0 {
        return Ok(&[]);
    }
    if start.is_null() || !start.is_aligned() {
        return Err(HvStatus::Null);
    }
    fits(count.checked_mul(size_of::<T>()).ok_or(HvStatus::TooLarge)?)?;
    // SAFETY: not NULL, aligned, not too large, and the caller promises that many elements.
    Ok(unsafe { std::slice::from_raw_parts(start, count) })
}

/// Whether an object can have this size in bytes.
const fn fits(size: usize) -> Result<(), HvStatus> {
    if size <= isize::MAX.unsigned_abs() { Ok(()) } else { Err(HvStatus::TooLarge) }
}

/// Writes what an output holds as long as there is nothing better.
///
/// # Safety
/// `to` has room for one `T`, or is NULL.
unsafe fn output<T>(to: *mut T, value: T) -> Result<(), HvStatus> {
    if to.is_null() || !to.is_aligned() {
        return Err(HvStatus::Null);
    }
    // SAFETY: not NULL, aligned, and the caller promises room for it.
    unsafe { to.write(value) };
    Ok(())
}

/// Writes an empty text.
///
/// # Safety
/// `to` has room for `size` bytes, or is NULL.
unsafe fn empty(to: *mut c_char, size: usize) -> Result<(), HvStatus> {
    fits(size)?;
    // SAFETY: the caller promises the room.
    unsafe { write_cut("", to, size) };
    Ok(())
}

/// Writes as much of `text` as fits with a closing NUL.
///
/// # Safety
/// `to` has room for `size` bytes, or is NULL.
unsafe fn write_cut(text: &str, to: *mut c_char, size: usize) {
    if to.is_null() || size == 0 {
        return;
    }
    let length = text.len().min(size - 1);
    // SAFETY: `length` and the NUL fit, and a new text does not overlap the caller's buffer.
    unsafe {
        to.copy_from_nonoverlapping(text.as_ptr().cast(), length);
        to.add(length).write(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{Endpoint, FieldValue, Request};

    /// A request's texts and bytes, as a host reads them.
    fn read(request: *const HvRequest) -> (u64, Vec<String>, Vec<u8>) {
        // SAFETY: it is of `into_raw`, and so is all that it points at.
        unsafe {
            let request = &*request;
            let mut texts = vec![text(request.method).unwrap(), text(request.url).unwrap()];
            for header in elements(request.headers, request.header_count).unwrap() {
                texts.extend([text(header.name).unwrap(), text(header.value).unwrap()]);
            }
            let body = elements(request.body, request.body_length).unwrap();
            (request.id, texts.into_iter().map(str::to_owned).collect(), body.to_vec())
        }
    }

    #[test]
    fn a_host_reads_what_was_asked_for_until_it_gives_it_back() {
        let id = Id { asker: 1, number: 2 };
        let get = Request::get(Endpoint::parse_http("http://metadata.google.internal/x").unwrap());
        let flavor = FieldValue::new("Google").unwrap();
        let get = get.with("metadata-flavor", flavor);
        let sts = Endpoint::parse("https://sts.googleapis.com/v1/token").unwrap();
        let post = Request::post_form(sts, &[("subject_token", "a.b+c"), ("scope", "x y")]);
        let bare = Request::get(post.endpoint.clone());
        let cases = [
            (
                get,
                vec!["GET", "http://metadata.google.internal/x", "metadata-flavor", "Google"],
                "",
            ),
            (
                post,
                vec![
                    "POST",
                    "https://sts.googleapis.com/v1/token",
                    "content-type",
                    "application/x-www-form-urlencoded",
                ],
                "subject_token=a.b%2Bc&scope=x+y",
            ),
            (bare, vec!["GET", "https://sts.googleapis.com/v1/token"], ""),
        ];
        for (request, texts, body) in cases {
            let raw = OwnedRequest::new(&Fetch { id, request }).into_raw();
            let texts = texts.into_iter().map(str::to_owned).collect();
            assert_eq!(read(raw), (0x1_0000_0002, texts, body.as_bytes().to_vec()));
            // SAFETY: it is of `into_raw`, and nobody reads it any more.
            unsafe { hv_request_free(raw) };
        }
    }

    #[test]
    #[allow(clippy::panic, reason = "it shows that none gets out")]
    fn a_panic_is_a_status() {
        assert_eq!(guarded(|| panic!("inside")), HvStatus::Internal);
        assert_eq!(guarded(|| Ok(())), HvStatus::Ok);
    }

    #[test]
    fn no_object_is_larger_than_half_the_memory() {
        let most = isize::MAX.unsigned_abs();
        assert_eq!((fits(most), fits(most + 1)), (Ok(()), Err(HvStatus::TooLarge)));
        assert_eq!((fits(0), fits(usize::MAX)), (Ok(()), Err(HvStatus::TooLarge)));
    }
}
