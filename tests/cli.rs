//! The command-line tool, as a person calls it: exit status, what it prints, and that it decides as
//! the gateway does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the tool reads files")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::gateway::{Ask, Said, URL, member};
use common::settings::{Files, haproxy, minimal};
use common::tool::{Folder, Output};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::time::{Monotonic, Now, UnixTime};
use haproxy_vertex::vertex::routes;
use serde_json::{Value, json};

impl Folder {
    fn check(&self, settings: &Value) -> Output {
        self.put("vertex.json", settings.to_string());
        self.call(&["check", "-c", "vertex.json"])
    }

    fn explain(&self, claims: &Value, more: &[&str]) -> Output {
        self.put("claims.json", claims.to_string());
        let first = ["explain", "-c", "vertex.json", "--claims", "claims.json"];
        self.call(&[&first, more].concat())
    }

    fn explained(&self, claims: &Value, more: &[&str]) -> Value {
        let said = self.explain(claims, &[&["--json"], more].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"))
    }
}

fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Now { wall: UnixTime(i64::try_from(wall).unwrap()), mono: Monotonic(0) }
}

/// Claims of somebody in the role of [`minimal`], valid now.
fn claims() -> Value {
    let mut claims = member();
    claims["iat"] = json!(now().wall.0);
    claims["exp"] = json!(now().wall.0 + 300);
    claims.as_object_mut().unwrap().remove("nbf");
    claims
}

#[test]
fn a_configuration_without_fault_is_0_and_one_with_a_fault_1_at_its_place() {
    let folder = Folder::new("check");
    let good = folder.check(&minimal());
    assert_eq!((good.status, good.err.as_str()), (0, ""), "{good:?}");
    assert!(good.out.contains("nothing to mend"), "{good:?}");
    let mut wrong = minimal();
    wrong["roles"][0]["as"] = json!("nobody");
    let wrong = folder.check(&wrong);
    assert_eq!(wrong.status, 1);
    for part in ["vertex.json: /roles/0/as", "there is no credential \"nobody\"", "ml-prod"] {
        assert!(wrong.out.contains(part), "{wrong:?}");
    }
    let missing = folder.call(&["check", "-c", "nothing.json"]);
    assert_eq!(missing.status, 1);
    assert!(missing.out.contains("cannot read nothing.json"), "{missing:?}");
    assert_eq!(folder.call(&["chek"]).status, 2);
    let unread = folder.call(&["check", "-c", "vertex.json", "-f", "nope.cfg"]);
    assert_eq!(unread.status, 2);
    assert!(unread.err.contains("cannot read nope.cfg: no such file"), "{unread:?}");
    // Of a device no end would come.
    let device = folder.call(&["check", "-c", "/dev/zero"]);
    assert_eq!(device.status, 1);
    assert!(device.out.contains("a pipe or a device"), "{device:?}");
}

type Change<'c> = &'c dyn Fn(&mut Value);

#[test]
fn a_role_that_an_earlier_one_hides_is_told_and_one_that_is_seen_is_not() {
    let folder = Folder::new("hidden");
    let with_second = |change: &dyn Fn(&mut Value)| {
        let mut settings = minimal();
        let mut second = settings["roles"][0].clone();
        second["name"] = json!("second");
        change(&mut second);
        settings["roles"].as_array_mut().unwrap().push(second);
        folder.check(&settings)
    };
    let cases: &[(bool, Change<'_>)] = &[
        (true, &|_| {}),
        (true, &|role| role["may"]["models"] = json!(["google/gemini-2.5-flash"])),
        (true, &|role| role["may"]["locations"] = json!(["global"])),
        (true, &|role| role["who"]["subjects"] = json!(["alice"])),
        (true, &|role| role["who"] = json!([role["who"].clone()])),
        (true, &|role| role["may"]["max_request_bytes"] = json!(5)),
        (false, &|role| role["may"]["models"] = json!(["google/*"])),
        (false, &|role| role["may"]["locations"] = json!(["*"])),
        (false, &|role| role["may"]["methods"] = json!(["*"])),
        (false, &|role| role["who"] = json!({ "issuer": "corp", "groups": ["ml", "x"] })),
        (false, &|role| role["who"] = json!({ "issuer": "corp", "anyone": true })),
        (false, &|role| role["body"] = json!("unread")),
        (false, &|role| role["may"]["tools"] = json!(["googleSearch"])),
        (true, &|role| role["may"]["tiers"] = json!([])),
        (false, &|role| role["may"]["tiers"] = json!(["flex"])),
    ];
    for (hidden, change) in cases {
        let said = with_second(change);
        let told = said.out.contains("/roles/1: role \"second\" is hidden: role \"ml-team\"");
        assert_eq!((told, said.status), (*hidden, i32::from(*hidden)), "{said:?}");
    }
}

#[test]
fn budgets_that_one_caller_can_empty_or_multiply_are_told() {
    let folder = Folder::new("budgets");
    let told = |limits: &Value, may: &[(&str, Value)]| {
        let mut settings = minimal();
        settings["roles"][0]["limits"] = limits.clone();
        for (member, value) in may {
            settings["roles"][0]["may"][*member] = value.clone();
        }
        let said = folder.check(&settings);
        assert_eq!(said.status, 0, "{said:?}");
        (said.out.contains("counts by model"), said.out.contains("callers share it"))
    };
    let full = || ("models", json!(["google/gemini-2.5-flash"]));
    let any = || ("models", json!(["google/gemini-*"]));
    let output = || ("max_output_tokens", json!(1000));
    let body = || ("max_request_bytes", json!(1000));
    let shared = json!({ "tokens_per_hour": 5_000_000 });
    let own = json!({ "per": "principal", "tokens_per_hour": 50_000 });
    let model = json!({ "per": "model", "requests_per_hour": 10 });
    assert_eq!(told(&model, &[any()]), (true, false));
    assert_eq!(told(&model, &[full()]), (false, false));
    assert_eq!(told(&shared, &[any()]), (false, true));
    assert_eq!(told(&shared, &[output()]), (false, true));
    assert_eq!(told(&shared, &[output(), body()]), (false, false));
    assert_eq!(told(&json!([shared, own]), &[]), (false, false));
    assert_eq!(told(&own, &[any()]), (false, false));
    assert_eq!(told(&json!({ "requests_per_hour": 10 }), &[]), (false, false));
}

#[test]
fn a_limit_on_tokens_whose_answers_nothing_caps_is_told() {
    let folder = Folder::new("uncapped");
    let told = |change: &dyn Fn(&mut Value)| {
        let mut settings = minimal();
        let role = &mut settings["roles"][0];
        role["limits"] = json!({ "per": "principal", "tokens_per_hour": 50_000 });
        change(&mut settings);
        let said = folder.check(&settings);
        assert_eq!(said.status, 0, "{said:?}");
        said.out.contains("nothing caps the answers of role \"ml-team\"")
    };
    let cases: &[(bool, Change<'_>)] = &[
        (true, &|_| {}),
        (true, &|all| all["roles"][0]["body"] = json!("unread")),
        (false, &|all| all["roles"][0]["may"]["max_output_tokens"] = json!(1000)),
        (false, &|all| all["roles"][0]["reserve_tokens"] = json!(8000)),
        (false, &|all| {
            all["roles"][0]["body"] = json!("unread");
            all["roles"][0]["reserve_tokens"] = json!(8000);
        }),
        (false, &|all| all["roles"][0]["may"]["methods"] = json!(["countTokens"])),
        (false, &|all| all["roles"][0]["limits"] = json!({ "requests_per_hour": 10 })),
        (true, &|all| {
            all["limits"] = all["roles"][0]["limits"].clone();
            all["roles"][0].as_object_mut().unwrap().remove("limits");
        }),
    ];
    for (index, (uncapped, change)) in cases.iter().enumerate() {
        assert_eq!(told(change), *uncapped, "{index}");
    }
}

#[test]
fn what_unread_bodies_lend_and_a_credential_past_its_age_are_told() {
    let folder = Folder::new("lent");
    let mut settings = minimal();
    settings["roles"][0]["body"] = json!("unread");
    let lent = folder.check(&settings);
    assert_eq!(lent.status, 0, "{lent:?}");
    assert!(lent.out.contains("role \"ml-team\": bodies go unread"), "{lent:?}");
    assert!(lent.out.contains("acme-ml"), "{lent:?}");
    assert!(!folder.check(&minimal()).out.contains("unread"));

    let mut settings = minimal();
    settings["credentials"][0]["max_age_days"] = json!(90);
    assert_eq!(folder.check(&settings).status, 0);
    let written = SystemTime::now() - Duration::from_secs(91 * 24 * 3600);
    let file = fs::File::options().append(true).open(folder.path.join("ml-prod.json")).unwrap();
    file.set_modified(written).unwrap();
    let old = folder.check(&settings);
    assert_eq!(old.status, 1);
    assert!(old.out.contains("ml-prod.json was written 91 days ago"), "{old:?}");
    assert_eq!(folder.check(&minimal()).status, 0, "only who asks to be told is told");
}

#[test]
fn the_shipped_files_keep_every_line_and_a_global_section_without_a_log_is_told() {
    let folder = Folder::new("log");
    let shipped = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("haproxy-conf").join(name);
        fs::read_to_string(path).unwrap()
    };
    folder.put("vertex.cfg", shipped("vertex.cfg"));
    for name in ["quickstart.cfg", "production.cfg"] {
        let told = |text: &str| {
            folder.put("own.cfg", text);
            let files = ["check", "-c", "vertex.json", "-f", "vertex.cfg", "-f", "own.cfg"];
            folder.call(&files).out.contains("global section has no log")
        };
        let text = shipped(name);
        assert!(!told(&text), "{name}");
        let log = text.lines().find(|line| line.starts_with("    log ")).unwrap();
        assert!(told(&text.replacen(log, "", 1)), "{name}");
    }
}

#[test]
fn backends_are_checked_where_haproxy_s_files_are_named() {
    let folder = Folder::new("backends");
    folder.put(
        "vertex.cfg",
        "global\n setenv VERTEX_RULES x\n tune.bufsize 65536\n tune.maxrewrite 16384\n",
    );
    let backend = |name: &str| {
        format!(
            "backend {name} from vertex-upstream\n filter lua.vertex-meter\n server g 127.0.0.1:1\n"
        )
    };
    folder.put("one.cfg", backend("vertex_us-central1"));
    folder.put("two.cfg", backend("vertex_global"));
    let files = ["check", "-c", "vertex.json", "-f", "vertex.cfg", "-f", "one.cfg"];
    let missing = folder.call(&files);
    assert_eq!(missing.status, 1, "{missing:?}");
    assert!(missing.out.contains("no backend vertex_global; paste this"), "{missing:?}");
    let complete = folder.call(&[&files[..], &["-f", "two.cfg"]].concat());
    assert_eq!(complete.status, 0, "{complete:?}");
    // HAProxy's own files are checked in full, every fault with its place.
    folder.put("bad.cfg", "frontend a\n default_backend vertex_global\n\nlisten b from vertex\n");
    let bad = folder.call(&[&files[..], &["-f", "two.cfg", "-f", "bad.cfg"]].concat());
    assert_eq!(bad.status, 1, "{bad:?}");
    for part in ["bad.cfg:2: HAProxy's frontend a leads to", "bad.cfg:4: HAProxy's listen b leads"]
    {
        assert!(bad.out.contains(part), "{part}: {bad:?}");
    }
    // Which version reads them is not known here.
    folder.put("mixed.cfg", "global\n lua-load a.lua\n lua-load-per-thread b.lua\n");
    let mixed = folder.call(&[&files[..], &["-f", "two.cfg", "-f", "mixed.cfg"]].concat());
    assert_eq!(mixed.status, 0, "{mixed:?}");
    assert!(mixed.out.contains("mixed.cfg:2: `lua-load a.lua` beside"), "{mixed:?}");
}

#[test]
fn what_a_configuration_hardly_means_is_told_and_fails_nothing() {
    let folder = Folder::new("doubts");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(folder.path.join("ml-prod.json"), private).unwrap();
    let told = |change: &dyn Fn(&mut Value), part: &str| {
        let mut settings = minimal();
        change(&mut settings);
        let output = folder.check(&settings);
        assert_eq!(output.status, 0, "{output:?}");
        let found = output.out.contains(part);
        (found, output.out)
    };
    type Change<'c> = &'c dyn Fn(&mut Value);
    let role = |settings: &mut Value, member: &str, value: Value| {
        settings["roles"][0]["may"][member] = value;
    };
    let anyone = |settings: &mut Value, issuer: &str| {
        settings["issuers"][0]["issuer"] = json!(issuer);
        settings["roles"][0]["who"] = json!({ "issuer": "corp", "anyone": true });
    };
    let limit = |settings: &mut Value, tokens: u64| {
        settings["roles"][0]["body"] = json!("unread");
        settings["roles"][0]["limits"] = json!({ "per": "principal", "tokens_per_minute": tokens });
        settings["roles"][0]["reserve_tokens"] = json!(2000);
    };
    let google = "https://accounts.google.com";
    let github = "https://token.actions.githubusercontent.com";
    let second = |settings: &mut Value, tools: &[&str]| {
        let mut credential = settings["credentials"][0].clone();
        credential["name"] = json!("other");
        settings["credentials"].as_array_mut().unwrap().push(credential);
        let mut role = settings["roles"][0].clone();
        (role["name"], role["as"]) = (json!("second"), json!("other"));
        role["may"]["tools"] = json!(tools);
        settings["roles"].as_array_mut().unwrap().push(role);
    };
    let cases: [(&str, Change<'_>, Change<'_>); 8] = [
        ("/roles/1: a request whose body is longer", &|s| second(s, &["googleSearch"]), &|s| {
            second(s, &["googleSearch"]);
            s["roles"][1]["as"] = s["roles"][0]["as"].clone();
        }),
        ("everybody with an account at Google", &|s| anyone(s, google), &|s| {
            anyone(s, "https://idp.example")
        }),
        ("everybody with an account at GitHub", &|s| anyone(s, github), &|s| {
            anyone(s, &format!("{github}/acme"))
        }),
        ("/roles/0/who: anyone of", &|s| anyone(s, google), &|s| {
            anyone(s, google);
            s["roles"][0]["who"] =
                json!({ "issuer": "corp", "claims": { "hd": { "equals": "acme.example" } } });
        }),
        (
            "/roles/0/may/locations/1: no location",
            &|s| role(s, "locations", json!(["eu", "europe-west44"])),
            &|s| role(s, "locations", json!(["eu", "europe-west4", "global"])),
        ),
        (
            "/roles/0/may/models/0: no publisher",
            &|s| role(s, "models", json!(["mistral/*"])),
            &|s| role(s, "models", json!(["mistralai/*", "endpoints/*", "*"])),
        ),
        (
            "/roles/0/may/methods/0: models of anthropic are not called by generateContent",
            &|s| {
                role(s, "models", json!(["anthropic/claude-*"]));
                role(s, "methods", json!(["generateContent", "rawPredict"]));
            },
            &|s| {
                role(s, "models", json!(["anthropic/claude-*", "google/*"]));
                role(s, "methods", json!(["generateContent", "rawPredict"]));
            },
        ),
        ("/roles/0/limits: no request of role \"ml-team\" fits 1999", &|s| limit(s, 1999), &|s| {
            limit(s, 2000)
        }),
    ];
    for (part, doubtful, twin) in cases {
        let (is_told, out) = told(doubtful, part);
        assert!(is_told, "{part}: {out}");
        let (is_told, out) = told(twin, part);
        assert!(!is_told, "{part}: {out}");
    }
}

#[test]
fn a_key_file_that_others_can_read_is_told() {
    let folder = Folder::new("modes");
    let said = |mode: u32| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.path.join("ml-prod.json"), permissions).unwrap();
        let output = folder.check(&minimal());
        assert_eq!(output.status, 0, "{output:?}");
        output.out.contains("so every user of this machine can use it")
    };
    assert!(said(0o644) && said(0o604) && said(0o602));
    assert!(!said(0o600) && !said(0o640) && !said(0o400));
}

#[test]
fn explain_says_the_role_or_what_the_nearest_ones_lack() {
    let folder = Folder::new("explain");
    let allowed = folder.explain(&claims(), &["POST", URL]);
    assert_eq!(allowed.status, 0, "{allowed:?}");
    for part in ["allow\n", " ml-team", " ml-prod", " corp:alice", "claims are believed"] {
        assert!(allowed.out.contains(part), "{part}: {allowed:?}");
    }
    let mut settings = minimal();
    let mut far = settings["roles"][0].clone();
    far["name"] = json!("far");
    far["who"] = json!({ "issuer": "corp", "groups": ["x"], "claims": { "a": { "equals": 1 } } });
    far["may"]["max_request_bytes"] = json!(2);
    settings["roles"] = json!([far, settings["roles"][0]]);
    folder.put("vertex.json", settings.to_string());
    let other = URL.replace("gemini-2.5-flash", "gemini-1.5-pro");
    let refused = folder.explained(&claims(), &["POST", &other]);
    assert_eq!((&refused["decision"], &refused["reason"]), (&json!("deny"), &json!("role_none")));
    let nearest = json!([
        { "role": "ml-team", "lacks": ["may.models"] },
        { "role": "far", "lacks": ["who.groups", "who.claims a", "may.models"] },
    ]);
    assert_eq!(refused["nearest"], nearest);
    assert_eq!(folder.explain(&claims(), &["POST", &other]).status, 1);
    let whole = format!("https://gateway.example:8443{URL}");
    assert_eq!(folder.explained(&claims(), &["POST", &whole])["decision"], "allow");
}

#[test]
fn explain_knows_tiers() {
    let folder = Folder::new("tiers");
    let mut settings = minimal();
    settings["roles"][0]["may"]["tiers"] = json!(["flex", "shared"]);
    folder.put("vertex.json", settings.to_string());
    let explained = |tiers: &[&str]| {
        let options = tiers.iter().flat_map(|tier| ["--tier", tier]);
        folder.explained(&claims(), &options.chain(["POST", URL]).collect::<Vec<_>>())
    };
    for allowed in [&[][..], &["flex"], &["flex", "shared"]] {
        assert_eq!(explained(allowed)["decision"], "allow", "{allowed:?}");
    }
    let refused = explained(&["shared", "priority"]);
    assert_eq!(refused["reason"], "tier_not_allowed");
    assert!(refused["message"].as_str().unwrap().ends_with(": tiers: priority"), "{refused}");
    assert_eq!(refused["nearest"][0]["lacks"], json!(["may.tiers"]));
    let unknown = folder.explain(&claims(), &["--tier", "turbo", "POST", URL]);
    assert_eq!(unknown.status, 2, "{unknown:?}");
}

#[test]
fn explain_knows_bodies_addresses_certificates_and_hours() {
    let folder = Folder::new("conditions");
    let mut settings = minimal();
    settings["roles"][0]["who"] = json!({
        "issuer": "corp", "groups": ["ml"], "networks": ["10.0.0.0/8"],
        "certificate": { "subjects": ["CN=app,O=Acme"] },
        "times": [{ "days": ["wed"], "from": "08:00", "to": "18:00" }],
    });
    settings["roles"][0]["may"]["max_output_tokens"] = json!(1000);
    folder.put("vertex.json", settings.to_string());
    folder.put("fine.json", r#"{"generationConfig":{"maxOutputTokens":1000}}"#);
    folder.put(
        "tool.json",
        r#"{"generationConfig":{"maxOutputTokens":9},"tools":[{"googleSearch":{}}]}"#,
    );
    folder.put("wrong.json", r#"{"a":1,"a":2}"#);
    // Wednesday, 25 November 2026, 12:00 UTC.
    let (noon, night) = ("1795608000", "1795644000");
    let mut claims = claims();
    claims["iat"] = json!(1_795_600_000);
    claims["exp"] = json!(1_795_650_000);
    let full = ["--from", "10.1.2.3", "--certificate", "CN=app,O=Acme", "--at", noon];
    let with = |changed: &[(&str, &str)], body: &str| {
        let mut arguments = full.to_vec();
        for (name, value) in changed {
            let at = arguments.iter().position(|a| a == name).unwrap();
            arguments[at + 1] = value;
        }
        arguments.extend(["--body", body, "POST", URL]);
        let said = folder.explained(&claims, &arguments);
        (said["reason"].as_str().unwrap().to_owned(), said["nearest"][0]["lacks"].clone())
    };
    let allowed =
        folder.explained(&claims, &[&full[..], &["--body", "fine.json", "POST", URL]].concat());
    assert_eq!(
        (&allowed["decision"], &allowed["caps"]),
        (&json!("allow"), &json!({ "max_output_tokens": 1000 }))
    );
    for (changed, body, reason, lacks) in [
        (&[("--from", "11.1.2.3")][..], "fine.json", "role_none", json!(["who.networks"])),
        (&[("--certificate", "CN=x")], "fine.json", "role_none", json!(["who.certificate"])),
        (&[("--at", night)], "fine.json", "role_none", json!(["who.times"])),
        (&[], "tool.json", "body_not_allowed", json!(["may.tools"])),
        (&[], "wrong.json", "body_not_json", Value::Null),
    ] {
        assert_eq!(with(changed, body), (reason.to_owned(), lacks), "{changed:?} {body}");
    }
}

#[test]
fn a_token_is_verified_as_far_as_keys_are_at_hand() {
    let folder = Folder::new("token");
    let explain = |token: &str| {
        folder.put("token", token);
        let said = folder.call(&[
            "explain",
            "-c",
            "vertex.json",
            "--token",
            "token",
            "--json",
            "POST",
            URL,
        ]);
        let json: Value =
            serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        (json["reason"].as_str().unwrap().to_owned(), json["token"].clone())
    };
    let good = folder.key.token("k1", &claims());
    let holds = ("ok".to_owned(), json!("the signature holds"));
    assert_eq!(explain(&good), holds);
    assert_eq!(explain(&format!("Bearer {good}\n")), holds);
    let mut expired = claims();
    expired["exp"] = json!(now().wall.0 - 100);
    assert_eq!(explain(&folder.key.token("k1", &expired)).0, "token_expired");
    assert_eq!(explain(&folder.key.token("k2", &claims())).0, "key_unknown");
    assert_eq!(explain("no token").0, "token_malformed");
    let mut forged = good.clone();
    forged.replace_range(good.len() - 8..good.len() - 4, "AAAA");
    assert_eq!(explain(&forged).0, "bad_signature");

    let mut fetched = minimal();
    fetched["issuers"][0].as_object_mut().unwrap().remove("jwks_file");
    folder.put("vertex.json", fetched.to_string());
    let unchecked = explain(&forged);
    assert_eq!(unchecked.0, "ok");
    assert!(unchecked.1.as_str().unwrap().contains("was not checked"), "{unchecked:?}");
}

#[test]
fn explain_and_the_gateway_say_the_same() {
    let folder = Folder::new("same");
    let config = Files::new(&folder.key).load(&minimal().to_string()).unwrap();
    let backends = ["vertex_us-central1", "vertex_global", "vertex_europe-west4"];
    let gateway = Gateway::open(config, &haproxy(&backends), now()).unwrap();
    let urls = [
        URL.to_owned(),
        URL.replace("us-central1", "global"),
        URL.replace("us-central1", "europe-west4"),
        URL.replace("acme-ml", "other"),
        URL.replace("gemini-2.5-flash", "gemini-2.0"),
        URL.replace("generateContent", "rawPredict"),
        URL.replace("generateContent", "speak"),
        URL.replace("/models/", "//models/"),
        format!("{URL}?key=x"),
        format!("{URL}?alt=json"),
    ];
    let bodies = ["{}", "[]", r#"{"tools":[{"googleSearch":{}}]}"#, r#"{"model":"other"}"#];
    let mut stranger = claims();
    stranger["groups"] = json!(["hr"]);
    let mut foreign = claims();
    foreign["aud"] = json!("another");
    let mut reasons = std::collections::BTreeSet::new();
    for claims in [claims(), stranger, foreign] {
        let token = folder.key.token("k1", &claims);
        for (url, body) in urls.iter().flat_map(|url| bodies.map(|body| (url, body))) {
            let request = Ask::with(&token).url(url).body(body).bytes();
            let verdict = Said::new(&gateway.decide(&request, now()));
            folder.put("body.json", body);
            let explained = folder.explained(&claims, &["--body", "body.json", "POST", url]);
            assert_eq!(explained["reason"], verdict.reason(), "{url} {body} {claims}");
            reasons.insert(verdict.reason().to_owned());
        }
    }
    assert!(reasons.len() >= 7, "{reasons:?}");
}

#[test]
fn routes_are_those_of_the_table() {
    let folder = Folder::new("routes");
    let all = folder.call(&["routes", "--json"]);
    let rows: Vec<Value> = all.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rows.len(), routes().len());
    assert!(rows.iter().any(|row| row["method"] == "generateContent" && row["model"] == "path"));
    let stateful = folder.call(&["routes", "--class", "stateful"]);
    assert!(stateful.out.lines().all(|line| line.starts_with("stateful/")), "{stateful:?}");
    assert!(stateful.out.lines().count() > 10);
    assert_eq!(folder.call(&["routes", "--class", "other"]).status, 2);
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let folder = Folder::new("schema");
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/haproxy-conf/vertex.schema.json");
    let said = folder.call(&["schema"]);
    assert_eq!(said.out, fs::read_to_string(committed).unwrap(), "make schema");
}

/// The options that a help text defines.
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
    lines.filter_map(|line| line.split([' ', ',']).find(|word| word.starts_with("--"))).collect()
}

#[test]
fn every_command_and_option_is_documented() {
    let folder = Folder::new("help");
    let reference =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md")).unwrap();
    let section = reference.split("## The command-line tool").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let help = folder.call(&["--help"]).out;
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let commands: Vec<_> =
        commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 5, "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(section.contains(&format!("| `{command}` |")), "{command}");
        let help = folder.call(&[command, "--help"]).out;
        for option in options(&help).into_iter().filter(|option| *option != "--help") {
            let documented = [format!("`{option}`"), format!("`{option} ")];
            assert!(documented.iter().any(|d| section.contains(d)), "{command} {option}");
        }
    }
}

#[test]
fn a_check_tells_what_was_looked_for_and_whose_login_it_is() {
    let folder = Folder::new("adc");
    let mut settings = minimal();
    settings["credentials"] = json!([{ "name": "ml-prod", "type": "adc" }]);
    folder.put("vertex.json", settings.to_string());
    let login = json!({
        "type": "authorized_user", "client_id": "us", "client_secret": "ours", "refresh_token": "x",
    });
    folder.put("application_default_credentials.json", login.to_string());
    let check = |gcloud: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_haproxy-vertex"))
            .args(["check", "-c", "vertex.json"])
            .env_clear()
            .env("CLOUDSDK_CONFIG", gcloud)
            .current_dir(&folder.path)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let path = folder.path.to_str().unwrap();
    let said = check(path);
    let found = "credential \"ml-prod\": adc is authorized_user: CLOUDSDK_CONFIG names";
    assert!(said.contains(&format!("{found} {path}/application_default_cred")), "{said}");
    assert!(said.contains("\"ml-prod\" is a person's own login (authorized_user)"), "{said}");
    let said = check("/nowhere");
    assert!(said.contains("credential \"ml-prod\": adc is metadata: there is no file"), "{said}");
    assert!(!said.contains("a person's own login"), "{said}");
}
