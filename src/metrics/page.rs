//! The page: families, each with its help and type, and their samples.

use std::fmt::{self, Display, Write as _};

use crate::metrics::Histogram;

/// All names begin so.
const PREFIX: &str = "haproxy_vertex_";

/// What a family's values do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Go up, until a restart.
    Counter,
    /// Go up and down.
    Gauge,
    /// Are counted by how large they are.
    Histogram,
}

/// A page being written.
#[derive(Debug, Default)]
pub struct Page(String);

/// A family being written: its samples follow each other.
#[derive(Debug)]
pub struct Family<'p> {
    out: &'p mut String,
    name: &'static str,
}

impl Page {
    /// Begins a family; `name` goes without the prefix.
    pub fn family(&mut self, name: &'static str, kind: MetricType, help: &str) -> Family<'_> {
        let kind = match kind {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}");
        Family { out: &mut self.0, name }
    }

    /// The whole page.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// A sample with these labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.write("", labels, None, value);
    }

    /// A duration, in the unit that the format asks for: seconds.
    pub fn millis(&mut self, labels: &[(&str, &str)], millis: i64) {
        let sign = if millis < 0 { "-" } else { "" };
        self.write("", labels, None, format_args!("{sign}{}", Seconds(millis.unsigned_abs())));
    }

    /// A histogram's samples with these labels.
    pub fn histogram<const N: usize>(&mut self, labels: &[(&str, &str)], histogram: &Histogram<N>) {
        let mut count = 0_u64;
        for (bound, so_far) in histogram.cumulative() {
            count = so_far;
            self.write("_bucket", labels, Some(&Seconds(bound)), so_far);
        }
        // Not counted apart, so that it is the last bucket's however many threads count meanwhile.
        let count = count.saturating_add(histogram.longer.get());
        self.write("_bucket", labels, Some(&"+Inf"), count);
        self.write("_sum", labels, None, Seconds(histogram.sum_millis.get()));
        self.write("_count", labels, None, count);
    }

    fn write(
        &mut self,
        ending: &str,
        labels: &[(&str, &str)],
        bound: Option<&dyn Display>,
        value: impl Display,
    ) {
        let out = &mut *self.out;
        for part in [PREFIX, self.name, ending] {
            out.push_str(part);
        }
        let mut separator = '{';
        for (name, text) in labels {
            let _ = write!(out, "{separator}{name}=\"{}\"", Escaped(text));
            separator = ',';
        }
        if let Some(bound) = bound {
            let _ = write!(out, "{separator}le=\"{bound}\"");
            separator = ',';
        }
        if separator == ',' {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
    }
}

/// Milliseconds, written in seconds without needless zeros.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        match rest {
            0 => write!(f, "{whole}"),
            _ => write!(f, "{whole}.{}", format!("{rest:03}").trim_end_matches('0')),
        }
    }
}

/// A label's value: backslash, double quote and line feed are written as escapes.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_its_help_its_type_and_its_samples() {
        let mut page = Page::default();
        let mut family = page.family("calls_total", MetricType::Counter, "Calls.");
        family.sample(&[("role", "ml"), ("model", "a\\b\"c\nd")], 7);
        family.sample(&[], 0);
        page.family("age_seconds", MetricType::Gauge, "Age.").millis(&[], -1_050);
        let text = page.into_text();
        let expected = [
            "# HELP haproxy_vertex_calls_total Calls.",
            "# TYPE haproxy_vertex_calls_total counter",
            r#"haproxy_vertex_calls_total{role="ml",model="a\\b\"c\nd"} 7"#,
            "haproxy_vertex_calls_total 0",
            "# HELP haproxy_vertex_age_seconds Age.",
            "# TYPE haproxy_vertex_age_seconds gauge",
            "haproxy_vertex_age_seconds -1.05",
            "",
        ];
        assert_eq!(text, expected.join("\n"));
    }

    #[test]
    fn a_histogram_counts_up_to_each_step_and_beyond() {
        let histogram = Histogram::new(&[10, 250, 1_000]);
        for millis in [-5, 0, 10, 11, 1_000, 1_001, 60_000] {
            histogram.observe(millis);
        }
        let mut page = Page::default();
        page.family("wait_seconds", MetricType::Histogram, "Wait.")
            .histogram(&[("l", "x")], &histogram);
        let text = page.into_text();
        let samples: Vec<_> = text.lines().skip(2).collect();
        let expected = [
            r#"haproxy_vertex_wait_seconds_bucket{l="x",le="0.01"} 3"#,
            r#"haproxy_vertex_wait_seconds_bucket{l="x",le="0.25"} 4"#,
            r#"haproxy_vertex_wait_seconds_bucket{l="x",le="1"} 5"#,
            r#"haproxy_vertex_wait_seconds_bucket{l="x",le="+Inf"} 7"#,
            r#"haproxy_vertex_wait_seconds_sum{l="x"} 62.022"#,
            r#"haproxy_vertex_wait_seconds_count{l="x"} 7"#,
        ];
        assert_eq!(samples, expected);
    }
}
