//! Notes on limits that one caller can empty for others, that have more budgets than it seems, or
//! that count less than is used.

use crate::config::Config;
use crate::limits::{DEFAULT_RESERVE_TOKENS, Limit, RoleLimits};
use crate::policy::{Pattern, Role};
use crate::vertex::routes;

/// The notes, one line each.
pub(super) fn notes(config: &Config) -> Vec<String> {
    let roles = config.roles.iter().zip(&config.limits.roles);
    roles
        .flat_map(|(role, own)| {
            [by_spelling(role, own, config), shared(role, own, config), uncapped(role, own, config)]
        })
        .flatten()
        .collect()
}

/// The limits that apply to a role.
fn applying<'c>(own: &'c RoleLimits, config: &'c Config) -> impl Iterator<Item = &'c Limit> {
    own.limits.as_slice().iter().chain(config.limits.gateway.as_slice())
}

fn by_spelling(role: &Role, own: &RoleLimits, config: &Config) -> Option<String> {
    let limit = applying(own, config).find(|limit| limit.per.model)?;
    let pattern = role.may.models.iter().map(Pattern::to_string).find(|name| name.contains('*'))?;
    Some(format!(
        "{}: counts by model, and role \"{}\" allows {pattern}: each spelling of a model's name \
         that matches (`@default`, `@001`) has a budget of its own; name the models in full",
        limit.pointer, role.name
    ))
}

fn shared(role: &Role, own: &RoleLimits, config: &Config) -> Option<String> {
    let of_tokens = || applying(own, config).filter(|limit| limit.amounts.limits_tokens());
    let limit = of_tokens().find(|limit| !limit.per.principal)?;
    let body = role.may.body.as_ref();
    let is_output_capped = body.is_some_and(|terms| terms.max_output_tokens.is_some());
    let is_capped = is_output_capped && role.may.max_request_bytes.is_some();
    if is_capped || of_tokens().any(|limit| limit.per.principal) {
        return None;
    }
    Some(format!(
        "{}: callers share it, and one of role \"{}\" can reserve all of it with one request: \
         give the role a limit on tokens per principal, or `may.max_output_tokens` and \
         `may.max_request_bytes`",
        limit.pointer, role.name
    ))
}

/// The note on a limit on tokens without a cap: a call that is left early costs what it may have
/// taken, and nothing says how much that is.
fn uncapped(role: &Role, own: &RoleLimits, config: &Config) -> Option<String> {
    let limit = applying(own, config).find(|limit| limit.amounts.limits_tokens())?;
    let takes_cap = |pattern: &Pattern| {
        routes().iter().any(|route| route.takes_cap() && pattern.matches(&route.method))
    };
    let body = role.may.body.as_ref();
    let is_capped = body.is_some_and(|terms| terms.max_output_tokens.is_some());
    if is_capped || own.reserve_tokens.is_some() || !role.may.methods.iter().any(takes_cap) {
        return None;
    }
    let instead = match body {
        Some(_) => "set `may.max_output_tokens`, or `reserve_tokens` to the longest answer",
        None => "bodies go unread, so set `reserve_tokens` to the longest answer",
    };
    Some(format!(
        "{}: nothing caps the answers of role \"{}\": a caller who leaves before the end pays \
         {DEFAULT_RESERVE_TOKENS} tokens for what may have been any number; {instead}",
        limit.pointer, role.name
    ))
}
