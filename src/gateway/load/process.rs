//! Checks what HAProxy's worker needs at run time: the socket that keys are fetched by, within its
//! chroot and open to its user, and one kind of Lua for all scripts.

use crate::error::ConfigError;
use crate::gateway::load::fault;
use crate::haproxy::{Haproxy, Listener, Version};

/// Faults of the scripts' setting: a bound on their memory; scripts shared by all threads beside
/// scripts of each thread, as before HAProxy 3.0 a request that runs both crashes HAProxy, or goes on
/// undecided.
pub(super) fn faults_of_scripts(haproxy: &Haproxy) -> Vec<ConfigError> {
    let mixed = match haproxy.version {
        Some(version) if version < Version::V3_0 => mixed_scripts(haproxy),
        _ => None,
    };
    mixed.into_iter().chain(bounded_memory(haproxy)).collect()
}

/// A bound on Lua's memory: HAProxy lets go what a filter that has none left was to judge.
fn bounded_memory(haproxy: &Haproxy) -> Option<ConfigError> {
    let (line, _) = haproxy.global("tune.lua.maxmem").find(|(_, megabytes)| *megabytes != "0")?;
    let problem = format!(
        "`{}`: where Lua has no memory left, HAProxy passes on bodies that nobody has judged: leave \
         it out",
        line.text
    );
    Some(fault(line, problem))
}

/// The same as a doubt, if HAProxy's version is unknown.
pub(super) fn doubts_of_scripts(haproxy: &Haproxy) -> Option<String> {
    let mixed = haproxy.version.is_none().then(|| mixed_scripts(haproxy)).flatten();
    mixed.map(|fault| fault.to_string())
}

fn mixed_scripts(haproxy: &Haproxy) -> Option<ConfigError> {
    let (shared, _) = haproxy.global("lua-load").next()?;
    let (own, _) = haproxy.global("lua-load-per-thread").next()?;
    let problem = format!(
        "`{}` beside `{}` ({}): before HAProxy 3.0 a request that runs scripts of both kinds can \
         crash it: write lua-load-per-thread for both",
        shared.text, own.text, own.place
    );
    Some(fault(shared, problem))
}

/// Faults of the socket, if keys are fetched at all.
pub(super) fn faults_of_socket(haproxy: &Haproxy) -> Vec<ConfigError> {
    if haproxy.sections.is_empty() {
        return Vec::new();
    }
    let chroot = haproxy.global("chroot").next();
    if let Some((line, "auto")) = chroot {
        let problem = "`chroot auto` is an empty folder, in which keys cannot be fetched by a socket \
                       that has a path: name a folder, as in `chroot /var/lib/haproxy`";
        return vec![fault(line, problem.to_owned())];
    }
    let socket = &haproxy.fetch_socket;
    let bound = socket.listeners.iter().find(|known| known.real_path == socket.real_destination);
    match bound {
        Some(listener) => closed_to_worker(haproxy, listener).into_iter().collect(),
        None => {
            let folder = chroot.map_or("", |(_, folder)| folder);
            let path = socket.destination.trim_start_matches('/');
            let wanted = format!("{}/{path}", folder.trim_end_matches('/'));
            let within = match folder {
                "" => String::new(),
                folder => format!(" in its chroot {folder}"),
            };
            let remedy = match haproxy.is_bare {
                true => format!("write `bind unix@{wanted}`"),
                false => format!("set VERTEX_FETCH_BIND={wanted} in HAProxy's environment"),
            };
            // The path of a socket within the chroot, as the worker sees it.
            let seen = |listener: &Listener| {
                let inside = listener.path.strip_prefix(folder.trim_end_matches('/'))?;
                inside.starts_with('/').then(|| inside.to_owned())
            };
            let seen = socket.listeners.iter().find_map(seen);
            let inside = match seen {
                Some(path) => format!("or VERTEX_FETCH_DST={path}, as it is seen from inside"),
                None => "or let VERTEX_FETCH_DST say where it is, seen from inside".to_owned(),
            };
            let others: Vec<&str> = socket.listeners.iter().map(|l| l.path.as_str()).collect();
            let problem = format!(
                "keys cannot be fetched: HAProxy's worker looks for the socket {}{within}, which is \
                 {wanted} outside, and no `bind` is there (there are: {}): {remedy}, {inside}",
                socket.destination,
                if others.is_empty() { "none".to_owned() } else { others.join(", ") },
            );
            let listener = socket.listeners.first().map(|listener| listener.place.as_str());
            let place =
                chroot.map(|(line, _)| line.place.as_str()).or(listener).unwrap_or_default();
            vec![ConfigError::in_haproxy(place, problem)]
        }
    }
}

fn closed_to_worker(haproxy: &Haproxy, listener: &Listener) -> Option<ConfigError> {
    let worker = haproxy.fetch_socket.worker.as_ref()?;
    // By default the user who starts HAProxy owns it: root, if HAProxy changes its user.
    let is_owner = listener.owner.as_ref() == Some(worker);
    if worker.is_root() || is_owner || !listener.is_private {
        return None;
    }
    let owner = listener.owner.as_ref().map_or("root", |owner| owner.text.as_str());
    let remedy = match haproxy.is_bare {
        true => format!("write `user {}` in its `bind`", worker.text),
        false => format!("set VERTEX_USER={} in HAProxy's environment", worker.text),
    };
    let unknown = match worker.is_known() {
        true => "",
        false => ", a user that this machine does not have",
    };
    let problem = format!(
        "keys cannot be fetched: the socket {} is for user {owner} alone, and HAProxy's worker runs \
         as {}{unknown}: {remedy}",
        listener.path, worker.text
    );
    Some(ConfigError::in_haproxy(&listener.place, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::load::tests::{read, read_on};

    fn socket(global: &str, bind: &str, destination: &str) -> Vec<String> {
        let text = format!(
            "global\n setenv VERTEX_FETCH_DST {destination}\n {global}\nfrontend f\n bind {bind}\n"
        );
        faults_of_socket(&read(&text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_bound_on_the_scripts_memory_is_refused() {
        let faults = |line: &str| {
            let haproxy = read_on("3.0.0", &format!("global\n {line}\n"));
            faults_of_scripts(&haproxy).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(faults("tune.lua.maxmem 0"), [""; 0], "no bound");
        assert_eq!(faults("tune.lua.burst-timeout 500"), [""; 0]);
        let [problem] = faults("tune.lua.maxmem 64").try_into().expect("one fault");
        assert!(
            problem.contains("`tune.lua.maxmem 64`") && problem.contains("leave it out"),
            "{problem}"
        );
    }

    #[test]
    fn the_worker_finds_the_socket_in_its_chroot() {
        for (global, bind, destination) in [
            ("chroot /var/lib/haproxy", "/var/lib/haproxy/f.sock", "/f.sock"),
            ("chroot \"/var/lib/haproxy\"", "unix@/var/lib/haproxy/f.sock", "/f.sock"),
            ("maxconn 1", "/run/f.sock", "/run/f.sock"),
            ("chroot /a", ":80,/a/f.sock", "/f.sock"),
            ("unix-bind prefix /a mode 666", "/f.sock", "/a/f.sock"),
            ("chroot /a\n chroot /b", "/a/f.sock", "/f.sock"),
        ] {
            assert_eq!(socket(global, bind, destination), [""; 0], "{global} {bind} {destination}");
        }
        for (global, bind, destination) in [
            ("chroot /var/lib/haproxy", "/var/lib/haproxy/f.sock", "/var/lib/haproxy/f.sock"),
            ("chroot /var/empty", "/var/lib/haproxy/f.sock", "/f.sock"),
            ("maxconn 1", "/var/lib/haproxy/f.sock", "/f.sock"),
            ("chroot /a", "/a/f.sock", "/g.sock"),
            ("chroot /a", ":80", "/f.sock"),
            ("unix-bind prefix /a", "/f.sock", "/f.sock"),
        ] {
            let [problem] = socket(global, bind, destination).try_into().expect(bind);
            assert!(problem.starts_with("x.cfg:") || !global.contains("chroot"), "{problem}");
            assert!(problem.contains("VERTEX_FETCH_BIND="), "{problem}");
        }
        let [problem] = socket("chroot auto", "/f.sock", "/f.sock").try_into().expect("one fault");
        assert!(problem.contains("name a folder"), "{problem}");
    }

    #[test]
    fn the_worker_may_open_the_socket() {
        for (global, options) in [
            ("user haproxy", "mode 600 user haproxy"),
            ("uid 99", "mode 600 user haproxy"),
            ("user haproxy", "mode 600 uid 99"),
            ("user other", "mode 660 user haproxy"),
            ("user other", "user haproxy"),
            ("user root", "mode 600 user haproxy"),
            ("maxconn 1", "mode 600 user haproxy"),
            ("user haproxy\n unix-bind mode 600 user haproxy", ""),
        ] {
            assert_eq!(
                socket(global, &format!("/f {options}"), "/f"),
                [""; 0],
                "{global} {options}"
            );
        }
        for (global, options) in [
            ("user other", "mode 600 user haproxy"),
            ("uid 98", "mode 600 user haproxy"),
            ("user haproxy", "mode 0600"),
            ("user haproxy\n unix-bind mode 600 user other", ""),
        ] {
            let [problem] =
                socket(global, &format!("/f {options}"), "/f").try_into().expect(options);
            assert!(problem.contains("VERTEX_USER="), "{problem}");
        }
    }

    #[test]
    fn scripts_are_of_one_kind_before_3_0() {
        let said = |version: &str, text: &str| faults_of_scripts(&read_on(version, text)).len();
        let both = "global\n lua-load a.lua\nglobal\n lua-load-per-thread b.lua";
        assert_eq!(said("2.6.12", both), 1);
        assert_eq!(said("2.8.25", both), 1);
        assert_eq!((said("3.0.11", both), said("", both)), (0, 0));
        assert!(doubts_of_scripts(&read(both)).is_some_and(|doubt| doubt.starts_with("x.cfg:2: ")));
        assert_eq!(doubts_of_scripts(&read_on("3.0.11", both)), None);
        for one in
            ["global\n lua-load a.lua\n lua-load b.lua", "global\n lua-load-per-thread a.lua"]
        {
            assert_eq!(said("2.6.12", one), 0);
        }
    }
}
