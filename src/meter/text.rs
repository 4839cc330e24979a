//! Writes a usage as fields of the log line, and parses them.

use crate::meter::log_text::LogText;
use crate::meter::traffic_type::TrafficType;
use crate::meter::usage::Usage;

impl Usage {
    /// Writes `tokens=exact tokens_in=8 … parts=1`: 16 fields, always all and in this order, one
    /// space between them, at most 750 bytes. An absent value is `-`.
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
                Some(count) => out.push_str(itoa::Buffer::new().format(count)),
                None => out.push('-'),
            }
        }
        let texts = [
            (" finish=", shown(&self.finish)),
            (" block=", shown(&self.block)),
            (" response_id=", shown(&self.response_id)),
            (" model_version=", shown(&self.model_version)),
            (" traffic=", self.traffic.as_ref().map_or("-", TrafficType::as_str)),
            (" error=", shown(&self.error)),
        ];
        for (name, text) in texts {
            out.push_str(name);
            out.push_str(text);
        }
        out.push_str(" parts=");
        out.push_str(itoa::Buffer::new().format(self.parts));
    }
}

fn shown(text: &Option<LogText>) -> &str {
    text.as_ref().map_or("-", LogText::as_str)
}
