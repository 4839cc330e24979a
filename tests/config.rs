//! The configuration: one that is right, and what is said of each that is not, and where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::{BACKENDS, FETCHING_BACKENDS, fetching};
use common::keys::{KEY_FILE, SigningKey, ec_der, pem, rsa_der, rsa_pem};
use common::settings::{Files, haproxy, minimal, only, sections};
use common::vectors::run;
use haproxy_vertex::error::{ConfigError, ConfigErrors};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::haproxy::Haproxy;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    comment: String,
    /// Made to the minimal configuration, one after the other.
    change: Vec<Change>,
    expect: String,
    pointer: String,
    /// What the message says; the last one as a rule what would be right.
    says: Vec<String>,
}
named!(Case);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Change {
    /// Puts a value to a place, which may be new.
    Put { at: String, value: Value },
    /// Takes a place away.
    Remove { at: String },
    /// Replaces text, once; `*` stands for all text before what follows it.
    Replace { from: String, to: String },
}

/// The text of the minimal configuration after these changes.
fn changed(changes: &[Change]) -> String {
    let mut json = minimal();
    let mut texts = Vec::new();
    for change in changes {
        match change {
            Change::Put { at, value } => {
                let (parent, last) = at.rsplit_once('/').unwrap();
                match json.pointer_mut(parent).unwrap() {
                    Value::Object(members) => drop(members.insert(last.to_owned(), value.clone())),
                    Value::Array(list) => {
                        let index: usize = last.parse().unwrap();
                        list.truncate(index);
                        list.push(value.clone());
                    }
                    other => panic!("{other} has no places"),
                }
            }
            Change::Remove { at } => {
                let (parent, last) = at.rsplit_once('/').unwrap();
                let members = json.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                assert!(members.remove(last).is_some(), "nothing at {at}");
            }
            Change::Replace { from, to } => texts.push((from, to)),
        }
    }
    let mut text = json.to_string();
    for (from, to) in texts {
        text = match from.strip_prefix('*') {
            Some("") => to.clone(),
            Some(end) => format!("{}{to}", text.strip_suffix(end).unwrap()),
            None => {
                assert_eq!(text.matches(from.as_str()).count(), 1, "{from} in {text}");
                text.replacen(from.as_str(), to, 1)
            }
        };
    }
    text
}

fn check(found: Option<&ConfigErrors>, case: &Case) -> Result<(), String> {
    let found: Vec<_> = found.into_iter().flatten().collect();
    match (found.as_slice(), case.expect.as_str()) {
        ([], "ok") => Ok(()),
        ([error], "refused") => {
            let missing: Vec<_> =
                case.says.iter().filter(|t| !error.problem.contains(*t)).collect();
            let said = !case.says.is_empty() && missing.is_empty();
            match error.pointer == case.pointer && said && error.file == "conf/vertex.json" {
                true => Ok(()),
                false => Err(format!("{error}")),
            }
        }
        (found, _) => Err(format!("{found:?} instead of {}", case.expect)),
    }
}

#[test]
fn every_fault_is_told_with_its_place_and_what_would_be_right() {
    let files = Files::new(&SigningKey::ed());
    run::<Case>(include_str!("vectors/config.json"), |case| {
        check(files.load(&changed(&case.change)).err().as_ref(), case)
    });
}

#[test]
fn an_error_names_the_file_the_place_and_the_fault() {
    let files = Files::new(&SigningKey::ed());
    let error = files.load(&changed(&[Change::Remove { at: "/roles/0/as".to_owned() }]));
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("conf/vertex.json: /roles/0: `as` is missing"), "{text}");
    let error = files.load("").unwrap_err().to_string();
    assert!(error.starts_with("conf/vertex.json: empty; JSON is wanted"), "{error}");
}

#[test]
fn a_configuration_that_is_not_there_is_told() {
    let read = |path: &std::path::Path| {
        assert_eq!(path.to_str(), Some("conf/other.json"));
        Err(std::io::Error::other("permission denied"))
    };
    let error = haproxy_vertex::config::Config::load("conf/other.json", &read, &|_| None);
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "conf/other.json: cannot read conf/other.json: permission denied");
}

/// What is said when the credential's file holds this; nothing if it is taken.
fn with_credential(kind: &str, file: impl Into<Vec<u8>>) -> Option<ConfigError> {
    let mut files = Files::new(&SigningKey::ed());
    files.put("credential", file);
    let mut settings = minimal();
    settings["credentials"][0]["type"] = json!(kind);
    settings["credentials"][0]["file"] = json!("credential");
    files.load(&settings.to_string()).err().map(only)
}

fn key_file(member: &str, value: Value) -> String {
    let mut file: Value = serde_json::from_str(KEY_FILE).unwrap();
    file[member] = value;
    file.to_string()
}

#[test]
fn a_service_accounts_file_holds_an_rsa_key_in_pkcs_8() {
    assert_eq!(with_credential("service_account", KEY_FILE), None);
    let key = |pem: &str| key_file("private_key", json!(pem));
    assert_eq!(with_credential("service_account", key(&rsa_pem().replace('\n', "\r\n"))), None);
    let pkcs1 = &rsa_der()[26..];
    let cases = [
        ("", "not JSON: empty"),
        ("not JSON", "not JSON: line 1, column 2: a text in double quotes"),
        ("[]", "line 1, column 2: no value of such a file"),
        ("{}", "`type` is missing; a service account's key file is wanted"),
        (r#"{"type":"service_account"}"#, "`client_email` is missing"),
        (r#"{"type":"service_account","client_email":5}"#, "column 42: no value of such a file"),
        (
            &key_file("type", json!("authorized_user")),
            "a person's own credentials, as `gcloud auth",
        ),
        (&key_file("type", json!("external_account")), "identity federation"),
        (&key_file("type", json!("impersonated_service_account")), "to impersonate"),
        (&key_file("type", json!("something")), "its `type` is not service_account"),
        (r#"{"installed":{"client_id":"x"}}"#, "an OAuth client's file"),
        (&key(&pem("RSA PRIVATE KEY", pkcs1)), "PKCS #8"),
        (&key(&pem("PRIVATE KEY", pkcs1)), "not an RSA key"),
        (&key(&pem("EC PRIVATE KEY", &ec_der())), "PKCS #8"),
        (&key(&pem("PRIVATE KEY", &ec_der())), "not an RSA key of 2048 to 4096 bits"),
        (&key(&pem("ENCRYPTED PRIVATE KEY", &rsa_der())), "PKCS #8"),
        (&key(&pem("PUBLIC KEY", &rsa_der())), "PKCS #8"),
        (&key(&pem("PRIVATE KEY", &rsa_der()[..600])), "not an RSA key"),
        (&key("-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----"), "not base64"),
        (&key(""), "PKCS #8"),
    ];
    for (file, says) in cases {
        let error = with_credential("service_account", file).unwrap_or_else(|| panic!("{says}"));
        assert_eq!(error.pointer, "/credentials/0/file", "{error}");
        assert!(error.problem.contains(says), "{says}: {error}");
        assert!(error.problem.starts_with("credential: "), "which file: {error}");
    }
}

#[test]
fn an_access_tokens_file_holds_one_line_of_at_most_12_288_bytes() {
    let longest = "t".repeat(12_288);
    for good in ["a-token", "a-token\n", " a-token \r\n", &longest, &format!("{longest}\n")] {
        assert_eq!(with_credential("access_token", good), None, "{}", good.len());
    }
    let cases: [(&[u8], &str); 9] = [
        (b"", "a line of its own"),
        (b"\n", "a line of its own"),
        (b"one\ntwo\n", "a line of its own"),
        (b"one two", "a line of its own"),
        (b"Bearer one", "a line of its own"),
        (b"one\x00", "a line of its own"),
        (b"\xff\xfe", "a line of its own"),
        ("\u{e9}".as_bytes(), "a line of its own"),
        (&[b't'; 12_289], "at most 12288 bytes"),
    ];
    for (file, says) in cases {
        let error = with_credential("access_token", file).unwrap_or_else(|| panic!("{file:?}"));
        assert_eq!(error.pointer, "/credentials/0/file");
        assert!(error.problem.contains(says), "{error}");
    }
}

#[test]
fn no_error_says_what_a_credentials_file_holds() {
    let secret = "hunter2-hunter2";
    let quoted = format!("\"{secret}\"");
    let files = [
        quoted.clone(),
        format!("[{quoted}]"),
        format!("[\"service_account\", \"a\", \"b\", {quoted}, \"c\"]"),
        format!("{{\"type\": {quoted}}}"),
        key_file("type", json!(secret)),
        key_file("private_key", json!(secret)),
        key_file("private_key", json!({ secret: secret })),
        key_file("private_key", json!([secret])),
        key_file("private_key", json!(format!("-----BEGIN PRIVATE KEY-----{secret}"))),
        key_file("private_key", json!(pem("PRIVATE KEY", secret.as_bytes()))),
        key_file("client_email", json!({ secret: secret })),
        format!("{KEY_FILE} {secret}"),
        format!("{secret}\n{secret}"),
    ];
    for kind in ["service_account", "access_token"] {
        for file in &files {
            if let Some(error) = with_credential(kind, file.as_str()) {
                assert!(!error.to_string().contains("hunter2"), "{error}");
            }
        }
    }
    let number = key_file("private_key", json!(20_261_123));
    let error = with_credential("service_account", number).unwrap();
    assert!(!error.to_string().contains("20261123"), "{error}");
}

/// What is said when HAProxy has these backends.
fn opened(settings: &Value, haproxy: &Haproxy) -> Result<(), ConfigError> {
    let config = Files::new(&SigningKey::ed()).load(&settings.to_string()).unwrap();
    Gateway::open(config, haproxy, at(0)).map(|_| ()).map_err(only)
}

#[test]
fn a_location_without_its_backend_is_told_with_the_block_to_paste() {
    assert_eq!(opened(&minimal(), &haproxy(BACKENDS)), Ok(()));
    let error = opened(&minimal(), &haproxy(&["vertex_us-central1", "vertex_Global"])).unwrap_err();
    assert_eq!(
        (error.file.as_str(), error.pointer.as_str()),
        ("conf/vertex.json", "/roles/0/may/locations/1")
    );
    assert!(error.problem.contains("no backend vertex_global; paste this"), "{error}");
    let block: Vec<&str> = error.problem.lines().skip(1).map(str::trim).collect();
    assert_eq!(block[0], "backend vertex_global from vertex-upstream");
    assert_eq!(block[1], "filter lua.vertex-meter");
    assert!(block[2].starts_with(
        "server aiplatform.googleapis.com aiplatform.googleapis.com:443 ssl verify required"
    ));
    assert!(block[2].contains("sni str(aiplatform.googleapis.com)"), "{error}");
    // What a role does not name needs no backend.
    let mut every = minimal();
    every["roles"][0]["may"]["locations"] = json!(["*"]);
    assert_eq!(opened(&every, &haproxy(&[])), Ok(()));
}

#[test]
fn an_issuers_host_without_its_backend_is_told_with_the_block_to_paste() {
    assert_eq!(opened(&fetching(), &haproxy(FETCHING_BACKENDS)), Ok(()));
    let error = opened(&fetching(), &haproxy(BACKENDS)).unwrap_err();
    assert_eq!(error.pointer, "/issuers/0");
    assert!(
        error.problem.contains("backend vertex_fetch_idp.example from vertex-fetch"),
        "{error}"
    );
    let mut other = fetching();
    other["issuers"][0]["jwks_hosts"] = json!(["keys.example:8443"]);
    let error = opened(&other, &haproxy(FETCHING_BACKENDS)).unwrap_err();
    assert!(error.problem.contains("backend vertex_fetch_keys.example:8443 from"), "{error}");
    assert!(error.problem.contains("server keys.example keys.example:8443 ssl"), "{error}");
}

#[test]
fn buffers_too_small_for_the_longest_credential_are_told_with_the_lines_to_write() {
    let mut files = Files::new(&SigningKey::ed());
    files.put("token.txt", "t".repeat(12_288));
    let mut settings = minimal();
    settings["credentials"][0]["type"] = json!("access_token");
    settings["credentials"][0]["file"] = json!("token.txt");
    let open = |bufsize: usize, maxrewrite: usize, fetch_max: usize| {
        let haproxy = Haproxy { bufsize, maxrewrite, fetch_max, ..haproxy(BACKENDS) };
        Gateway::open(files.load(&settings.to_string()).unwrap(), &haproxy, at(0))
            .map(|_| ())
            .map_err(only)
    };
    // `Bearer ` and the token, and 1024 bytes for what else grows.
    let wanted = 7 + 12_288 + 1024;
    assert_eq!(open(65_536, 16_384, 22_000), Ok(()));
    assert_eq!(open(2 * wanted, wanted, 0), Ok(()));
    // Documents, and 2048 bytes for their headers.
    assert_eq!(open(wanted + 22_000 + 2048, wanted, 22_000), Ok(()));
    for (bufsize, maxrewrite, fetch_max) in [
        (16_384, 1_024, 22_000),
        (65_536, wanted - 1, 22_000),
        (2 * wanted - 1, wanted, 0),
        (wanted + 22_000 + 2047, wanted, 22_000),
        (0, 0, 0),
    ] {
        let error = open(bufsize, maxrewrite, fetch_max).unwrap_err();
        assert_eq!(error.pointer, "/credentials");
        for says in [
            "12295 bytes",
            &format!("tune.maxrewrite {maxrewrite}"),
            &format!("tune.bufsize {bufsize}"),
            "VERTEX_MAXREWRITE=16384",
            "VERTEX_BUFSIZE=65536",
        ] {
            assert!(error.problem.contains(says), "{says}: {error}");
        }
    }
}

#[test]
fn a_backend_without_our_defaults_is_told() {
    let files = Files::new(&SigningKey::ed());
    let open = |backend: &str, defaults: Option<&str>| {
        let mut haproxy = haproxy(BACKENDS);
        haproxy.backends.push(backend.to_owned());
        if let Some(defaults) = defaults {
            let lines = "filter lua.vertex-meter\n server local 127.0.0.1:80\n";
            haproxy.sections = sections(&format!("backend {backend} from {defaults}\n {lines}"));
        }
        let config = files.load(&minimal().to_string()).unwrap();
        Gateway::open(config, &haproxy, at(0)).map(|_| ()).map_err(|errors| only(errors).problem)
    };
    for (backend, wanted) in
        [("vertex_asia-east1", "vertex-upstream"), ("vertex_fetch_a.example", "vertex-fetch")]
    {
        assert_eq!(open(backend, Some(wanted)), Ok(()));
        // Under `register_init` nobody knows what it is from.
        assert_eq!(open(backend, None), Ok(()));
        for other in ["x", "vertex", "mine"] {
            let problem = open(backend, Some(other)).unwrap_err();
            assert!(problem.contains(&format!("`backend {backend} from {wanted}`")), "{problem}");
        }
    }
    assert_eq!(open("vertex_unrouted", Some("vertex-internal")), Ok(()));
    assert_eq!(open("www", Some("mine")), Ok(()));
}

#[test]
fn a_misspelt_an_unused_and_a_missing_attribute_each_fail_the_run() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        comment: String,
    }
    named!(Case);
    let fails = |text: &'static str| {
        std::panic::catch_unwind(|| common::vectors::read::<Case>(text))
            .err()
            .map(|_| ())
            .ok_or(text)
    };
    assert_eq!(common::vectors::read::<Case>(r#"[{"name": "a", "comment": "b"}]"#).len(), 1);
    fails(r#"[{"name": "a", "coment": "b"}]"#).unwrap();
    fails(r#"[{"name": "a", "comment": "b", "also": 1}]"#).unwrap();
    fails(r#"[{"name": "a"}]"#).unwrap();
    fails(r#"[{"name": "a", "comment": "b"}, {"name": "a", "comment": "c"}]"#).unwrap();
}
