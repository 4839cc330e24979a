//! Streams that wait for a word of the test before each chunk after the first.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Semaphore;

/// The permits of one stream. Closed: it waits no more.
pub type Turnstile = Arc<Semaphore>;

#[derive(Default)]
pub struct Gate {
    streams: Mutex<Vec<Weak<Semaphore>>>,
}

impl Gate {
    /// To be called before the first chunk goes out: a test may release as soon as it sees that.
    pub fn enter(&self) -> Turnstile {
        let turnstile = Arc::new(Semaphore::new(0));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|s| s.strong_count() > 0);
        streams.push(Arc::downgrade(&turnstile));
        turnstile
    }

    /// Lets one chunk of each stream under way go out, or all; returns the number of streams.
    pub fn release(&self, all: bool) -> usize {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let live: Vec<Turnstile> = streams.iter().filter_map(Weak::upgrade).collect();
        for turnstile in &live {
            if all {
                turnstile.close();
            } else {
                turnstile.add_permits(1);
            }
        }
        live.len()
    }
}

pub async fn pass(turnstile: &Turnstile) {
    if let Ok(permit) = turnstile.acquire().await {
        permit.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn releases() {
        let gate = Gate::default();
        let turnstile = gate.enter();
        assert_eq!(gate.release(false), 1);
        pass(&turnstile).await;
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), pass(&turnstile));
        assert!(waits.await.is_err());
        gate.release(true);
        pass(&turnstile).await;
        pass(&turnstile).await;
        drop(turnstile);
        assert_eq!(gate.release(false), 0);
    }
}
