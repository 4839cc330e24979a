//! A fetch that brought no answer of the server that was asked, told so that an operator knows what
//! to look at. HAProxy's rules (`defaults vertex-fetch`) and its Lua say what happened.

use std::fmt;

/// A connection that fails sooner was refused; later it was given up.
const REFUSED_WITHIN_MILLIS: u64 = 1000;

/// What HAProxy says of a fetch without answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unanswered {
    /// Who was asked: host, and port where it is not 443.
    pub authority: String,
    /// The header `x-vertex-fetch-error`; nothing where not even the rules answered.
    pub words: String,
    /// The status of what came instead; 0 for nothing.
    pub status: u16,
    /// The address of the fetching frontend, as HAProxy's Lua sees it.
    pub destination: String,
    /// The backend's servers, each with its status in `show stat`.
    pub servers: Vec<(String, String)>,
}

/// What the words hold.
enum Why<'w> {
    NoBackend,
    TooLarge(&'w str, &'w str),
    Cut(&'w str, &'w str),
    Stalled,
    Failed { millis: u64, server: &'w str, connection: &'w str, tls: &'w str },
    Unknown,
}

impl<'w> Why<'w> {
    fn of(words: &'w str) -> Self {
        let mut rest = words.splitn(4, ' ');
        let mut next = || rest.next().unwrap_or_default();
        match next() {
            "no-backend" => Self::NoBackend,
            "too-large" => Self::TooLarge(next(), next()),
            "cut" => Self::Cut(next(), next()),
            "stalled" => Self::Stalled,
            "failed" => {
                let (_, millis) = (next(), next());
                let mut texts = next().split('|');
                let mut text = || texts.next().unwrap_or_default();
                Self::Failed {
                    millis: millis.parse().unwrap_or(0),
                    server: text(),
                    connection: text(),
                    tls: text(),
                }
            }
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authority, words, status, destination, .. } = self;
        let backend = format!("backend vertex_fetch_{authority}");
        match Why::of(words) {
            Why::NoBackend => write!(f, "HAProxy has no {backend}"),
            Why::TooLarge(size, limit) => {
                write!(f, "a document of {size} bytes or more; VERTEX_FETCH_MAX allows {limit}")
            }
            Why::Cut(came, size) => {
                write!(f, "the answer broke off after {came} of {size} bytes or more")
            }
            Why::Stalled => write!(f, "the answer began, and did not end in time"),
            Why::Failed { server: "", .. } => self.no_server(&backend, f),
            Why::Failed { millis, server, connection, tls } => {
                let server = format!("server {server} of {backend}");
                match (status, connection, tls) {
                    (504, ..) => write!(f, "{server} sent no answer within {}", seconds(millis)),
                    (502, ..) => {
                        write!(f, "{server} sent something else than an HTTP answer, or nothing")
                    }
                    (_, "", "") if millis < REFUSED_WITHIN_MILLIS => {
                        write!(f, "{server} refused the connection")
                    }
                    (_, "", "") => {
                        write!(f, "no connection to {server} within {}", seconds(millis))
                    }
                    (_, connection, "") => write!(f, "{server}: {connection}"),
                    (_, connection, tls) => write!(f, "{server}: {connection}: {tls}"),
                }
            }
            Why::Unknown => match status {
                0 | 503 => write!(
                    f,
                    "nobody answers at {destination}: VERTEX_FETCH_DST must lead HAProxy's worker, \
                     inside its chroot, to the socket that VERTEX_FETCH_BIND names"
                ),
                504 => write!(f, "no answer in time at {destination}"),
                status => write!(f, "no answer; HAProxy said {status} at {destination}"),
            },
        }
    }
}

impl Unanswered {
    /// No server could be chosen.
    fn no_server(&self, backend: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_unresolved = |status: &str| status.contains("resolution");
        match self.servers.as_slice() {
            [] => write!(f, "{backend} has no server"),
            servers if servers.iter().all(|(_, status)| is_unresolved(status)) => {
                write!(f, "{backend}: the name of its server does not resolve")
            }
            servers => {
                let told: Vec<_> =
                    servers.iter().map(|(name, status)| format!("{name} is {status}")).collect();
                write!(f, "{backend} has no server that is up: {}", told.join(", "))
            }
        }
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_a_sentence_of_its_own() {
        let servers = |status: &str| vec![("idp".to_owned(), status.to_owned())];
        let told = |words: &str, status: u16, servers: Vec<(String, String)>| {
            let (authority, words) = ("idp.example".to_owned(), words.to_owned());
            let destination = "unix@/fetch.sock".to_owned();
            Unanswered { authority, words, status, destination, servers }.to_string()
        };
        let verify = "error:0A000086:SSL routines::certificate verify failed";
        let cases = [
            ("", 503, "nobody answers at unix@/fetch.sock: VERTEX_FETCH_DST must lead"),
            ("", 0, "nobody answers at unix@/fetch.sock: VERTEX_FETCH_DST must lead"),
            ("", 504, "no answer in time at unix@/fetch.sock"),
            ("", 400, "no answer; HAProxy said 400 at unix@/fetch.sock"),
            ("no-backend", 503, "HAProxy has no backend vertex_fetch_idp.example"),
            (
                "too-large 300000 22000",
                502,
                "a document of 300000 bytes or more; VERTEX_FETCH_MAX allows 22000",
            ),
            ("cut 5 2000", 502, "the answer broke off after 5 of 2000 bytes or more"),
            ("stalled", 504, "the answer began, and did not end in time"),
            (
                "failed 503 12 idp||",
                503,
                "server idp of backend vertex_fetch_idp.example refused the connection",
            ),
            (
                "failed 503 3001 idp||",
                503,
                "no connection to server idp of backend vertex_fetch_idp.example within 3.0 s",
            ),
            (
                &format!("failed 503 30 idp|SSL handshake failure|{verify}"),
                503,
                &format!(
                    "server idp of backend vertex_fetch_idp.example: SSL handshake failure: {verify}"
                ),
            ),
            (
                "failed 503 30 idp|SSL handshake failure|",
                503,
                "server idp of backend vertex_fetch_idp.example: SSL handshake failure",
            ),
            (
                "failed 504 5018 idp|Success|",
                504,
                "server idp of backend vertex_fetch_idp.example sent no answer within 5.0 s",
            ),
            (
                "failed 502 18 idp|Success|",
                502,
                "server idp of backend vertex_fetch_idp.example sent something else than an HTTP \
                 answer, or nothing",
            ),
        ];
        for (words, status, says) in cases {
            assert!(told(words, status, servers("UP")).starts_with(says), "{words}: {says}");
        }
        let none = |servers| told("failed 503 0 ||", 503, servers);
        assert_eq!(none(Vec::new()), "backend vertex_fetch_idp.example has no server");
        assert_eq!(
            none(servers("MAINT (resolution)")),
            "backend vertex_fetch_idp.example: the name of its server does not resolve"
        );
        assert_eq!(
            none(servers("DOWN")),
            "backend vertex_fetch_idp.example has no server that is up: idp is DOWN"
        );
    }
}
