//! What much of something costs against little of it, in interleaved rounds.
#![allow(clippy::disallowed_methods, unreachable_pub, reason = "a benchmark reads the clock")]

use std::time::Instant;

use serde_json::json;

pub const ROUNDS: usize = 21;

/// The two numbers that are compared, and the ratio that is bearable.
pub struct Compared {
    pub few: usize,
    pub many: usize,
    pub bar: f64,
}

/// Nanoseconds that each of so many calls takes.
pub fn calls_ns(calls: usize, call: impl FnMut(usize)) -> f64 {
    let started = Instant::now();
    (0..calls).for_each(call);
    started.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(calls).unwrap())
}

impl Compared {
    /// Prints the lower quartiles of what few and many cost and of the rounds' ratios; whether the bar
    /// was held.
    pub fn by(
        &self,
        name: &str,
        mut few: impl FnMut(usize) -> f64,
        mut many: impl FnMut(usize) -> f64,
    ) -> bool {
        let (mut ratios, mut costs) = (Vec::new(), [Vec::new(), Vec::new()]);
        for round in 0..ROUNDS {
            let (one, two) = (few(round), many(round));
            ratios.push(two / one);
            costs[0].push(one);
            costs[1].push(two);
        }
        let quartile = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 4]
        };
        let [few, many] = costs.each_mut().map(quartile);
        let ratio = quartile(&mut ratios);
        let (of_few, of_many) = (format!("ns_{}", self.few), format!("ns_{}", self.many));
        let bar = self.bar;
        println!(
            "{}",
            json!({ "name": name, of_few: few.round(), of_many: many.round(), "ratio": ratio, "bar": bar })
        );
        ratio <= bar
    }
}
