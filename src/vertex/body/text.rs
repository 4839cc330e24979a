//! Reads JSON strings in pieces of any size: unescapes them, checks their UTF-8, and keeps no more of
//! one than its place needs.

use memchr::{memchr, memchr2};

use crate::error::Reason;
use crate::vertex::body::address::{
    BYTES_THAT_DECIDE, Beginning, begins_as_address, holds_blank, is_address, is_data_url,
};
use crate::vertex::body::media;

/// Most bytes that are kept of a string, unescaped; of a data URL, up to its comma.
const MAX_BYTES: usize = 8192;

/// What a string is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Nothing.
    Skip,
    /// All of it.
    Whole,
    /// An address; another text says nothing.
    Address,
    /// An address of any form, or a data URL.
    Uri,
    /// Data in base64, its address, or a data URL.
    DataOrUri,
}

/// What a string gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given<'t> {
    Nothing,
    Text(&'t str),
    /// Data of this many bytes of base64.
    Data(u64),
    /// A data URL: what stands before its comma, and the bytes behind it.
    DataUrl(&'t str, u64),
}

/// Where a string that has ended is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'p> {
    /// In the piece, as it is.
    Piece(&'p [u8]),
    /// In what was kept.
    Kept,
}

/// What is done with the bytes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Skip,
    Keep,
    /// They are kept, and are to tell what the text is.
    Decide,
    /// They are kept, up to a comma.
    UrlHead,
    /// They are counted: this many so far.
    UrlData(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    /// After a backslash.
    Begun,
    /// Within `\uXXXX`: number of digits to come, and the value of those read.
    Hex(u8, u32),
    /// After the first half of a surrogate pair, and after the backslash of the second.
    Half,
    HalfBegun,
}

/// The string that is being read.
#[derive(Debug)]
pub(super) struct Text {
    purpose: Purpose,
    stage: Stage,
    escape: Escape,
    /// The first half of a surrogate pair.
    half: Option<u32>,
    /// The bytes of a character that a cut goes through, and their number.
    cut: [u8; 4],
    cut_bytes: usize,
    /// Bytes so far, unescaped.
    bytes: u64,
    kept: Vec<u8>,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self {
            purpose: Purpose::Skip,
            stage: Stage::Skip,
            escape: Escape::None,
            half: None,
            cut: [0; 4],
            cut_bytes: 0,
            bytes: 0,
            kept: Vec::new(),
        }
    }

    /// What it holds on the heap.
    #[cfg(test)]
    pub(super) const fn heap_bytes(&self) -> usize {
        self.kept.capacity()
    }

    /// Begins a string, after its quotation mark, or a number.
    pub(super) fn open(&mut self, purpose: Purpose) {
        self.purpose = purpose;
        self.stage = match purpose {
            Purpose::Skip => Stage::Skip,
            Purpose::Whole => Stage::Keep,
            Purpose::Address | Purpose::Uri | Purpose::DataOrUri => Stage::Decide,
        };
        self.bytes = 0;
        self.kept.clear();
    }

    /// Reads on, up to and with the closing quotation mark; `None` if the string continues.
    pub(super) fn feed<'p>(&mut self, rest: &mut &'p [u8]) -> Result<Option<Found<'p>>, Reason> {
        loop {
            if self.escape != Escape::None {
                let Some((byte, tail)) = rest.split_first() else { return Ok(None) };
                *rest = tail;
                self.escaped(*byte)?;
                continue;
            }
            if self.cut_bytes > 0 {
                let Some((byte, tail)) = rest.split_first() else { return Ok(None) };
                *rest = tail;
                self.complete(*byte)?;
                continue;
            }
            // Most strings are short, or have a simple escape in each line.
            let plain = plain_bytes(rest);
            let (segment, after) = rest.split_at(plain);
            match after {
                [b'"', after @ ..] => {
                    *rest = after;
                    return self.end(segment).map(Some);
                }
                [b'\\', after @ ..] => {
                    *rest = after;
                    let next = after.split_first();
                    let Some((meant, after)) =
                        next.and_then(|(b, t)| Some((simple_escape(*b)?, t)))
                    else {
                        self.take(segment)?;
                        self.escape = Escape::Begun;
                        continue;
                    };
                    *rest = after;
                    self.take_escaped(segment, meant)?;
                    continue;
                }
                _ => {}
            }
            let mark = memchr2(b'"', b'\\', after).map(|mark| plain + mark);
            let (segment, after) = rest.split_at(mark.unwrap_or(rest.len()));
            let good = plain + good_bytes(segment.get(plain..).unwrap_or_default());
            if good < segment.len() {
                let (good, bad) = segment.split_at(good);
                // In the order of the bytes, so that each cut gives the same fault.
                self.take(good)?;
                if mark.is_some() || !self.begin_character(bad) {
                    return Err(Reason::BodyNotJson);
                }
                *rest = &[];
                return Ok(None);
            }
            let Some((mark, after)) = after.split_first() else {
                *rest = &[];
                self.take(segment)?;
                return Ok(None);
            };
            *rest = after;
            if *mark == b'"' {
                return self.end(segment).map(Some);
            }
            self.take(segment)?;
            self.escape = Escape::Begun;
        }
    }

    /// Ends the text with these bytes. A text in one piece need not be copied.
    pub(super) fn end<'p>(&mut self, last: &'p [u8]) -> Result<Found<'p>, Reason> {
        if self.bytes == 0 && last.len() <= MAX_BYTES {
            return Ok(Found::Piece(last));
        }
        self.take(last).map(|()| Found::Kept)
    }

    /// The bytes of a text that was read for all of it.
    pub(super) fn whole<'t>(&'t self, found: Found<'t>) -> &'t [u8] {
        match found {
            Found::Piece(piece) => piece,
            Found::Kept => &self.kept,
        }
    }

    /// What a string gives, once it has ended.
    pub(super) fn given<'t>(&'t self, found: Found<'t>) -> Result<Given<'t>, Reason> {
        let bytes = self.whole(found);
        match (self.purpose, found) {
            (Purpose::Skip, _) => return Ok(Given::Nothing),
            (Purpose::Address, Found::Piece(_)) if !begins_as_address(bytes) => {
                return Ok(Given::Nothing);
            }
            _ => {}
        }
        let text = str::from_utf8(bytes).map_err(|_| Reason::BodyNotJson)?;
        if let Found::Kept = found {
            match self.stage {
                Stage::Skip if self.purpose == Purpose::DataOrUri => {
                    return Ok(Given::Data(self.bytes));
                }
                Stage::Skip => return Ok(Given::Nothing),
                Stage::UrlHead => return Ok(Given::DataUrl(text, 0)),
                Stage::UrlData(bytes) => return Ok(Given::DataUrl(text, bytes)),
                Stage::Keep | Stage::Decide => {}
            }
        }
        Ok(match self.purpose {
            Purpose::Skip => Given::Nothing,
            Purpose::Whole => Given::Text(text),
            Purpose::Uri | Purpose::DataOrUri if is_data_url(text) => {
                let (head, data) = text.split_once(',').unwrap_or((text, ""));
                Given::DataUrl(head, media::length(data))
            }
            Purpose::Uri => Given::Text(text),
            Purpose::Address | Purpose::DataOrUri if is_address(text) => Given::Text(text),
            Purpose::Address => Given::Nothing,
            Purpose::DataOrUri => Given::Data(media::length(text)),
        })
    }

    /// Takes bytes of the text, and what an escape behind them means.
    fn take_escaped(&mut self, bytes: &[u8], meant: u8) -> Result<(), Reason> {
        if self.stage == Stage::Skip {
            self.bytes = self.bytes.saturating_add(count(bytes) + 1);
            return Ok(());
        }
        self.take(bytes)?;
        self.take(&[meant])
    }

    /// Takes bytes of the text, unescaped.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        self.bytes = self.bytes.saturating_add(count(bytes));
        match &mut self.stage {
            Stage::Skip => Ok(()),
            Stage::Keep => self.keep(bytes),
            Stage::Decide => self.decide(bytes),
            Stage::UrlHead => self.url_head(bytes),
            Stage::UrlData(so_far) => {
                *so_far = so_far.saturating_add(count(bytes));
                Ok(())
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let room = MAX_BYTES.saturating_sub(self.kept.len());
        let fits = bytes.get(..room).unwrap_or(bytes);
        let wanted = self.kept.len() + fits.len();
        if wanted > self.kept.capacity() {
            // No more than the bound, unlike a vector that grows by itself.
            self.kept.reserve_exact(wanted.next_power_of_two() - self.kept.len());
        }
        self.kept.extend_from_slice(fits);
        if bytes.len() <= room {
            return Ok(());
        }
        // A text that only begins as an address may be of any length.
        let is_looked_into = matches!(self.purpose, Purpose::Address | Purpose::DataOrUri);
        if is_looked_into && self.stage == Stage::Keep && holds_blank(&self.kept) {
            self.skip();
            return Ok(());
        }
        Err(Reason::BodyTooComplex)
    }

    fn skip(&mut self) {
        self.stage = Stage::Skip;
        self.kept.clear();
    }

    fn decide(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let room = BYTES_THAT_DECIDE.saturating_sub(self.kept.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.kept.extend_from_slice(head);
        let beginning = match self.purpose {
            Purpose::Address => Beginning::of_address(&self.kept),
            _ => Beginning::of(&self.kept),
        };
        match (beginning, self.purpose) {
            (Beginning::Unknown, _) => return Ok(()),
            (Beginning::DataUrl, _) => {
                let kept = std::mem::take(&mut self.kept);
                self.stage = Stage::UrlHead;
                self.url_head(&kept)?;
            }
            (Beginning::Address, _) | (_, Purpose::Uri) => self.stage = Stage::Keep,
            (Beginning::Other, _) => self.skip(),
        }
        self.bytes = self.bytes.saturating_sub(count(rest));
        self.take(rest)
    }

    fn url_head(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let comma = memchr(b',', bytes);
        let (head, data) = bytes.split_at(comma.unwrap_or(bytes.len()));
        self.keep(head)?;
        if comma.is_some() {
            self.stage = Stage::UrlData(count(data).saturating_sub(1));
        }
        Ok(())
    }

    /// Keeps the beginning of a character. Returns whether it is one.
    fn begin_character(&mut self, bytes: &[u8]) -> bool {
        let is_one = str::from_utf8(bytes)
            .is_err_and(|fault| fault.valid_up_to() == 0 && fault.error_len().is_none());
        if let Some(cut) = self.cut.get_mut(..bytes.len()).filter(|_| is_one) {
            cut.copy_from_slice(bytes);
            self.cut_bytes = bytes.len();
        }
        is_one
    }

    /// Takes a byte of a character that a cut went through.
    fn complete(&mut self, byte: u8) -> Result<(), Reason> {
        if let Some(slot) = self.cut.get_mut(self.cut_bytes) {
            *slot = byte;
        }
        self.cut_bytes += 1;
        let cut = self.cut;
        let character = cut.get(..self.cut_bytes).unwrap_or_default();
        match str::from_utf8(character) {
            Ok(_) => {
                self.cut_bytes = 0;
                self.take(character)
            }
            Err(fault) if fault.error_len().is_none() => Ok(()),
            Err(_) => Err(Reason::BodyNotJson),
        }
    }

    /// Takes a byte of an escape (RFC 8259 section 7).
    fn escaped(&mut self, byte: u8) -> Result<(), Reason> {
        let meant = match (self.escape, byte) {
            (Escape::Begun | Escape::HalfBegun, b'u') => {
                self.escape = Escape::Hex(4, 0);
                return Ok(());
            }
            (Escape::Half, b'\\') => {
                self.escape = Escape::HalfBegun;
                return Ok(());
            }
            (Escape::Hex(left, value), _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Reason::BodyNotJson)?;
                let value = (value << 4) | digit;
                self.escape = Escape::Hex(left - 1, value);
                return if left == 1 { self.code_unit(value) } else { Ok(()) };
            }
            (Escape::Begun, _) => simple_escape(byte).ok_or(Reason::BodyNotJson)?,
            _ => return Err(Reason::BodyNotJson),
        };
        self.escape = Escape::None;
        self.take(&[meant])
    }

    /// Takes a code unit of UTF-16; half a surrogate pair alone is no character.
    fn code_unit(&mut self, unit: u32) -> Result<(), Reason> {
        let value = match (self.half.take(), unit) {
            (None, 0xd800..=0xdbff) => {
                self.half = Some(unit);
                self.escape = Escape::Half;
                return Ok(());
            }
            (None, _) => unit,
            (Some(half), 0xdc00..=0xdfff) => 0x1_0000 + ((half - 0xd800) << 10) + (unit - 0xdc00),
            (Some(_), _) => return Err(Reason::BodyNotJson),
        };
        self.escape = Escape::None;
        let character = char::from_u32(value).ok_or(Reason::BodyNotJson)?;
        self.take(character.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

/// What a backslash and this byte mean (RFC 8259 section 7); nothing if more follows.
const fn simple_escape(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' | b'/' => Some(byte),
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        b'r' => Some(b'\r'),
        b'b' => Some(8),
        b'f' => Some(12),
        _ => None,
    }
}

/// Number of bytes, 320 at most, before the first that is no ASCII or needs a look: a quotation mark, a
/// backslash, a control character.
fn plain_bytes(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<32>();
    let whole = blocks.iter().take(8).take_while(|block| is_plain(block)).count() * 32;
    whole + plain_words(text.get(whole..).unwrap_or_default())
}

/// Whether none of these bytes needs a look; without a branch, so that it takes many at once.
fn is_plain(block: &[u8; 32]) -> bool {
    let needs_look = |byte: u8| (byte < 0x20) | !byte.is_ascii() | (byte == b'"') | (byte == b'\\');
    !block.iter().fold(false, |found, byte| found | needs_look(*byte))
}

/// The same, eight bytes at a time and 64 at most.
fn plain_words(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let mut plain = 0;
    let (words, _) = text.as_chunks::<8>();
    for word in words.iter().take(8) {
        let word = u64::from_le_bytes(*word);
        // The highest bit of each byte that is zero, or less than a space; up to the first at least.
        let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
        let marks = zeros(word ^ (0x22 * ONES)) | zeros(word ^ (0x5c * ONES));
        let controls = word.wrapping_sub(0x20 * ONES) & !word;
        let found = (marks | controls | word) & HIGH;
        if found != 0 {
            return plain + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
        plain += 8;
    }
    plain
}

/// Bytes before the first that is no UTF-8 or is a control character.
fn good_bytes(segment: &[u8]) -> usize {
    let (mut holds_control, mut all) = (false, 0);
    for byte in segment {
        holds_control |= *byte < 0x20;
        all |= byte;
    }
    if !holds_control && all < 0x80 {
        return segment.len();
    }
    let control = segment.iter().position(|byte| *byte < 0x20).filter(|_| holds_control);
    let segment = segment.get(..control.unwrap_or(segment.len())).unwrap_or_default();
    str::from_utf8(segment).map_or_else(|fault| fault.valid_up_to(), str::len)
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
