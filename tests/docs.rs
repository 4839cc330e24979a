//! What an operator can see is documented where they would look, and says what the code does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test reads the files of the tree")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use haproxy_vertex::error::Reason;
use haproxy_vertex::gateway::{LocationTimes, TokenKind};
use haproxy_vertex::jose::Algorithm;
use haproxy_vertex::vertex::short_paths;
use haproxy_vertex::watch::Signal;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// What follows `prefix` as long as `allowed` holds, wherever it stands in `text`.
fn words_after(text: &str, prefix: &str, allowed: fn(char) -> bool) -> BTreeSet<String> {
    let word = |rest: &str| rest.chars().take_while(|c| allowed(*c)).collect::<String>();
    text.split(prefix).skip(1).map(word).filter(|word| !word.is_empty()).collect()
}

fn action_char(c: char) -> bool {
    name_char(c) || c == '-'
}

fn name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn every_reason_is_documented_with_its_status() {
    let reference = read("docs/reference.md");
    for reason in Reason::ALL {
        let status = reason.status();
        let row = format!("| `{}` | {} {} |", reason.code(), status.code, status.name);
        assert!(reference.contains(&row), "docs/reference.md lacks: {row}");
    }
}

#[test]
fn every_documented_reason_exists() {
    let section = read("docs/reference.md");
    let section = section.split("## Reason codes").nth(1).and_then(|s| s.split("## ").next());
    let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(documented, codes);
    let operations = read("docs/operations.md");
    let runbook = operations.split("\n## What to do when\n").nth(1).unwrap_or_default();
    let known = words_after(runbook, "\n| `", name_char);
    assert!(!known.is_empty());
    for code in known {
        assert!(codes.contains(&code.as_str()), "docs/operations.md names {code}");
    }
}

#[test]
fn what_callers_are_told_of_reasons_exists() {
    // Words in code type with an underscore that belong to others.
    let others = [
        "_claim_names",
        "api_key",
        "client_id",
        "jwt_issuer",
        "retry_options",
        "status_code",
        "vertex_event",
    ];
    let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let mut seen = 0;
    for page in ["docs/callers.md", "docs/issuers.md"] {
        for word in read(page).split('`').skip(1).step_by(2) {
            let lower = |c: char| c.is_ascii_lowercase() || c == '_';
            if word.contains('_') && word.chars().all(lower) && !others.contains(&word) {
                assert!(codes.contains(&word), "{page} names {word}");
                seen += 1;
            }
        }
    }
    assert!(seen > 5, "only {seen} reasons found");
}

#[test]
fn what_callers_are_told_to_be_tried_is_what_the_tests_install() {
    let pinned = [
        "tests/e2e/requirements.txt",
        "tests/e2e/requirements-google.txt",
        "tests/e2e/libraries/requirements.txt",
        "tests/e2e/libraries/requirements-llama-index.txt",
        "tests/e2e/js/package.json",
        "tests/e2e/programs/package.json",
    ]
    .map(read)
    .concat();
    let page = read("docs/callers.md");
    let section = page.split("\n## What was tried\n").nth(1).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter(|row| row.starts_with("| "));
    let mut seen = 0;
    for row in rows.skip(1) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let (package, version) = (cells[1], cells[2]);
        let ways = [format!("{package}=={version}\n"), format!("\"{package}\": \"{version}\"")];
        assert!(ways.iter().any(|way| pinned.contains(way.as_str())), "not installed: {row}");
        seen += 1;
    }
    assert_eq!(seen, 16);
}

/// The value of a variable that the rule set sets, bit by bit, each bit in quotes of either kind.
fn setting(rules: &str, wanted: &str) -> String {
    let mut values: Vec<(&str, String)> = Vec::new();
    for line in rules.lines().filter_map(|line| line.trim().strip_prefix("setenv ")) {
        let (name, text) = line.split_once(' ').unwrap();
        let (mut value, mut rest) = (String::new(), text);
        while let Some(quote) = rest.chars().next() {
            let (inside, after) = rest[1..].split_once(quote).unwrap_or_else(|| (&rest[1..], ""));
            value.push_str(inside);
            rest = after;
        }
        for (name, known) in values.iter().rev() {
            value = value.replace(&format!("${{{name}}}"), known);
        }
        values.push((name, value));
    }
    values.into_iter().rev().find(|(name, _)| *name == wanted).expect(wanted).1
}

#[test]
fn what_the_rule_set_says_is_what_the_reason_says() {
    let rules = read("haproxy-conf/vertex.cfg");
    let body = setting(&rules, "VERTEX_INTERNAL_JSON");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let (reason, status) = (Reason::Internal, Reason::Internal.status());
    assert_eq!(body["error"]["code"], status.code);
    assert_eq!(body["error"]["status"], status.name);
    assert_eq!(body["error"]["message"], reason.text());
    assert_eq!(body["error"]["details"][0]["reason"], reason.code());
    let mut said = 0;
    for rule in rules.lines().filter(|line| line.contains("string \"${VERTEX_INTERNAL_JSON}\"")) {
        assert!(rule.contains(&format!("return status {} ", status.code)), "{rule}");
        said += 1;
    }
    for rule in rules.lines().filter(|line| line.contains("lua.vertex_error_json(")) {
        let said_here =
            rule.split("lua.vertex_error_json(").nth(1).unwrap().split(')').next().unwrap();
        let (code, status) = said_here.split_once(',').unwrap_or((said_here, ""));
        let reason = Reason::ALL.iter().find(|reason| reason.code() == code).unwrap();
        let status = status.parse().unwrap_or_else(|_| reason.status().code);
        let answers = ["return", "http-error"].map(|word| format!("{word} status {status} "));
        assert!(answers.iter().any(|answer| rule.contains(answer)), "{rule}");
        said += 1;
    }
    assert!(said >= 6, "only {said} rules say something");
    for code in words_after(&rules, "reason=", name_char) {
        assert!(Reason::ALL.iter().any(|reason| reason.code() == code), "vertex.cfg says {code}");
    }
}

#[test]
fn every_status_of_a_refusal_has_its_rule() {
    let rules = read("haproxy-conf/vertex.cfg");
    // What becomes of an allow has rules of its own.
    let later = [
        Reason::GoogleCredentialRefused,
        Reason::GoogleDenied,
        Reason::UpstreamUnavailable,
        Reason::UpstreamClosed,
        Reason::UpstreamTimeout,
        Reason::AnsweredByRule,
    ];
    for reason in Reason::ALL.iter().filter(|reason| !later.contains(reason)) {
        let rule = format!("if {{ var(txn.vertex.status) -m str {} }}", reason.status().code);
        assert!(rules.contains(&rule), "vertex.cfg has no rule for {}: {rule}", reason.code());
    }
}

#[test]
fn every_variable_of_the_rule_set_is_documented() {
    let rules = read("haproxy-conf/vertex.cfg");
    let reference = read("docs/reference.md");
    for prefix in ["txn.vertex.", "res.vertex."] {
        for name in words_after(&rules, prefix, name_char) {
            assert!(reference.contains(&format!("`{prefix}{name}`")), "{prefix}{name}");
        }
        for name in words_after(&reference, &format!("`{prefix}"), name_char) {
            assert!(rules.contains(&format!("{prefix}{name}")), "{prefix}{name} is no more");
        }
    }
}

#[test]
fn every_action_and_its_variables_are_documented_and_no_others() {
    let reference = read("docs/reference.md");
    let section = reference.split("\n## Actions\n").nth(1).and_then(|s| s.split("\n## ").next());
    let tables = section.and_then(|section| section.split("```").next()).unwrap_or_default();
    let registered = words_after(&read("lua/vertex.lua"), "core.register_action(\"", action_char);
    for action in registered.iter().filter(|action| action.as_str() != "vertex_wait") {
        let row = |rule: &str| tables.contains(&format!("| `{rule} lua.{action}"));
        assert!(row("http-request") || row("http-response"), "{action}");
    }
    // The script takes all of them back, and the table at the end says what each one holds.
    let script = read("lua/vertex/variables.lua");
    let lists = script.lines().filter(|line| line.starts_with("local ") && line.contains("= {"));
    let known: BTreeSet<_> = lists.flat_map(|line| words_after(line, "\"", name_char)).collect();
    let rows = tables.split("| variable | holds |").nth(1).unwrap_or_default();
    let rows = rows.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let documented: BTreeSet<_> = rows.flat_map(|cell| words_after(cell, "`", name_char)).collect();
    assert_eq!(documented, known);
    let steps = read("src/gateway/actions.rs") + &read("src/gateway/decide/judge.rs");
    let told = steps.split("(\"").skip(1).filter_map(|rest| rest.split_once("\",")?.0.into());
    let told: BTreeSet<_> =
        told.filter(|name| !name.is_empty() && name.chars().all(name_char)).collect();
    let unknown: Vec<_> = told.iter().filter(|name| !known.contains(**name)).collect();
    assert!(told.len() > 10 && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_example_for_the_actions_lets_the_same_headers_through() {
    let rules = read("haproxy-conf/vertex.cfg");
    let list = setting(&rules, "VERTEX_SENT_HEADERS");
    assert!(list.split('|').count() > 10, "{list}");
    assert!(
        rules.contains("http-request del-header \"^(?!(?:${VERTEX_SENT_HEADERS})\\$)\" -m reg\n")
    );
    let rule = format!("http-request del-header ^(?!(?:{list})$) -m reg\n");
    assert!(read("docs/reference.md").contains(&rule), "{rule}");
}

#[test]
fn every_environment_variable_is_documented_with_its_default() {
    let rules = read("haproxy-conf/vertex.cfg");
    let configuration = read("docs/configuration.md");
    let mut names = BTreeSet::new();
    for line in rules.lines().filter_map(|line| line.trim().strip_prefix("presetenv ")) {
        let (name, default) = line.split_once(' ').unwrap();
        let row = format!("| `{name}` | `{default}` |");
        assert!(configuration.contains(&row), "docs/configuration.md lacks: {row}");
        names.insert(name.to_owned());
    }
    let documented = words_after(&configuration, "\n| `VERTEX_", name_char);
    let documented: BTreeSet<_> = documented.iter().map(|name| format!("VERTEX_{name}")).collect();
    assert_eq!(documented, names);
}

#[test]
fn every_algorithm_is_documented_and_no_other() {
    let configuration = read("docs/configuration.md");
    let row = configuration.lines().find(|line| line.starts_with("| `algorithms` |")).unwrap();
    let documented: Vec<_> = row.split('`').skip(1).step_by(2).skip(1).collect();
    let known: Vec<_> = Algorithm::ALL.iter().map(|alg| alg.name()).collect();
    assert_eq!(documented, known);
}

#[test]
fn every_member_of_the_configuration_is_documented() {
    let files = ["raw.rs", "raw/role.rs", "raw/limits.rs"];
    let shape: String = files.iter().map(|file| read(&format!("src/config/{file}"))).collect();
    let configuration = read("docs/configuration.md");
    let members = shape
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub("))
        .filter_map(|line| line.split_once(") ").map(|(_, line)| line))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name.trim_start_matches("r#"));
    let mut seen = 0;
    for member in members {
        let ends = [format!("`{member}`"), format!(".{member}`")];
        let row = |line: &str| {
            line.strip_prefix("| ").is_some_and(|l| {
                l.split(" | ").next().is_some_and(|cell| ends.iter().any(|end| cell.ends_with(end)))
            })
        };
        let groups = ["who", "may", "_schema"];
        assert!(
            groups.contains(&member) || configuration.lines().any(row),
            "docs/configuration.md has no row for {member}"
        );
        seen += 1;
    }
    assert!(seen > 20, "only {seen} members found");
}

#[test]
fn every_path_without_a_project_is_documented() {
    let callers = read("docs/callers.md");
    let (_, section) = callers.split_once("## Paths without a project\n").unwrap();
    let documented = words_after(section, "`/v1", |c| name_char(c) || c == '/');
    let documented: BTreeSet<_> = documented.iter().map(|path| format!("/v1{path}")).collect();
    for path in short_paths() {
        assert!(documented.contains(&path), "docs/callers.md says nothing of {path}");
    }
}

#[test]
fn every_signal_is_documented_and_no_other() {
    let page = read("docs/misuse.md");
    let section = page.split("## Signals").nth(1).and_then(|s| s.split("\n## ").next());
    let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let names: Vec<_> = Signal::ALL.iter().map(|signal| signal.name()).collect();
    assert_eq!(documented, names);
}

#[test]
fn every_number_of_the_watch_is_documented_as_it_is() {
    let mut numbers = BTreeSet::new();
    for file in ["watch", "watch/baseline", "watch/history", "watch/rate", "watch/suppress"] {
        let source = read(&format!("src/{file}.rs"));
        let lines = source.lines().map(|line| line.trim_start_matches("pub "));
        for line in lines.filter_map(|line| line.strip_prefix("const ")) {
            let Some((name, value)) = line.strip_suffix(';').and_then(|l| l.split_once(" = "))
            else {
                continue;
            };
            let name = name.split(':').next().unwrap();
            numbers.insert(format!("{}::{name} = {value}", file.trim_start_matches("watch/")));
        }
    }
    let page = read("docs/misuse.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains(" = "));
    let documented: BTreeSet<_> =
        rows.filter_map(|row| Some(row.rsplit('`').nth(1)?.to_owned())).collect();
    assert!(numbers.len() > 10, "{numbers:?}");
    assert_eq!(documented, numbers);
}

#[test]
fn the_rule_set_and_the_module_are_of_one_version() {
    let rules = read("haproxy-conf/vertex.cfg");
    assert!(rules.contains(&format!("setenv VERTEX_RULES {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_runtime_command_is_documented() {
    let entry = read("lua/vertex.lua");
    let reference = read("docs/reference.md");
    let commands: Vec<_> = entry
        .lines()
        .filter_map(|line| line.strip_prefix("core.register_cli({ "))
        .filter_map(|line| line.split(" }").next())
        .map(|words| words.replace(['"', ','], ""))
        .collect();
    assert!(!commands.is_empty());
    for command in commands {
        assert!(reference.contains(&format!("| `{command}` |")), "{command}");
    }
}

#[test]
fn every_service_is_documented() {
    let entry = read("lua/vertex.lua");
    let reference = read("docs/reference.md");
    let services = words_after(&entry, "core.register_service(\"", action_char);
    assert_eq!(services.len(), 2);
    for service in services {
        assert!(reference.contains(&format!("| `http-request use-service lua.{service}` |")));
    }
}

#[test]
fn every_metric_is_documented_with_its_type_and_labels_and_no_other() {
    let operations = read("docs/operations.md");
    let key = common::keys::SigningKey::ed();
    let gateway = common::gateway::open_minimal(&key);
    let times = LocationTimes {
        location: "us-central1".to_owned(),
        connect_millis: 12,
        response_millis: 340,
    };
    gateway.metrics().request(0, None);
    gateway.metrics().tokens(0, Some(0), TokenKind::Thought, 7);
    let page = gateway.metrics_page(&[times], common::at(1));
    let mut names = BTreeSet::new();
    for (name, kind) in page.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split_once(' ')) {
        names.insert(name.to_owned());
        let start = format!("| `{name}` | {kind} |");
        let row = operations.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("docs/operations.md lacks: {start}"));
        let documented = words_after(row.split(" |").nth(2).unwrap_or_default(), "`", name_char);
        let begins = [format!("{name}{{"), format!("{name}_bucket{{"), format!("{name} ")];
        for line in page.lines().filter(|l| begins.iter().any(|begin| l.starts_with(begin))) {
            let mut labels: Vec<&str> = line.split("=\"").collect();
            labels.pop();
            let labels = labels.iter().filter_map(|before| before.rsplit(['{', ',']).next());
            let labels: BTreeSet<_> = labels.filter(|l| *l != "le").map(str::to_owned).collect();
            assert_eq!(labels, documented, "{line}");
        }
    }
    let rows = words_after(&operations, "\n| `haproxy_vertex_", name_char);
    let rows: BTreeSet<_> = rows.iter().map(|name| format!("haproxy_vertex_{name}")).collect();
    assert_eq!(rows, names);
}

#[test]
fn every_target_of_the_makefile_says_what_it_is_for() {
    let makefile = read("Makefile");
    let contract = [
        "help",
        "setup",
        "build",
        "build-all",
        "demo",
        "test",
        "test-matrix",
        "lint",
        "bench",
        "install",
        "clean",
    ];
    for target in contract {
        let line = makefile.lines().find(|line| line.starts_with(&format!("{target}:")));
        assert!(line.is_some_and(|line| line.contains("## ")), "make {target}");
    }
}

#[test]
fn every_file_that_the_architecture_names_exists() {
    let page = read("docs/architecture.md");
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_/.*-".contains(c);
    let endings = [".rs", ".lua", ".cfg", ".py", ".json", ".rules", ".txt"];
    let is_file = |word: &&str| endings.iter().any(|ending| word.ends_with(ending));
    let named: BTreeSet<&str> = page.split(|c| !is_part(c)).filter(is_file).collect();
    let roots = ["", "src/", "src/gateway/", "src/gateway/calls/", "src/vertex/", "docs/"];
    let roots = roots.into_iter().chain(["lua/vertex/", "haproxy-conf/", "tests/"]);
    let exists = |name: &&&str| {
        roots.clone().any(|root| {
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{root}{name}")).exists()
        })
    };
    // What an operator's own file is called, and several files at once.
    let others = ["vertex.json"];
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !name.contains('*') && !others.contains(name))
        .filter(|name| !exists(name))
        .collect();
    assert!(named.len() > 30 && missing.is_empty(), "{missing:?}");
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    for document in [
        "README.md",
        "docs/architecture.md",
        "docs/callers.md",
        "docs/configuration.md",
        "docs/issuers.md",
        "docs/misuse.md",
        "docs/operations.md",
        "docs/reference.md",
        "docs/routes.md",
    ] {
        let folder = Path::new(document).parent().unwrap();
        for link in words_after(&read(document), "](", |c| c != ')') {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if file.is_empty() { document.into() } else { folder.join(file) };
            let text = read(&path.to_string_lossy());
            // As GitHub makes anchors: punctuation falls away.
            let heading = |line: &str| {
                let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                words.replace(|c| !(name_char(c) || c == '-'), "") == anchor
            };
            assert!(anchor.is_empty() || text.lines().any(heading), "{document}: {link}");
        }
    }
}
