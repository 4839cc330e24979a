//! What Lua sees: arguments in, one string out, no decision of its own.

mod fetch;
mod observe;
#[allow(unsafe_code)]
mod raw;

use mlua::{
    BString, Function, IntoLua, IntoLuaMulti as _, Lua, LuaString, MultiValue as LuaMultiValue,
    Result, Table, UserData, UserDataRef,
};
use once_cell::sync::OnceCell;

use crate::config::Config;
use crate::error::{ConfigErrors, Reason};
use crate::gateway::{self, Connection, Gateway, Passage, Passed, Piece, Signed, Step, Style};
use crate::google::GOOGLES_UNIVERSE;
use crate::haproxy::{Haproxy, configuration_files};
use crate::host;
use crate::log_queue;
use crate::time::UnixTime;

/// HAProxy's `%tr`; what lies behind the second is not known.
const DATE: &str = "%d/%b/%Y:%H:%M:%S.000";

/// One for the process: HAProxy's threads each have a Lua of their own, and all share this.
static GATEWAY: OnceCell<Gateway> = OnceCell::new();

/// The folders of the credentials' files, opened before HAProxy's chroot.
static FOLDERS: OnceCell<host::Folders> = OnceCell::new();

/// Whether `vertex.json` allows commands that change something.
static ADMIN_COMMANDS: OnceCell<bool> = OnceCell::new();

/// HAProxy's log is no place for more of them; `haproxy-vertex check` tells all.
const MAX_DOUBTS: usize = 8;

#[mlua::lua_module(name = "haproxy_vertex")]
fn exports(lua: &Lua) -> Result<Table> {
    log_queue::install();
    let exports = lua.create_table()?;
    exports.set("version", env!("CARGO_PKG_VERSION"))?;
    exports.set("check", lua.create_function(check)?)?;
    exports.set("open", lua.create_function(open)?)?;
    exports.set("has_admin_commands", lua.create_function(has_admin_commands)?)?;
    exports.set("refuse_shared", lua.create_function(refuse_shared)?)?;
    exports.set("start_waiting", lua.create_function(start_waiting)?)?;
    exports.set("resume", lua.create_function(resume)?)?;
    exports.set("credential_refused", lua.create_function(credential_refused)?)?;
    exports.set("error_json", lua.create_function(error_json)?)?;
    exports.set("meter", lua.create_function(meter)?)?;
    exports.set("decided", lua.create_function(decided)?)?;
    exports.set("unlogged", lua.create_function(unlogged)?)?;
    exports.set("withdraw", lua.create_function(withdraw)?)?;
    exports.set("refused", lua.create_function(refused)?)?;
    exports.set("upload", lua.create_function(upload)?)?;
    exports.set("pass", lua.create_function(pass)?)?;
    exports.set("end_body", lua.create_function(end_body)?)?;
    exports.set("verify", lua.create_function(verify)?)?;
    exports.set("permit", lua.create_function(permit)?)?;
    exports.set("sign", lua.create_function(sign)?)?;
    raw::export(lua, &exports)?;
    fetch::export(lua, &exports)?;
    observe::export(lua, &exports)?;
    exports.set("next_log", lua.create_function(|_, ()| Ok(log_queue::next().unzip()))?)?;
    #[cfg(feature = "faults")]
    #[allow(clippy::panic, reason = "that is what it is for")]
    exports.set(
        "panic",
        lua.create_function(|_, ()| -> Result<()> { panic!("a panic on purpose") })?,
    )?;
    Ok(exports)
}

/// Tells what is wrong with the configuration, while HAProxy still reads its own: all that
/// `haproxy -c` runs. It is returned, as HAProxy cannot print an error that Rust raises.
fn check(
    _: &Lua,
    (file, rules, version): (String, Option<String>, Option<String>),
) -> Result<Option<String>> {
    let module = env!("CARGO_PKG_VERSION");
    if let Some(rules) = rules.filter(|rules| rules != module) {
        return Ok(Some(format!(
            "vertex.cfg is of version {rules} and haproxy_vertex.so of {module}: install both of one"
        )));
    }
    let checked = load(&file, haproxy(version.as_deref()));
    log_queue::clear();
    if let Ok((gateway, _)) = &checked {
        ADMIN_COMMANDS.get_or_init(|| gateway.has_admin_commands());
    }
    Ok(checked.err().map(|errors| errors.to_string()))
}

/// Sets the configuration to work with HAProxy's backends; the first thread to come does it for
/// all. What is wrong is returned.
fn open(
    _: &Lua,
    (file, backends, version): (String, Vec<String>, Option<String>),
) -> Result<Option<String>> {
    let opened = GATEWAY.get_or_try_init(|| {
        let (gateway, doubts) = load(&file, Haproxy { backends, ..haproxy(version.as_deref()) })?;
        doubts.iter().take(MAX_DOUBTS).for_each(|doubt| log::warn!("{file}: {doubt}"));
        Ok::<_, ConfigErrors>(gateway)
    });
    if let Ok(gateway) = opened {
        FOLDERS.get_or_init(|| host::Folders::of(gateway.files()));
    }
    Ok(opened.err().map(|errors| errors.to_string()))
}

/// A gateway, and what in its configuration deserves a second look.
fn load(file: &str, haproxy: Haproxy) -> std::result::Result<(Gateway, Vec<String>), ConfigErrors> {
    #[cfg(feature = "faults")]
    crate::test_switches::only_without(host::switched_off());
    match Config::load(file, &host::read_file, &host::variable) {
        Ok(config) => {
            let mut doubts = config.doubts();
            doubts.extend(gateway::doubts_of_rules(&haproxy));
            Gateway::open(config, &haproxy, host::now()).map(|gateway| (gateway, doubts))
        }
        Err(errors) => {
            Err(errors.and(gateway::check_rules(&haproxy, GOOGLES_UNIVERSE)).in_file(file))
        }
    }
}

fn haproxy(version: Option<&str>) -> Haproxy {
    host::haproxy(configuration_files(std::env::args()), version)
}

/// Whether the configuration that was checked allows commands that change something.
fn has_admin_commands(_: &Lua, (): ()) -> Result<bool> {
    Ok(ADMIN_COMMANDS.get().is_some_and(|allowed| *allowed))
}

/// Why one Lua cannot serve all threads (`lua-load`), by HAProxy's `show info`: only 3.0 mended the
/// lock that guards it. `thread` 0 is the Lua that all threads share.
fn refuse_shared(_: &Lua, (thread, info): (u32, Table)) -> Result<Option<&'static str>> {
    let text = |name| info.get::<Option<String>>(name).map(Option::unwrap_or_default);
    let version = text("Version")?;
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let sound = thread > 0 || text("Nbthread")? == "1" || major.is_some_and(|major| major >= 3);
    Ok((!sound).then_some(
        "write lua-load-per-thread instead of lua-load: before HAProxy 3.0 one Lua for several \
         threads is not sound",
    ))
}

/// The number of the ticket.
fn start_waiting(_: &Lua, (): ()) -> Result<u64> {
    Ok(GATEWAY.get().map_or(0, |gateway| gateway.start_waiting(host::now())))
}

/// The verdict, or nothing while the request has to wait on. Without a configuration the verdict
/// is an empty text, which is no allow.
fn resume(lua: &Lua, (request, ticket): (LuaString, u64)) -> Result<Option<LuaString>> {
    let verdict = match GATEWAY.get() {
        Some(gateway) => gateway.resume(&request.as_bytes(), ticket, host::now()),
        None => Some(String::new()),
    };
    verdict.map(|verdict| lua.create_string(verdict)).transpose()
}

/// The call of a verdict if its answer, of this content type, is to be read as it passes.
fn meter(
    _: &Lua,
    (verdict, content_type): (Option<LuaString>, Option<LuaString>),
) -> Result<Option<u64>> {
    let (Some(verdict), Some(content_type)) = (verdict, content_type) else {
        return Ok(None);
    };
    let texts = (verdict.to_str(), content_type.to_str());
    let (Ok(verdict), Ok(content_type)) = texts else {
        return Ok(None);
    };
    Ok(GATEWAY.get().and_then(|gateway| gateway.meter(&verdict, &content_type)))
}

fn style_named(name: Option<&str>) -> Style {
    match name {
        Some("json") => Style::Json,
        _ => Style::Text,
    }
}

/// What was decided on a request that has ended, as the start of its log line's fields.
fn decided(_: &Lua, ended: String) -> Result<Option<String>> {
    Ok(GATEWAY.get().and_then(|gateway| gateway.decided(&ended)))
}

/// The access line of a call that HAProxy writes none of; nothing if the call is over. `closed`
/// holds what the host knows of it, `date` writes a time as `os.date` does.
fn unlogged(
    _: &Lua,
    (call, verdict, closed, date): (u64, String, Table, Function),
) -> Result<Option<String>> {
    let text = |name| closed.get::<Option<String>>(name);
    let connection = Connection {
        client: text("client")?.unwrap_or_default(),
        client_port: closed.get::<Option<u16>>("client_port")?.unwrap_or(0),
        frontend: text("frontend")?.unwrap_or_default(),
        backend: text("backend")?.unwrap_or_default(),
        server: text("server")?.unwrap_or_else(|| "-".to_owned()),
        style: style_named(text("style")?.as_deref()),
        uploaded: closed.get("uploaded")?,
    };
    let date = |UnixTime(secs)| date.call((DATE, secs)).unwrap_or_else(|_| "-".to_owned());
    let Some(gateway) = GATEWAY.get() else {
        return Ok(None);
    };
    Ok(gateway.unlogged(call, &verdict, &connection, host::now(), date))
}

/// Takes back the call of a former verdict on the same request.
fn withdraw(_: &Lua, verdict: Option<String>) -> Result<()> {
    if let (Some(gateway), Some(verdict)) = (GATEWAY.get(), verdict) {
        gateway.withdraw(&verdict, host::now());
    }
    Ok(())
}

/// The verdict in place of a former one, for this reason.
fn refused(_: &Lua, (verdict, reason): (String, String)) -> Result<Option<String>> {
    let gateway = GATEWAY.get().zip(Reason::of_code(&reason));
    Ok(gateway.and_then(|(gateway, reason)| gateway.refused(&verdict, reason)))
}

/// The upload of a verdict whose body is to be read as it passes, and the body's length if it changes.
fn upload(_: &Lua, verdict: Option<String>) -> Result<(Option<u64>, Option<String>)> {
    let upload = GATEWAY.get().zip(verdict).and_then(|(gateway, verdict)| gateway.upload(&verdict));
    let (number, length) = upload.unzip();
    Ok((number, length.flatten().map(|length| length.to_string())))
}

/// Whether a piece of a body `goes` on, is `dropped`, or `ends` the request; the verdict that is new
/// with it, the status of a refusal, and what goes in the piece's place.
fn pass(_: &Lua, (upload, piece): (u64, LuaString)) -> Result<LuaPassed> {
    let passed = GATEWAY.get().map(|gateway| gateway.pass(upload, &piece.as_bytes(), host::now()));
    Ok(passed_of(passed))
}

/// The same for the end of a body.
fn end_body(_: &Lua, upload: u64) -> Result<LuaPassed> {
    Ok(passed_of(GATEWAY.get().map(|gateway| gateway.end_body(upload, host::now()))))
}

type LuaPassed = (&'static str, Option<String>, Option<String>, Option<BString>);

fn passed_of(passed: Option<Passed>) -> LuaPassed {
    let Some(Passed { piece, verdict, status, instead }) = passed else {
        return ("ends", None, None, None);
    };
    let word = match piece {
        Piece::Goes => "goes",
        Piece::Dropped => "dropped",
        Piece::Ends => "ends",
    };
    (word, verdict, status.map(|status| status.to_string()), instead.map(BString::from))
}

/// A caller's way through the steps, held by Lua and not to be looked into.
struct LuaPassage(Passage);

impl UserData for LuaPassage {}

/// What a step comes to: a word (`done`, `refused`, `peer`, `body`; nothing is to wait), what it
/// gives, and the variables it tells.
type LuaStep<T> = (Option<&'static str>, Option<T>, Vec<(&'static str, String)>);

fn told<T, L>(step: Step<T>, give: impl FnOnce(T) -> L) -> LuaStep<L> {
    match step {
        Step::Wait => (None, None, Vec::new()),
        Step::Needs(more) => (Some(more), None, Vec::new()),
        Step::Refused(variables) => (Some("refused"), None, variables),
        Step::Done(given, variables) => (Some("done"), Some(give(given)), variables),
    }
}

/// Variables as a table.
fn answer_of<L: IntoLua>(lua: &Lua, (word, given, variables): LuaStep<L>) -> Result<LuaMultiValue> {
    let table = lua.create_table()?;
    for (name, value) in variables {
        table.set(name, value)?;
    }
    (word, given, table).into_lua_multi(lua)
}

fn verify(lua: &Lua, (request, ticket): (LuaString, u64)) -> Result<LuaMultiValue> {
    let step = match GATEWAY.get() {
        Some(gateway) => gateway.verify(&request.as_bytes(), ticket, host::now()),
        None => Step::Refused(Vec::new()),
    };
    answer_of(lua, told(step, LuaPassage))
}

fn permit(
    lua: &Lua,
    (passage, request, ticket): (Option<UserDataRef<LuaPassage>>, LuaString, u64),
) -> Result<LuaMultiValue> {
    let step = match (GATEWAY.get(), passage) {
        (Some(gateway), Some(passage)) => {
            gateway.permit(&passage.0, &request.as_bytes(), ticket, host::now())
        }
        _ => Step::Refused(Vec::new()),
    };
    answer_of(lua, told(step, LuaPassage))
}

fn sign(
    lua: &Lua,
    (passage, name): (Option<UserDataRef<LuaPassage>>, String),
) -> Result<LuaMultiValue> {
    let step = match GATEWAY.get() {
        Some(gateway) => gateway.sign(passage.as_deref().map(|p| &p.0), &name, host::now()),
        None => Step::Refused(Vec::new()),
    };
    let headers = |signed: Signed| -> Result<Table> {
        let table = lua.create_table()?;
        let (header, value) = signed.authorization.header();
        table.set("header", header)?;
        table.set("value", value)?;
        table.set("call", signed.call)?;
        if let Some(target) = signed.target {
            table.set("method", target.method)?;
            table.set("host", target.host)?;
            table.set("uri", target.uri)?;
            table.set("without", target.without)?;
        }
        Ok(table)
    };
    let (word, given, variables) = told(step, headers);
    answer_of(lua, (word, given.transpose()?, variables))
}

/// Google refused the credential of this verdict's call: in how many seconds to try again, if a fresh
/// one is there by then; an empty text otherwise, as HAProxy takes a missing value for 0.
fn credential_refused(_: &Lua, verdict: String) -> Result<&'static str> {
    let is_renewed =
        GATEWAY.get().is_some_and(|gateway| gateway.credential_refused(&verdict, host::now()));
    Ok(if is_renewed { "1" } else { "" })
}

/// What an answer of HAProxy's own says to the request of this verdict.
fn error_json(
    _: &Lua,
    (verdict, reason, status): (String, String, Option<String>),
) -> Result<Option<String>> {
    let status = status.and_then(|status| status.parse().ok());
    Ok(Reason::of_code(&reason).map(|reason| gateway::error_json(&verdict, reason, status)))
}
