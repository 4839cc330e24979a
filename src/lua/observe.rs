//! What operators and their tools ask: nothing here changes anything.

use mlua::{Lua, LuaString, Result, Table, Variadic};

use super::GATEWAY;
use crate::host;

/// Adds these functions to the module's.
pub(super) fn export(lua: &Lua, exports: &Table) -> Result<()> {
    exports.set("show", lua.create_function(show)?)
}

/// The answer to `vertex show` and these words.
fn show(_: &Lua, words: Variadic<LuaString>) -> Result<Option<String>> {
    let words: Vec<String> = words.iter().map(LuaString::to_string_lossy).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(GATEWAY.get().map(|gateway| gateway.show(&words, host::now())))
}
