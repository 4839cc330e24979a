//! The limits, slowly and obviously: every charge that was ever made is kept and added up anew.

use std::collections::HashMap;

use haproxy_vertex::limits::{Exhausted, Limit, Rules, What, Window};

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) role: usize,
    pub(crate) principal: u8,
    pub(crate) model: u8,
}

/// A limit's pointer, and what it tells apart of a request.
type Key = (String, Option<usize>, Option<u8>, Option<u8>);

#[derive(Debug)]
struct Charge {
    window: i64,
    requests: i128,
    tokens: i128,
}

#[derive(Debug, Default)]
struct Account {
    in_flight: i128,
    /// For each span the window that counts, and what was charged.
    counted: HashMap<i64, (i64, Vec<Charge>)>,
}

/// What an account has used in a span: the window, requests, tokens.
type Used = (i64, i128, i128);

impl Account {
    fn at(&self, secs: i64, wall: i64) -> Used {
        let current = wall / secs;
        let Some((window, charges)) = self.counted.get(&secs) else {
            return (current, 0, 0);
        };
        let in_window = || charges.iter().filter(|charge| charge.window == *window);
        let requests = in_window().map(|charge| charge.requests).sum();
        let tokens = in_window().map(|charge| charge.tokens).sum();
        match window - current {
            ..0 => (current, 0, 0),
            0 | 1 => (*window, requests, tokens),
            _ => (current, requests, tokens),
        }
    }

    /// The charges of a span, brought to the window that counts at this time.
    fn open(&mut self, secs: i64, wall: i64) -> &mut (i64, Vec<Charge>) {
        let (now, _, _) = self.at(secs, wall);
        let counted = self.counted.entry(secs).or_insert_with(|| (now, Vec::new()));
        let former = counted.0;
        if former < now {
            counted.1.clear();
        }
        if former > now {
            for charge in counted.1.iter_mut().filter(|charge| charge.window == former) {
                charge.window = now;
            }
        }
        counted.0 = now;
        counted
    }
}

#[derive(Debug)]
struct Held {
    keys: Vec<(Limit, Key)>,
    tokens: u64,
    /// The window that each key and span was charged in.
    windows: HashMap<(Key, i64), i64>,
}

/// All limits.
#[derive(Debug)]
pub(crate) struct Model {
    rules: Rules,
    accounts: HashMap<Key, Account>,
    held: HashMap<usize, Held>,
    requests: usize,
}

/// What the engine's refusal is compared by.
pub(crate) type Refusal = (What, Option<Window>, u64, u64, u64, bool, u64, i64);

pub(crate) fn refusal(e: &Exhausted) -> Refusal {
    let reset = e.reset.0;
    (e.what, e.window, e.limit, e.remaining, e.wanted, e.never, e.retry_after_secs, reset)
}

const SPANS: [(Window, i64); 2] = [(Window::Minute, 60), (Window::Hour, 3600)];

fn amounts(limit: &Limit, span: Window) -> (Option<u64>, Option<u64>) {
    let amounts = &limit.amounts;
    match span {
        Window::Minute => (amounts.requests_per_minute, amounts.tokens_per_minute),
        Window::Hour => (amounts.requests_per_hour, amounts.tokens_per_hour),
    }
}

impl Model {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, accounts: HashMap::new(), held: HashMap::new(), requests: 0 }
    }

    fn keys(&self, who: Who) -> Vec<(Limit, Key)> {
        let own = self.rules.roles[who.role].limits.as_slice();
        let all = own.iter().chain(self.rules.gateway.as_slice());
        let key = |limit: &Limit| {
            let role = limit.per.role.then_some(who.role);
            let principal = limit.per.principal.then_some(who.principal);
            let model = limit.per.model.then_some(who.model);
            (limit.pointer.clone(), role, principal, model)
        };
        all.map(|limit| (limit.clone(), key(limit))).collect()
    }

    /// What there is of each amount: used and allowed, by pointer, in the order they are checked.
    pub(crate) fn usage(
        &self,
        who: Who,
        wall: i64,
    ) -> Vec<(String, What, Option<Window>, i128, u64, i64)> {
        let mut all = Vec::new();
        let empty = Account::default();
        for (limit, key) in self.keys(who) {
            let account = self.accounts.get(&key).unwrap_or(&empty);
            let mut add = |what, span, used, amount: Option<u64>, reset| {
                all.extend(amount.map(|a| (limit.pointer.clone(), what, span, used, a, reset)));
            };
            let parallel = limit.amounts.parallel_requests;
            add(What::Parallel, None, account.in_flight, parallel, wall + 1);
            for (span, secs) in SPANS {
                let (window, requests, tokens) = account.at(secs, wall);
                let reset = (window + 1) * secs;
                let (of_requests, of_tokens) = amounts(&limit, span);
                add(What::Requests, Some(span), requests, of_requests, reset);
                add(What::Tokens, Some(span), tokens, of_tokens, reset);
            }
        }
        all
    }

    /// A request's number, or why it is refused.
    pub(crate) fn reserve(&mut self, who: Who, tokens: u64, wall: i64) -> Result<usize, Refusal> {
        // Whoever asks finds a window that lies far ahead ending with the current one.
        for (_, key) in self.keys(who) {
            let Some(account) = self.accounts.get_mut(&key) else { continue };
            for (_, secs) in SPANS {
                if account.counted.get(&secs).is_some_and(|(window, _)| *window > wall / secs + 1) {
                    account.open(secs, wall);
                }
            }
        }
        let mut refusals: Vec<Refusal> = Vec::new();
        for (_, what, span, used, amount, reset) in self.usage(who, wall) {
            let wanted = if what == What::Tokens { tokens } else { 1 };
            if used + i128::from(wanted) > i128::from(amount) {
                let left = u64::try_from((i128::from(amount) - used).max(0)).unwrap();
                let wait = u64::try_from(reset - wall).unwrap();
                refusals.push((what, span, amount, left, wanted, wanted > amount, wait, reset));
            }
        }
        // The first of those that are longest.
        if let Some(longest) = refusals.iter().map(|r| (r.5, r.6)).max() {
            return Err(*refusals.iter().find(|r| (r.5, r.6) == longest).unwrap());
        }
        let request = self.requests;
        self.requests += 1;
        let keys = self.keys(who);
        let mut windows = HashMap::new();
        for (limit, key) in &keys {
            let account = self.accounts.entry(key.clone()).or_default();
            account.in_flight += 1;
            for (span, secs) in SPANS {
                if amounts(limit, span) == (None, None) {
                    continue;
                }
                let (window, charges) = account.open(secs, wall);
                let tokens = i128::from(tokens);
                charges.push(Charge { window: *window, requests: 1, tokens });
                windows.insert((key.clone(), secs), *window);
            }
        }
        self.held.insert(request, Held { keys, tokens, windows });
        Ok(request)
    }

    pub(crate) fn settle(&mut self, request: usize, tokens: u64, wall: i64) {
        let Held { keys, tokens: reserved, windows } = self.held.remove(&request).unwrap();
        for (limit, key) in keys {
            let account = self.accounts.get_mut(&key).unwrap();
            account.in_flight -= 1;
            for (span, secs) in SPANS {
                if amounts(&limit, span) == (None, None) {
                    continue;
                }
                let (window, charges) = account.open(secs, wall);
                let was_in = windows[&(key.clone(), secs)];
                let total: i128 = charges.iter().map(|charge| charge.tokens).sum();
                let more = i128::from(tokens) - i128::from(reserved);
                // Its own window: it gets back what there is. Another one: it gives at most.
                let least = if was_in == *window { -total } else { 0 };
                charges.push(Charge { window: *window, requests: 0, tokens: more.max(least) });
            }
        }
    }
}
