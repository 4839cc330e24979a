//! Counters shared by all threads, and the page for Prometheus in its text format 0.0.4
//! (prometheus.io/docs/instrumenting/exposition_formats).

mod page;

pub use page::{Family, MetricType, Page};

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter; it wraps around when full.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A histogram of durations with `N` buckets.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    /// The upper bounds of the buckets in milliseconds, ascending.
    bounds: &'static [u64; N],
    /// The counts of the single buckets.
    counts: [Counter; N],
    longer: Counter,
    sum_millis: Counter,
}

impl<const N: usize> Histogram<N> {
    /// An empty histogram with these upper bounds, in milliseconds.
    #[must_use]
    pub fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| Counter::default()),
            longer: Counter::default(),
            sum_millis: Counter::default(),
        }
    }

    /// Counts a duration in milliseconds; a negative one counts as 0.
    pub fn observe(&self, millis: i64) {
        let millis = u64::try_from(millis).unwrap_or(0);
        let step = self.bounds.iter().zip(&self.counts).find(|(bound, _)| millis <= **bound);
        step.map_or(&self.longer, |(_, count)| count).add(1);
        self.sum_millis.add(millis);
    }

    /// (upper bound in milliseconds, number of durations up to it), ascending.
    fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let steps = self.bounds.iter().zip(&self.counts);
        steps.scan(0_u64, |sum, (bound, count)| {
            *sum = sum.saturating_add(count.get());
            Some((*bound, *sum))
        })
    }
}
