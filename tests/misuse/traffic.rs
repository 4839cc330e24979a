//! A week of honest calls of one principal, from Monday 00:00 on.

use crate::random::Random;

pub(crate) const MINUTE: f64 = 60.0;
pub(crate) const HOUR: f64 = 3600.0;
pub(crate) const DAY: f64 = 24.0 * HOUR;
pub(crate) const WEEK: f64 = 7.0 * DAY;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Seconds since Monday 00:00.
    pub(crate) at: f64,
    pub(crate) is_allowed: bool,
    pub(crate) model: u64,
    pub(crate) location: u64,
    pub(crate) network: u64,
    pub(crate) client: u64,
    pub(crate) body_bytes: f64,
    pub(crate) tokens: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Serves its own users, day and night or with the day.
    Service,
    /// A job at fixed times, of a few calls.
    Cron,
    /// A job of thousands of calls that starts each hour or each night.
    Batch,
    /// Chats and writes code in office hours.
    Person,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Service, Kind::Cron, Kind::Batch, Kind::Person];

/// Of ten principals, two are services, two cron jobs, one a batch job, five people.
pub(crate) fn kind(principal: u64) -> Kind {
    match principal % 10 {
        0 | 1 => Kind::Service,
        2 | 3 => Kind::Cron,
        4 => Kind::Batch,
        _ => Kind::Person,
    }
}

/// What a principal uses, and the calls so far.
struct Week {
    random: Random,
    calls: Vec<Call>,
    body: f64,
    sigma: f64,
    model: u64,
    location: u64,
    network: u64,
    client: u64,
}

pub(crate) fn week(principal: u64) -> Vec<Call> {
    let mut random = Random::new(0x5eed ^ (principal << 20));
    let body = random.lognormal(3_000.0, 1.0);
    let sigma = random.between(0.2, 1.0);
    let mut week = Week {
        random,
        calls: Vec::new(),
        body,
        sigma,
        model: 1,
        location: 1,
        network: 1,
        client: 1,
    };
    match kind(principal) {
        Kind::Service => week.service(),
        Kind::Cron => week.cron(),
        Kind::Batch => week.batch(),
        Kind::Person => week.person(),
    }
    week.calls.sort_by(|one, two| one.at.total_cmp(&two.at));
    week.calls
}

impl Week {
    fn call(&mut self, at: f64, body_bytes: f64) {
        let random = &mut self.random;
        let tokens = body_bytes / 4.0 + random.lognormal(300.0, 0.8);
        let (model, location, network, client) =
            (self.model, self.location, self.network, self.client);
        let call = Call {
            at,
            is_allowed: true,
            model,
            location,
            network,
            client,
            body_bytes,
            tokens: if random.chance(0.01) { 0.0 } else { tokens },
        };
        if at < WEEK {
            self.calls.push(call);
        }
    }

    fn refused(&mut self, at: f64) {
        let body = self.body;
        self.call(at, body);
        if let Some(call) = self.calls.last_mut() {
            call.is_allowed = false;
            call.tokens = 0.0;
        }
    }

    fn sized(&mut self, at: f64) {
        let body = self.random.lognormal(self.body, self.sigma);
        self.call(at, body);
    }

    /// 0.2 to 10 a minute; half of them follow the day by a factor of six; nodes in four networks
    /// of one cloud; now and then a deployment with another model, and one in ten that is refused
    /// for an hour; one in five is put under load for half an hour.
    fn service(&mut self) {
        let mean = MINUTE / self.random.lognormal(1.5, 1.0).clamp(0.2, 10.0);
        let follows_day = self.random.chance(0.5);
        let deployment = self.random.between(0.0, 3.0 * WEEK);
        let breaks = self.random.chance(0.1);
        let load = self.random.between(0.0, 5.0 * WEEK);
        let mut at = 0.0;
        while at < WEEK {
            let hour = at % DAY / HOUR;
            let night = follows_day && !(8.0..20.0).contains(&hour);
            let loaded = (load..load + HOUR / 2.0).contains(&at);
            let usual = if night { 6.0 * mean } else { mean };
            at += self.random.wait(if loaded { mean / 8.0 } else { usual });
            self.network = 1 + self.random.below(4);
            self.model = if at > deployment { 2 } else { 1 };
            if breaks && at > deployment && at < deployment + HOUR {
                self.refused(at);
            } else {
                self.sized(at);
            }
        }
    }

    /// Every 5, 15 or 60 minutes, some calls one after the other.
    fn cron(&mut self) {
        let every = MINUTE * [5.0, 15.0, 60.0][usize::try_from(self.random.below(3)).unwrap()];
        let calls = self.random.lognormal(4.0, 0.8);
        let mut start = 0.0;
        while start < WEEK {
            let mut at = start + self.random.between(0.0, 5.0);
            let end = self.random.lognormal(calls, 0.3);
            let mut done = 0.0;
            while done < end {
                self.sized(at);
                at += self.random.lognormal(3.0, 0.5);
                done += 1.0;
            }
            start += every;
        }
    }

    /// Each hour, or each night at two: as many calls as there is to do, several at a time.
    fn batch(&mut self) {
        let is_hourly = self.random.chance(0.5);
        let (calls, every) = if is_hourly { (100.0, HOUR) } else { (2000.0, DAY) };
        let calls = self.random.lognormal(calls, 0.5);
        let mut start = if is_hourly { 0.0 } else { 2.0 * HOUR };
        while start < WEEK {
            let end = self.random.lognormal(calls, 0.4);
            let (mut at, mut done) = (start, 0.0);
            while done < end {
                self.network = 1 + self.random.below(2);
                self.sized(at);
                at += self.random.wait(1.0);
                done += 1.0;
            }
            start += every;
        }
    }

    /// Monday to Friday, 9 to 18: sessions in which each turn carries those before it.
    fn person(&mut self) {
        let sessions = self.random.between(2.0, 10.0);
        let models = 2 + self.random.below(3);
        let is_developer = self.random.chance(0.4);
        for day in 0..5_u32 {
            let morning = f64::from(day) * DAY + 9.0 * HOUR;
            // At home or in the office; out of it, one or two networks more.
            let home = 1 + self.random.below(2);
            let away = self.random.chance(0.5).then(|| 1000 + self.random.below(1_000_000));
            let mut at = morning + self.random.wait(HOUR);
            while at < morning + 9.0 * HOUR {
                self.network = match away {
                    Some(away) if self.random.chance(0.2) => away,
                    _ => home,
                };
                self.client = if self.random.chance(0.2) { 2 } else { 1 };
                if self.random.chance(0.005) {
                    self.client = 10 + self.random.below(1000);
                }
                self.model = match self.random.below(4).min(models - 1) {
                    _ if self.random.chance(0.02) => 10 + self.random.below(20),
                    usual => usual,
                };
                self.location = if self.random.chance(0.1) { 2 } else { 1 };
                at = if is_developer && self.random.chance(0.03) {
                    self.evaluation(at)
                } else {
                    self.session(at, is_developer)
                };
                at += self.random.wait(9.0 * HOUR / sessions);
            }
        }
    }

    /// A script that asks one question after the other.
    fn evaluation(&mut self, start: f64) -> f64 {
        let end = self.random.lognormal(150.0, 0.7);
        let (mut at, mut done) = (start, 0.0);
        while done < end {
            self.sized(at);
            at += self.random.wait(1.5);
            done += 1.0;
        }
        at
    }

    /// A chat, or a coding agent that calls as fast as it is answered and carries files along.
    fn session(&mut self, start: f64, is_developer: bool) -> f64 {
        let agent = is_developer && self.random.chance(0.5);
        let turns = self.random.lognormal(if agent { 25.0 } else { 6.0 }, 0.8);
        let mut at = start;
        let mut body = self.random.lognormal(if agent { 20_000.0 } else { self.body }, 0.6);
        let mut turn = 0.0;
        while turn < turns.min(300.0) {
            if self.random.chance(0.003) {
                for _ in 0..=self.random.below(4) {
                    self.refused(at);
                    at += 2.0;
                }
            }
            self.call(at, body);
            // A document is pasted in.
            if self.random.chance(0.02) {
                body += self.random.lognormal(30_000.0, 1.0);
            }
            body += self.random.lognormal(if agent { 3_000.0 } else { 1_500.0 }, 0.8);
            body = body.min(2_000_000.0);
            at += self.random.lognormal(if agent { 8.0 } else { 45.0 }, 0.7);
            turn += 1.0;
        }
        at
    }
}
