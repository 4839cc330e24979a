//! What Lua's task is told to fetch, and hands back.

use mlua::{Lua, LuaString, Result, Table};

use super::{FOLDERS, GATEWAY};
use crate::fetch::{Answer, Headers, Id, Reply, Request, Unanswered};
use crate::gateway::Gateway;
use crate::google::Disk;
use crate::host;

/// Adds these functions to the module's.
pub(super) fn export(lua: &Lua, exports: &Table) -> Result<()> {
    exports.set("fetchers", lua.create_function(fetchers)?)?;
    exports.set("step", lua.create_function(step)?)?;
    exports.set("answer", lua.create_function(answer)?)?;
    exports.set("fail", lua.create_function(fail)?)?;
    exports.set("unanswered", lua.create_function(unanswered)?)?;
    #[cfg(feature = "faults")]
    exports.set("asked", lua.create_function(asked)?)?;
    Ok(())
}

/// How many tasks are wanted.
fn fetchers(_: &Lua, (): ()) -> Result<usize> {
    Ok(GATEWAY.get().map_or(0, Gateway::fetchers))
}

/// The number of the request that is due now, and the request. The files that are due are read before.
fn step(lua: &Lua, (): ()) -> Result<(Option<u64>, Option<Table>)> {
    if let Some((gateway, folders)) = GATEWAY.get().zip(FOLDERS.get()) {
        let disk =
            Disk { read: &|file| folders.read(file), written: &|file| folders.written(file) };
        gateway.look_at_files(disk, host::now());
    }
    match GATEWAY.get().and_then(|gateway| gateway.step(host::now())) {
        Some(fetch) => Ok((Some(fetch.id.into()), Some(table_of(lua, &fetch.request)?))),
        None => Ok((None, None)),
    }
}

/// A request, whose header fields are as HAProxy's httpclient takes them: by name a list of values.
fn table_of(lua: &Lua, request: &Request) -> Result<Table> {
    let headers = lua.create_table()?;
    for header in &request.headers {
        let values = match headers.get::<Option<Table>>(&*header.name)? {
            Some(values) => values,
            None => {
                let values = lua.create_table()?;
                headers.set(&*header.name, &values)?;
                values
            }
        };
        values.push(header.value.as_str())?;
    }
    let table = lua.create_table()?;
    table.set("method", request.method.name())?;
    table.set("authority", request.endpoint.authority.as_str())?;
    table.set("path", request.endpoint.path.as_str())?;
    table.set("headers", headers)?;
    if !request.body.is_empty() {
        table.set("body", lua.create_string(request.body.as_slice())?)?;
    }
    Ok(table)
}

/// The server that was asked gave this answer to request `id`.
fn answer(_: &Lua, (id, status, headers, body): (u64, u16, Table, LuaString)) -> Result<()> {
    let answer = Answer::new(status, headers_of(&headers)?, body.as_bytes().to_vec());
    give(id, &Reply::Answer(answer));
    Ok(())
}

/// Header fields as HAProxy's httpclient gives them: by name the values, counted from 0.
fn headers_of(table: &Table) -> Result<Headers> {
    let mut lines = Vec::new();
    for pair in table.pairs::<LuaString, Table>() {
        let (name, values) = pair?;
        let name = name.as_bytes().to_vec();
        for index in 0.. {
            let Some(value) = values.get::<Option<LuaString>>(index)? else {
                break;
            };
            lines.push((name.clone(), value.as_bytes().to_vec()));
        }
    }
    Ok(Headers::new(lines))
}

/// Request `id` failed; `why` is for the log.
fn fail(_: &Lua, (id, why): (u64, String)) -> Result<()> {
    give(id, &Reply::Failure(why));
    Ok(())
}

/// Request `id` brought no answer of the server that was asked; `report` is what HAProxy says of it.
fn unanswered(_: &Lua, (id, report): (u64, Table)) -> Result<()> {
    let servers = report.get::<Table>("servers")?;
    let why = Unanswered {
        authority: report.get("authority")?,
        words: report.get("words")?,
        status: report.get("status")?,
        destination: report.get("destination")?,
        servers: servers.pairs().collect::<Result<_>>()?,
    };
    give(id, &Reply::Failure(why.to_string()));
    Ok(())
}

fn give(id: u64, reply: &Reply) {
    if let Some(gateway) = GATEWAY.get() {
        gateway.answer(Id::from(id), reply, host::now());
    }
}

/// What `step` would give for a request that no part of the gateway sends: a form to be handed over,
/// or nothing to be, and header fields.
#[cfg(feature = "faults")]
fn asked(lua: &Lua, (url, form, headers): (String, Option<Table>, Table)) -> Result<Table> {
    use crate::fetch::{Endpoint, FieldValue};

    let endpoint = Endpoint::parse(&url).or_else(|_| Endpoint::parse_http(&url));
    let endpoint = endpoint.map_err(mlua::Error::external)?;
    let mut request = match form {
        None => Request::get(endpoint),
        Some(form) => {
            let form = form.pairs().collect::<Result<Vec<(String, String)>>>()?;
            let form: Vec<_> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
            Request::post_form(endpoint, &form)
        }
    };
    for pair in headers.pairs::<String, String>() {
        let (name, value) = pair?;
        let value =
            FieldValue::new(&value).ok_or_else(|| mlua::Error::external("no field value"))?;
        request = request.with(name, value);
    }
    table_of(lua, &request)
}
