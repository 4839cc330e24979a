//! The exports for operators and their tools; none but `reload` changes anything.

use mlua::{Lua, LuaString, Result, Table, Variadic};

use super::GATEWAY;
use crate::gateway::{LocationTimes, Ready};
use crate::host;

/// Adds these functions to the module's.
pub(super) fn export(lua: &Lua, exports: &Table) -> Result<()> {
    exports.set("show", lua.create_function(show)?)?;
    exports.set("reload", lua.create_function(reload)?)?;
    exports.set("ready", lua.create_function(ready)?)?;
    exports.set("metrics", lua.create_function(metrics)?)
}

/// The output of `vertex show` with these words.
fn show(_: &Lua, words: Variadic<LuaString>) -> Result<Option<String>> {
    let words = texts(&words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(GATEWAY.get().map(|gateway| gateway.show(&words, host::now())))
}

/// The output of `vertex reload` with these words.
fn reload(_: &Lua, words: Variadic<LuaString>) -> Result<Option<String>> {
    let words = texts(&words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(GATEWAY.get().map(|gateway| gateway.reload(&words, host::now())))
}

fn texts(words: &[LuaString]) -> Vec<String> {
    words.iter().map(LuaString::to_string_lossy).collect()
}

/// Whether requests should be sent here, and the details in JSON.
fn ready(_: &Lua, (): ()) -> Result<(bool, Option<String>)> {
    let ready = GATEWAY.get().map(|gateway| gateway.ready(host::now()));
    Ok(ready.map_or((false, None), |Ready { is_ready, details }| (is_ready, Some(details))))
}

/// The page for Prometheus. `times` holds for each location what HAProxy measured at its backend:
/// `ctime` and `rtime` in milliseconds.
fn metrics(_: &Lua, times: Table) -> Result<Option<String>> {
    let mut known = Vec::new();
    for pair in times.pairs::<String, Table>() {
        let (location, times) = pair?;
        let millis = |name| times.get::<Option<i64>>(name).map(Option::unwrap_or_default);
        let (connect_millis, response_millis) = (millis("ctime")?, millis("rtime")?);
        known.push(LocationTimes { location, connect_millis, response_millis });
    }
    known.sort_by(|one, two| one.location.cmp(&two.location));
    Ok(GATEWAY.get().map(|gateway| gateway.metrics_page(&known, host::now())))
}
