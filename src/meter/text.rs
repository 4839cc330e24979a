//! Writes a usage as fields of the log line, and parses them.

use std::fmt::Write as _;

use crate::meter::log_text::LogText;
use crate::meter::usage::{Counted, Usage};

impl Usage {
    /// Writes `tokens=exact tokens_in=8 … parts=1`: 15 fields, always all and in this order, one
    /// space between them, at most 700 bytes. An absent value is `-`.
    pub fn write_fields(&self, out: &mut String) {
        out.push_str("tokens=");
        out.push_str(self.counted.name());
        let counts = [
            (" tokens_in=", self.input),
            (" tokens_out=", self.output),
            (" tokens_cached=", self.cached),
            (" tokens_cache_write=", self.cache_write),
            (" tokens_thought=", self.thought),
            (" tokens_tool_use=", self.tool_use),
            (" tokens_total=", self.total),
            (" images=", self.images),
        ];
        for (name, count) in counts {
            out.push_str(name);
            match count {
                Some(count) => drop(write!(out, "{count}")),
                None => out.push('-'),
            }
        }
        let texts = [
            (" finish=", &self.finish),
            (" block=", &self.block),
            (" response_id=", &self.response_id),
            (" model_version=", &self.model_version),
            (" error=", &self.error),
        ];
        for (name, text) in texts {
            out.push_str(name);
            out.push_str(text.as_ref().map_or("-", LogText::as_str));
        }
        let _ = write!(out, " parts={}", self.parts);
    }

    /// Parses exactly what [`Self::write_fields`] writes. `is_complete` follows from the quality:
    /// `at_least` is read as incomplete.
    #[must_use]
    pub fn parse_fields(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
        let quality = field("tokens")?;
        let counted = Counted::ALL.into_iter().find(|counted| counted.name() == quality)?;
        let mut count = |name: &str| match field(name)? {
            "-" => Some(None),
            digits => number(digits).map(Some),
        };
        let mut usage = Self {
            input: count("tokens_in")?,
            output: count("tokens_out")?,
            cached: count("tokens_cached")?,
            cache_write: count("tokens_cache_write")?,
            thought: count("tokens_thought")?,
            tool_use: count("tokens_tool_use")?,
            total: count("tokens_total")?,
            images: count("images")?,
            ..Self::default()
        };
        let mut text = |name: &str| match field(name)? {
            "-" => Some(None),
            text => LogText::parse(text).map(Some),
        };
        usage.finish = text("finish")?;
        usage.block = text("block")?;
        usage.response_id = text("response_id")?;
        usage.model_version = text("model_version")?;
        usage.error = text("error")?;
        usage.parts = number(field("parts")?)?;
        usage.counted = counted;
        usage.is_complete = matches!(counted, Counted::Exact | Counted::Nothing);
        (fields.next().is_none() && usage.is_possible()).then_some(usage)
    }
}

impl Usage {
    /// Whether counts and quality fit together.
    fn is_possible(&self) -> bool {
        match self.counted {
            Counted::Exact => self.judged(true) == Counted::Exact,
            Counted::AtLeast => self.judged(false) == Counted::AtLeast,
            Counted::Unknown | Counted::Nothing => self.judged(true) == self.counted,
        }
    }
}

/// Parses a count as `write_fields` writes it: digits only.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}
