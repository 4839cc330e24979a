//! Limits: what they count together, and amounts that can have an effect.

use crate::config::check::{Checked, One, non_empty};
use crate::config::raw;
use crate::config::reading::Mended;
use crate::error::{All as _, ConfigError, ConfigErrors, each};
use crate::limits::{Amounts, Limit, LimitSet, MAX_AMOUNT, Per, RoleLimits, Rules};

type Raw<K> = Option<raw::OneOrMore<raw::Limit<K>>>;

/// What a role says of limits.
pub(in crate::config) struct OfRole {
    limits: Raw<raw::RoleKey>,
    reserve_tokens: Option<u64>,
}

impl OfRole {
    pub(in crate::config) fn take(role: &mut raw::RoleEntry) -> Self {
        Self { limits: role.limits.take(), reserve_tokens: role.reserve_tokens }
    }
}

pub(in crate::config) fn limits(
    gateway: Raw<raw::Key>,
    roles: Vec<OfRole>,
    mended: &Mended,
) -> Checked<Rules> {
    let gateway = set(gateway, "/limits");
    // Whether it has a use is known where every limit is.
    let gateway_tokens =
        gateway.as_ref().ok().filter(|_| !mended.touches("/limits")).map(has_tokens);
    let role = |(index, raw): (usize, OfRole)| {
        let at = format!("/roles/{index}");
        let at_limits = format!("{at}/limits");
        let limits = set(raw.limits, &at_limits);
        let tokens = limits.as_ref().ok().filter(|_| !mended.touches(&at_limits)).map(has_tokens);
        let useless = gateway_tokens == Some(false) && tokens == Some(false);
        let reserve = match raw.reserve_tokens {
            None => Ok(None),
            Some(given) => reserve(given, useless, &format!("{at}/reserve_tokens")).map(Some),
        };
        let (limits, reserve_tokens) = (limits, reserve).all()?;
        Ok::<_, ConfigErrors>(RoleLimits { limits, reserve_tokens })
    };
    let roles = each(roles.into_iter().enumerate().map(role));
    let (gateway, roles) = (gateway, roles).all()?;
    Ok(Rules { gateway, roles })
}

fn reserve(given: u64, useless: bool, at: &str) -> One<u64> {
    amount(at, given)?;
    match useless {
        false => Ok(given),
        true => {
            let problem = "no limit on tokens applies to this role: leave it out, or give the role \
                           `tokens_per_minute` or `tokens_per_hour`";
            Err(ConfigError::at(at, problem))
        }
    }
}

fn has_tokens(limits: &LimitSet) -> bool {
    limits.as_slice().iter().any(|limit| limit.amounts.limits_tokens())
}

fn set<K: Copy + Into<raw::Key>>(raw: Raw<K>, at: &str) -> Checked<LimitSet> {
    let mut limits = LimitSet::default();
    match raw {
        None => {}
        Some(raw::OneOrMore::One(one)) => add(&mut limits, &one, at.to_owned())?,
        Some(raw::OneOrMore::More(all)) => {
            non_empty(at, &all, "a limit")?;
            let add = |(index, one)| add(&mut limits, one, format!("{at}/{index}"));
            each(all.iter().enumerate().map(add))?;
        }
    }
    Ok(limits)
}

fn add<K: Copy + Into<raw::Key>>(
    limits: &mut LimitSet,
    raw: &raw::Limit<K>,
    at: String,
) -> Checked<()> {
    let (per, amounts) = (per(raw.per.as_ref(), &format!("{at}/per")), amounts(raw, &at)).all()?;
    // Of two that count the same, one would only hide the other's amounts from the reader.
    limits.add(Limit { pointer: at.clone(), per, amounts }).map_err(|former| {
        let names = per.names().collect::<Vec<_>>().join(" and ");
        let same = match names.as_str() {
            "" => "counts everybody together".to_owned(),
            names => format!("counts by {names}"),
        };
        let problem = format!("{former} {same} already: write the amounts of both into one");
        ConfigError::at(at, problem).into()
    })
}

fn per<K: Copy + Into<raw::Key>>(raw: Option<&raw::OneOrMoreNames<K>>, at: &str) -> One<Per> {
    let mut per = Per::default();
    let keys: &[K] = match raw {
        None => return Ok(per),
        Some(raw::OneOrMoreNames::One(key)) => std::slice::from_ref(key),
        Some(raw::OneOrMoreNames::More(keys)) => keys,
    };
    non_empty(at, keys, "a name, or no `per` at all where everybody shares the budget,")?;
    for (index, key) in keys.iter().enumerate() {
        let (is_there, name) = match (*key).into() {
            raw::Key::Role => (&mut per.role, "role"),
            raw::Key::Principal => (&mut per.principal, "principal"),
            raw::Key::Model => (&mut per.model, "model"),
        };
        if std::mem::replace(is_there, true) {
            let problem = format!("`{name}` stands twice; leave one of them");
            return Err(ConfigError::at(format!("{at}/{index}"), problem));
        }
    }
    match per.names().count() {
        0..=2 => Ok(per),
        _ => {
            let problem = "role, principal and model together: at most two are wanted; give the \
                           role a limit per principal and model instead";
            Err(ConfigError::at(at, problem))
        }
    }
}

fn amounts<K>(raw: &raw::Limit<K>, at: &str) -> Checked<Amounts> {
    let amounts = Amounts {
        requests_per_minute: raw.requests_per_minute,
        requests_per_hour: raw.requests_per_hour,
        tokens_per_minute: raw.tokens_per_minute,
        tokens_per_hour: raw.tokens_per_hour,
        parallel_requests: raw.parallel_requests,
    };
    let all = [
        ("requests_per_minute", amounts.requests_per_minute),
        ("requests_per_hour", amounts.requests_per_hour),
        ("tokens_per_minute", amounts.tokens_per_minute),
        ("tokens_per_hour", amounts.tokens_per_hour),
        ("parallel_requests", amounts.parallel_requests),
    ];
    each(all.iter().filter_map(|(member, given)| {
        given.map(|given| amount(&format!("{at}/{member}"), given))
    }))?;
    if all.iter().all(|(_, given)| given.is_none()) {
        let names = all.map(|(name, _)| name).join(", ");
        return Err(ConfigError::at(at, format!("no amount: some of {names} are wanted")).into());
    }
    let pairs = [
        ("requests", amounts.requests_per_minute, amounts.requests_per_hour),
        ("tokens", amounts.tokens_per_minute, amounts.tokens_per_hour),
    ];
    let faults = pairs.into_iter().filter_map(|(kind, minute, hour)| {
        let (minute, hour) = minute.zip(hour).filter(|(minute, hour)| minute > hour)?;
        let problem = format!(
            "{minute} can never be used up, as an hour has {hour}: no more than that is wanted"
        );
        Some(ConfigError::at(format!("{at}/{kind}_per_minute"), problem))
    });
    ConfigErrors::unless_empty(faults.collect()).map(|()| amounts)
}

fn amount(at: &str, given: u64) -> One<()> {
    match (1..=MAX_AMOUNT).contains(&given) {
        true => Ok(()),
        false => {
            Err(ConfigError::at(at, format!("{given}: an amount of 1 to {MAX_AMOUNT} is wanted")))
        }
    }
}
