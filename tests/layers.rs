//! The layers, read from the sources: nobody has to remember them. The arrows are those that
//! `src/lib.rs` documents; a module that neither they nor the list below name fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::Path;

/// The most lines of a file, tests apart.
const MAX_LINES: usize = 600;

/// Modules outside the arrows, and all that each may use.
const BESIDE: &[(&str, &[&str])] = &[
    ("config", &["error", "fetch", "google", "jose", "json", "limits", "oidc", "policy", "vertex"]),
    ("haproxy", &[]),
    ("host", &["haproxy", "time"]),
    ("log_queue", &[]),
];

/// Who may use the modules outside the arrows.
const USERS_BESIDE: &[(&str, &[&str])] = &[
    ("config", &["gateway", "lua", "ffi", "cli"]),
    ("haproxy", &["gateway", "lua", "ffi", "cli", "host"]),
    ("host", &["lua", "ffi", "cli"]),
    ("log_queue", &["lua", "ffi"]),
];

/// The rooms of `gateway`, and which of them each may use: a verdict knows no call, a call no
/// request, neither a page, and no room who joins them.
const ROOMS: &[(&str, &[&str])] =
    &[("decide", &[]), ("calls", &[]), ("admin", &["decide", "calls"])];

/// Words of code, and the only files or folders where they may stand.
const PLACES: &[(&str, &[&str])] = &[
    ("mlua", &["lua"]),
    ("SystemTime", &["host.rs"]),
    ("Instant", &["host.rs"]),
    // The two faces to C.
    ("unsafe", &["ffi.rs", "lua/raw.rs"]),
    ("ring", &["jose/"]),
    ("base64", &["jose/"]),
    ("rustix", &["host/"]),
];

struct Source {
    /// `jose/alg.rs`
    name: String,
    /// `jose`
    module: String,
    /// Without comments and tests, line by line.
    code: Vec<String>,
    /// Lines before the tests.
    lines: usize,
}

#[allow(clippy::disallowed_methods, reason = "a test reads the sources")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn collect(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, root, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            sources.push(source(name, &read(&path)));
        }
    }
}

fn source(name: String, text: &str) -> Source {
    let lines: Vec<&str> = text.lines().collect();
    // Tests stand at the end of a file, in one module.
    let end = (0..lines.len())
        .find(|index| {
            let next = lines.get(index + 1).copied().unwrap_or_default();
            lines[*index] == "#[cfg(test)]" && next.starts_with("mod ")
        })
        .unwrap_or(lines.len());
    let code = lines[..end].iter().map(|line| line.split("//").next().unwrap().to_owned());
    let module = name.split(['/', '.']).next().unwrap().to_owned();
    Source { name, module, code: code.collect(), lines: end }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 20, "{} files", sources.len());
    sources
}

/// The groups of `src/lib.rs`'s line with arrows, from the outermost in.
fn layers() -> Vec<BTreeSet<String>> {
    let text = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let line = text.lines().find(|line| line.contains('→')).expect("the line with the arrows");
    let names = |group: &str| group.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    line.split('→').map(names).collect()
}

/// The words after each `crate::` of the code, `use crate::{…}` included.
fn used(code: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut used = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => drop(used.insert(word(after))),
            Some(list) => {
                let mut depth = 0_u32;
                let mut item = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => drop(used.insert(word(&std::mem::take(&mut item)))),
                        _ if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                used.insert(word(&item));
            }
        }
    }
    used.remove("");
    used
}

fn listed<'t>(table: &[(&str, &'t [&'t str])], module: &str) -> Option<&'t [&'t str]> {
    table.iter().find(|(name, _)| *name == module).map(|(_, list)| *list)
}

/// Whether `user` may use `used`.
fn may_use(layers: &[BTreeSet<String>], user: &str, used: &str) -> bool {
    if let Some(users) = listed(USERS_BESIDE, used) {
        return users.contains(&user);
    }
    if let Some(list) = listed(BESIDE, user) {
        return list.contains(&used);
    }
    let layer = |module: &str| layers.iter().position(|names| names.contains(module));
    matches!((layer(user), layer(used)), (Some(user), Some(used)) if user < used)
}

#[test]
fn modules_use_each_other_along_the_documented_arrows_only() {
    let (layers, mut wrong) = (layers(), Vec::new());
    let known = |module: &str| {
        listed(BESIDE, module).is_some() || layers.iter().any(|names| names.contains(module))
    };
    for source in
        sources().iter().filter(|source| !["lib", "main"].contains(&source.module.as_str()))
    {
        assert!(known(&source.module), "src/lib.rs's arrows do not name {}", source.module);
        for used in used(&source.code.join("\n")) {
            if used != source.module && !may_use(&layers, &source.module, &used) {
                wrong.push(format!("{} uses crate::{used}", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The words after each `crate::gateway::` of a room's code.
fn used_of_gateway(code: &str) -> BTreeSet<String> {
    used(&code.replace("crate::gateway::", "crate::"))
        .difference(&used(&code.replace("crate::gateway::", "gone::")))
        .cloned()
        .collect()
}

#[test]
fn the_rooms_of_the_gateway_use_each_other_along_the_arrows_only() {
    let (mut wrong, mut files) = (Vec::new(), 0);
    for source in sources() {
        let Some(name) = source.name.strip_prefix("gateway/") else {
            continue;
        };
        let room = name.split(['/', '.']).next().unwrap();
        let Some(others) = listed(ROOMS, room) else {
            continue;
        };
        files += 1;
        for used in used_of_gateway(&source.code.join("\n")) {
            if used != room && !others.contains(&used.as_str()) {
                wrong.push(format!("{} uses crate::gateway::{used}", source.name));
            }
        }
    }
    assert!(files > 20, "{files} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let code = "use crate::gateway::{Gateway, calls::table};\nuse crate::gateway::admin::View;\nuse crate::time::Now;";
    assert_eq!(
        used_of_gateway(code).into_iter().collect::<Vec<_>>(),
        ["Gateway", "admin", "calls"]
    );
}

#[test]
fn the_arrows_are_read_as_they_are_meant() {
    let layers = layers();
    assert_eq!(layers.len(), 6);
    let allowed = [
        ("lua", "gateway"),
        ("lua", "time"),
        ("gateway", "oidc"),
        ("gateway", "google"),
        ("gateway", "meter"),
        ("gateway", "watch"),
        ("oidc", "jose"),
        ("oidc", "fetch"),
        ("google", "fetch"),
        ("fetch", "time"),
        ("watch", "time"),
        ("jose", "error"),
        ("config", "oidc"),
        ("config", "limits"),
        ("gateway", "config"),
    ];
    let forbidden = [
        ("gateway", "lua"),
        ("oidc", "gateway"),
        ("oidc", "policy"),
        ("limits", "policy"),
        ("vertex", "google"),
        ("meter", "vertex"),
        ("watch", "policy"),
        ("jose", "oidc"),
        ("fetch", "oidc"),
        ("fetch", "jose"),
        ("error", "time"),
        ("lua", "ffi"),
        ("oidc", "config"),
        ("config", "gateway"),
        ("haproxy", "error"),
        ("gateway", "log_queue"),
        ("oidc", "unheard"),
    ];
    for (user, used) in allowed {
        assert!(may_use(&layers, user, used), "{user} {used}");
    }
    for (user, used) in forbidden {
        assert!(!may_use(&layers, user, used), "{user} {used}");
    }
    let code =
        "use crate::{time::{A, b}, error,\n jose};\nuse crate::oidc::X; fn f() { crate::lua::y() }";
    assert_eq!(
        used(code).into_iter().collect::<Vec<_>>(),
        ["error", "jose", "lua", "oidc", "time"]
    );
}

#[test]
fn lua_unsafe_code_and_cryptography_each_have_one_place() {
    let mut found = BTreeSet::new();
    for source in sources() {
        for line in &source.code {
            // HAProxy has a section `ring`: what stands in quotes is no code.
            let code = line.split('"').step_by(2);
            for word in code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'))
            {
                let Some((word, places)) = PLACES.iter().find(|(w, _)| *w == word) else {
                    continue;
                };
                let is_right = places.iter().any(|place| source.name.starts_with(place));
                assert!(is_right, "{word} in {}: {line}", source.name);
                found.insert(*word);
            }
        }
    }
    for (word, _) in PLACES {
        assert!(found.contains(word), "{word} is nowhere: is it searched for rightly?");
    }
}

#[test]
fn no_file_is_too_long_without_its_tests() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines > MAX_LINES)
        .map(|source| format!("{}: {} lines", source.name, source.lines))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
