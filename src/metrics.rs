//! Counters that all threads share, and the page that Prometheus reads: its text format 0.0.4
//! (prometheus.io/docs/instrumenting/exposition_formats).

mod page;

pub use page::{Family, MetricType, Page};

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts up, and around when full.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many durations were at most so long, in `N` steps.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    /// The steps in milliseconds, rising.
    bounds: &'static [u64; N],
    /// Those of each step alone.
    counts: [Counter; N],
    longer: Counter,
    sum_millis: Counter,
}

impl<const N: usize> Histogram<N> {
    /// An empty one with these steps, in milliseconds.
    #[must_use]
    pub fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| Counter::default()),
            longer: Counter::default(),
            sum_millis: Counter::default(),
        }
    }

    /// Counts a duration in milliseconds; a negative one is none at all.
    pub fn observe(&self, millis: i64) {
        let millis = u64::try_from(millis).unwrap_or(0);
        let step = self.bounds.iter().zip(&self.counts).find(|(bound, _)| millis <= **bound);
        step.map_or(&self.longer, |(_, count)| count).add(1);
        self.sum_millis.add(millis);
    }

    /// (step in milliseconds, how many were at most as long), rising.
    fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let steps = self.bounds.iter().zip(&self.counts);
        steps.scan(0_u64, |sum, (bound, count)| {
            *sum = sum.saturating_add(count.get());
            Some((*bound, *sum))
        })
    }
}
