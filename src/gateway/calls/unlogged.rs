//! The access line that HAProxy does not write: it closes without a word when Google closes a
//! connection before it answers and the client is expected to repeat its request. What only HAProxy
//! knows (times but the whole, counts of connections) is -1 or 0.

use serde_json::json;

use crate::gateway::calls::log_fields::Style;

/// HAProxy's termination state for a server that closed before its headers came.
const SERVER_CLOSED: &str = "SH--";

/// The connection of a request, as the host reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The client's address.
    pub client: String,
    /// The client's port.
    pub client_port: u16,
    /// The frontend's name.
    pub frontend: String,
    /// The backend's name.
    pub backend: String,
    /// The server's name.
    pub server: String,
    /// The format of log lines.
    pub style: Style,
    /// Bytes received from the client, headers included; `None` before HAProxy 3.0.
    pub uploaded: Option<u64>,
}

/// The time at which a request came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Came {
    /// The local time, as `%tr` formats it.
    pub(in crate::gateway) date: String,
    /// Unix seconds.
    pub(in crate::gateway) secs: i64,
    /// Milliseconds since then.
    pub(in crate::gateway) millis_ago: i64,
}

/// The whole line; `said` holds the module's own fields.
pub(in crate::gateway) fn line(connection: &Connection, came: &Came, said: &str) -> String {
    let Connection { client, client_port, frontend, backend, server, style, .. } = connection;
    let Came { date, secs, millis_ago } = came;
    match style {
        Style::Text => format!(
            "{client}:{client_port} [{date}] {frontend} {backend}/{server} \
             -1/-1/-1/-1/{millis_ago} -1 0 - - {SERVER_CLOSED} 0/0/0/0/0 0/0 {said}}}"
        ),
        Style::Json => {
            let name = |name: &str| ascii(&json!(name).to_string());
            format!(
                "{{\"timestamp\":{secs}.000,\"client.address\":{},\"client.port\":{client_port},\
                 \"haproxy.frontend\":{},\"haproxy.backend\":{},\"haproxy.server\":{},\
                 \"haproxy.time.request_ms\":-1,\"haproxy.time.queue_ms\":-1,\
                 \"haproxy.time.connect_ms\":-1,\"haproxy.time.response_ms\":-1,\
                 \"haproxy.time.total_ms\":{millis_ago},\"http.response.status_code\":-1,\
                 \"http.response.size\":0,\"haproxy.termination_state\":\"{SERVER_CLOSED}\"{}}}",
                name(client),
                name(frontend),
                name(backend),
                name(server),
                ascii(said),
            )
        }
    }
}

/// JSON in ASCII: HAProxy's Lua writes a dot for any other byte.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            c.encode_utf16(&mut units)
                .iter()
                .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn connection(style: Style) -> Connection {
        let [client, frontend, backend, server] =
            ["192.0.2.7", "ai", "vertex_global", "google"].map(str::to_owned);
        let (client_port, uploaded) = (4711, None);
        Connection { client, client_port, frontend, backend, server, style, uploaded }
    }

    #[test]
    fn a_line_is_as_haproxy_would_write_it() {
        let came =
            Came { date: "15/Jan/2027:08:00:00.000".into(), secs: 1_800_000_000, millis_ago: 42 };
        assert_eq!(
            line(&connection(Style::Text), &came, "\"POST /v1 HTTP/1.1\" vertex{decision=deny"),
            "192.0.2.7:4711 [15/Jan/2027:08:00:00.000] ai vertex_global/google -1/-1/-1/-1/42 -1 0 \
             - - SH-- 0/0/0/0/0 0/0 \"POST /v1 HTTP/1.1\" vertex{decision=deny}"
        );
        let json = line(&connection(Style::Json), &came, ",\"vertex.display\":\"ä\u{1f600}\"");
        assert!(json.is_ascii(), "{json}");
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["vertex.display"], "ä\u{1f600}");
        assert_eq!(json["haproxy.time.total_ms"], 42);
        assert_eq!(json["client.address"], "192.0.2.7");
    }
}
