//! What a thief does with the token of a principal whose week is known.

use crate::traffic::{Call, HOUR, WEEK};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// From elsewhere, with another program, ten times as often.
    Stolen,
    /// From the principal's own machine and program, this many times as often.
    Faster(u8),
    /// Bodies a hundred times as large.
    Stuffed,
    /// Answers of 50,000 tokens.
    Drain,
    /// One refused request a second.
    Scan,
    /// Another model in another location.
    Elsewhere,
}

pub(crate) const ATTACKS: [Attack; 7] = [
    Attack::Stolen,
    Attack::Faster(10),
    Attack::Faster(100),
    Attack::Stuffed,
    Attack::Drain,
    Attack::Scan,
    Attack::Elsewhere,
];

impl Attack {
    pub(crate) fn what(self) -> String {
        match self {
            Self::Stolen => "a stolen token: other network, other client, 10 × the rate".into(),
            Self::Faster(times) => format!("own network and client, {times} × the rate"),
            Self::Stuffed => "20 prompts of 100 × the median size".into(),
            Self::Drain => "50,000 tokens a call".into(),
            Self::Scan => "60 refused requests, one a second".into(),
            Self::Elsewhere => "another model in another location".into(),
        }
    }

    /// The calls of at most an hour.
    pub(crate) fn calls(self, week: &[Call]) -> Vec<Call> {
        let mut hours: Vec<_> = week.iter().map(|call| format!("{:.0}", call.at / HOUR)).collect();
        hours.dedup();
        let of = |count: usize| f64::from(u32::try_from(count).unwrap());
        // Between two calls, on average of the hours that have any.
        let gap = HOUR * of(hours.len()) / of(week.len());
        let mut bodies: Vec<_> = week.iter().map(|call| call.body_bytes).collect();
        bodies.sort_by(f64::total_cmp);
        let median = bodies[bodies.len() / 2];
        // As the principal itself would go on.
        let mut call = Call {
            at: WEEK,
            is_allowed: true,
            body_bytes: median,
            tokens: median / 4.0 + 300.0,
            ..week[week.len() / 2]
        };
        let mut every = gap;
        let mut most = usize::MAX;
        match self {
            Self::Stolen => {
                (call.network, call.client) = (9_000_000, 9_000);
                every = gap / 10.0;
            }
            Self::Faster(times) => every = gap / f64::from(times),
            Self::Stuffed => {
                call.body_bytes = 100.0 * median;
                most = 20;
            }
            Self::Drain => call.tokens = 50_000.0,
            Self::Scan => {
                call.is_allowed = false;
                call.tokens = 0.0;
                every = 1.0;
                most = 60;
            }
            Self::Elsewhere => (call.model, call.location) = (9_000, 9_000),
        }
        let mut calls = Vec::new();
        while call.at < WEEK + HOUR && calls.len() < most {
            calls.push(call);
            call.at += every;
        }
        calls
    }
}
