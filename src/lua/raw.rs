//! The functions that run in each request, by Lua's C API itself: what mlua does around a call costs
//! more than most of these calls. Each reads its arguments where Lua keeps them, lets no panic out, and
//! has nothing left to drop when it makes the text of its result, as that raises an error where there
//! is no memory for it: an error of Lua's skips what Rust would do.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi::{
    LUA_OK, LUA_TNIL, LUA_TSTRING, LUA_TTABLE, lua_Integer, lua_call, lua_getfield, lua_pcall,
    lua_pushboolean, lua_pushcclosure, lua_pushinteger, lua_pushlstring, lua_pushvalue, lua_rawget,
    lua_setfield, lua_settop, lua_toboolean, lua_tointegerx, lua_tolstring, lua_type,
    lua_upvalueindex,
};
use mlua::{Lua, Result, Table, lua_State};

use super::{GATEWAY, style_named};
use crate::google::Authorization;
use crate::host;

thread_local! {
    /// The text that Lua copies: it is dropped by the next call on this thread.
    static GIVEN: RefCell<Text> = const { RefCell::new(Text::None) };
}

enum Text {
    None,
    Own(String),
    Bearer(Authorization),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Own(text) => text,
            Self::Bearer(header) => header.as_str(),
        }
    }
}

/// What a function gives back.
struct Given {
    text: Text,
    number: Option<u64>,
}

impl From<Option<String>> for Given {
    fn from(text: Option<String>) -> Self {
        Self { text: text.map_or(Text::None, Text::Own), number: None }
    }
}

/// Adds these functions to the module's.
pub(super) fn export(lua: &Lua, exports: &Table) -> Result<()> {
    let functions: [(&str, mlua::lua_CFunction); 6] = [
        ("decide", decide),
        ("bearer", bearer),
        ("usage", usage),
        ("feed", feed),
        ("log_fields", log_fields),
        ("reader_index", reader_index),
    ];
    for (name, function) in functions {
        // SAFETY: each of them takes any arguments, and leaves on the stack as many values as it says.
        exports.set(name, unsafe { lua.create_c_function(function) }?)?;
    }
    Ok(())
}

/// `decide(request)`: the verdict.
unsafe extern "C-unwind" fn decide(state: *mut lua_State) -> c_int {
    let give = |[request]: [&[u8]; 1]| {
        Given::from(GATEWAY.get().map(|gateway| gateway.decide(request, host::now())))
    };
    // SAFETY: Lua calls it with its state.
    unsafe { give_text(state, give) }
}

/// `bearer(text)`: the `Authorization` header, and the number of the call that leaves with it.
unsafe extern "C-unwind" fn bearer(state: *mut lua_State) -> c_int {
    let give = |[text]: [&[u8]; 1]| match GATEWAY
        .get()
        .and_then(|gateway| gateway.bearer(text, host::now()))
    {
        Some((header, number)) => Given { text: Text::Bearer(header), number },
        None => Given::from(None),
    };
    // SAFETY: Lua calls it with its state.
    unsafe { give_text(state, give) }
}

/// `log_fields(ended, style)`: what a request's log line says of it, as text or, with `json`, as members
/// of an object.
unsafe extern "C-unwind" fn log_fields(state: *mut lua_State) -> c_int {
    let give = |[ended, style]: [&[u8]; 2]| {
        let style = style_named(str::from_utf8(style).ok());
        // The module wrote all of it, but for statuses.
        let ended = str::from_utf8(ended).ok();
        let gateway = GATEWAY.get().zip(ended);
        Given::from(
            gateway.and_then(|(gateway, ended)| gateway.log_fields(ended, style, host::now())),
        )
    };
    // SAFETY: Lua calls it with its state.
    unsafe { give_text(state, give) }
}

/// `usage(call, body)`: whether a JSON answer is here as a whole; what it took is kept then.
unsafe extern "C-unwind" fn usage(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it with its state.
    let (call, body) = unsafe { (number(state, 1), text(state, 2)) };
    let read = || GATEWAY.get().is_some_and(|gateway| gateway.usage(call, body, host::now()));
    let is_whole = catch_unwind(AssertUnwindSafe(read)).unwrap_or(false);
    // SAFETY: a C function has room for 20 values.
    unsafe { lua_pushboolean(state, c_int::from(is_whole)) };
    1
}

/// `feed(call, piece)`: a piece of an answer.
unsafe extern "C-unwind" fn feed(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it with its state.
    let (call, piece) = unsafe { (number(state, 1), text(state, 2)) };
    let read = || GATEWAY.get().map(|gateway| gateway.feed(call, piece, host::now()));
    drop(catch_unwind(AssertUnwindSafe(read)));
    0
}

/// What HAProxy takes for all bytes of a piece: more than there can be.
const EVERYTHING: lua_Integer = 0x7fff_ffff;

/// `reader_index(class, first, feed, pass)`: the `__index` of the objects that read answers, whose
/// `http_payload` is `first` until it has kept the answer's message. From then on HAProxy finds the
/// number of bytes to forward, and what came has been read. Where `passing` is the message of a request,
/// its pieces are read first. It is C, as the timer of a Lua function would have stood still since the
/// last callback, and ended a long answer's. Nothing for a class that is no table.
unsafe extern "C-unwind" fn reader_index(state: *mut lua_State) -> c_int {
    // SAFETY: four values are on the stack, whatever was given.
    unsafe {
        lua_settop(state, 4);
        if lua_type(state, 1) != LUA_TTABLE {
            return 0;
        }
        lua_pushcclosure(state, find_in_reader, 4);
    }
    1
}

/// `__index(reader, name)`; nothing for a reader that is no table.
unsafe extern "C-unwind" fn find_in_reader(state: *mut lua_State) -> c_int {
    // SAFETY: two values are on the stack, and there is room for 20 more. The upvalues are those of
    // `reader_index`: the first is a table.
    unsafe {
        lua_settop(state, 2);
        if lua_type(state, 1) != LUA_TTABLE {
            return 0;
        }
        if text(state, 2) != b"http_payload" {
            lua_pushvalue(state, 2);
            lua_rawget(state, lua_upvalueindex(1));
            return 1;
        }
        lua_pushlstring(state, c"passing".as_ptr(), 7);
        if lua_rawget(state, 1) == LUA_TTABLE {
            return pass_piece(state);
        }
        lua_settop(state, 2);
        lua_pushcclosure(state, read_piece, 0);
        lua_pushlstring(state, c"message".as_ptr(), 7);
        if lua_rawget(state, 1) != LUA_TTABLE {
            lua_pushvalue(state, lua_upvalueindex(2));
            return 1;
        }
        lua_pushlstring(state, c"call".as_ptr(), 4);
        lua_rawget(state, 1);
        lua_pushvalue(state, lua_upvalueindex(3));
        // What cannot be read passes, and costs its call what was reserved.
        lua_pcall(state, 3, 0, 0);
        lua_pushinteger(state, EVERYTHING);
    }
    1
}

/// What HAProxy finds for a piece of a request: all of it goes on, or the reader's `judged` carries out
/// what was said. Whatever fails on the way, the piece is not there by then.
///
/// # Safety
/// The reader, a name and the request's message are on the stack of `find_in_reader`.
unsafe fn pass_piece(state: *mut lua_State) -> c_int {
    // SAFETY: of 20 values 8 are used; errors end at `lua_pcall`.
    unsafe {
        lua_pushcclosure(state, judge_piece, 0);
        lua_pushvalue(state, 1);
        lua_pushvalue(state, 3);
        lua_pushvalue(state, lua_upvalueindex(4));
        if lua_pcall(state, 3, 1, 0) == LUA_OK && lua_toboolean(state, -1) != 0 {
            lua_pushinteger(state, EVERYTHING);
            return 1;
        }
        lua_settop(state, 3);
        lua_pushcclosure(state, take_out, 0);
        lua_pushvalue(state, 3);
        lua_pcall(state, 1, 0, 0);
        lua_settop(state, 3);
        lua_pushlstring(state, c"judged".as_ptr(), 6);
        lua_rawget(state, 1);
    }
    1
}

/// `judge_piece(reader, message, pass)`: whether all that has come may go on, and nothing is to be told.
/// Otherwise the reader has the piece and what `pass` said of it: `word`, `verdict`, `status`, `instead`.
unsafe extern "C-unwind" fn judge_piece(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it with its state and three values; its errors pass no value of Rust's.
    unsafe {
        lua_getfield(state, 2, c"body".as_ptr());
        lua_pushvalue(state, 2);
        lua_call(state, 1, 1);
        if text(state, 4).is_empty() {
            lua_pushboolean(state, 1);
            return 1;
        }
        lua_pushvalue(state, 3);
        lua_pushlstring(state, c"upload".as_ptr(), 6);
        lua_rawget(state, 1);
        lua_pushvalue(state, 4);
        lua_call(state, 2, 4);
        let is_untold = lua_type(state, 6) == LUA_TNIL && lua_type(state, 8) == LUA_TNIL;
        if text(state, 5) == b"goes" && is_untold {
            lua_pushboolean(state, 1);
            return 1;
        }
        for name in [c"instead", c"status", c"verdict", c"word", c"piece"] {
            lua_setfield(state, 1, name.as_ptr());
        }
    }
    0
}

/// `take_out(message)`: removes what has come.
unsafe extern "C-unwind" fn take_out(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it with its state and a value; its errors pass no value of Rust's.
    unsafe {
        lua_getfield(state, 1, c"remove".as_ptr());
        lua_pushvalue(state, 1);
        lua_call(state, 1, 0);
    }
    0
}

/// `read_piece(message, call, feed)`: calls `feed` with what has come of an answer's body.
unsafe extern "C-unwind" fn read_piece(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it with its state and three values; its errors pass no value of Rust's.
    unsafe {
        lua_pushvalue(state, 2);
        lua_getfield(state, 1, c"body".as_ptr());
        lua_pushvalue(state, 1);
        lua_call(state, 1, 1);
        // Nothing comes at the end of an answer.
        if !text(state, -1).is_empty() {
            lua_call(state, 2, 0);
        }
    }
    0
}

/// Calls `give` with as many texts as it takes; its text, if there is one, and its number are the
/// results. Nothing where it panics.
///
/// # Safety
/// `state` is the one that Lua calls a C function with.
unsafe fn give_text<const N: usize>(
    state: *mut lua_State,
    give: impl FnOnce([&[u8]; N]) -> Given,
) -> c_int {
    let mut arguments = [&[][..]; N];
    for (argument, index) in arguments.iter_mut().zip(1..) {
        // SAFETY: the caller's promise.
        *argument = unsafe { text(state, index) };
    }
    let given = catch_unwind(AssertUnwindSafe(|| give(arguments)));
    let Ok(Given { text, number }) = given else {
        return 0;
    };
    if matches!(text, Text::None) {
        return 0;
    }
    let keep = |given: &RefCell<Text>| {
        drop(given.replace(text));
        given.try_borrow().map_or((c"".as_ptr(), 0), |text| {
            (text.as_str().as_ptr().cast::<c_char>(), text.as_str().len())
        })
    };
    let (start, length) = GIVEN.try_with(keep).unwrap_or((c"".as_ptr(), 0));
    // SAFETY: the text lives until the next call on this thread, and Lua copies it now. A C function has
    // room for 20 values.
    unsafe { lua_pushlstring(state, start, length) };
    match number.and_then(|number| lua_Integer::try_from(number).ok()) {
        Some(number) => {
            // SAFETY: as above.
            unsafe { lua_pushinteger(state, number) };
            2
        }
        None => 1,
    }
}

/// A text among a function's arguments; an empty one in place of any other value.
///
/// # Safety
/// `state` is the one that Lua calls a C function with, and the text is not used after its return.
unsafe fn text<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: an index beyond the arguments is of no value, and none of a text is changed.
    let start = unsafe {
        match lua_type(state, index) {
            LUA_TSTRING => lua_tolstring(state, index, &raw mut length),
            _ => std::ptr::null(),
        }
    };
    if start.is_null() {
        return &[];
    }
    // SAFETY: Lua keeps the text for as long as it is an argument.
    unsafe { std::slice::from_raw_parts(start.cast(), length) }
}

/// A call's number among a function's arguments; 0, which is no call's, in place of any other value.
///
/// # Safety
/// `state` is the one that Lua calls a C function with.
unsafe fn number(state: *mut lua_State, index: c_int) -> u64 {
    // SAFETY: an index beyond the arguments is of no value.
    let number = unsafe { lua_tointegerx(state, index, std::ptr::null_mut()) };
    u64::try_from(number).unwrap_or(0)
}
