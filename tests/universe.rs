//! A universe other than Google's own: its hosts are called and named by files, and no others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::{Ask, BACKENDS, Said, URL, bearer, member};
use common::identity::{external, impersonated, key_file, login};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal, only};
use haproxy_vertex::config::Config;
use haproxy_vertex::gateway::Gateway;
use serde_json::{Value, json};

const UNIVERSE: &str = "apis.partner.example";

/// What came of a configuration of this universe with this credential, and this file.
fn loaded(universe: Option<&str>, credential: &Value, file: &Value) -> Result<Config, String> {
    let mut files = Files::new(&SigningKey::ed());
    files.put("identity.json", file.to_string());
    files.put("subject.txt", "subject.of.corp\n");
    let mut settings = minimal();
    settings["credentials"] = json!([credential]);
    settings["credentials"][0]["name"] = json!("ml-prod");
    if let Some(universe) = universe {
        settings["universe_domain"] = json!(universe);
    }
    let told = files.load(&settings.to_string());
    told.map_err(only).map_err(|error| format!("{}: {}", error.pointer, error.problem))
}

/// A file with its hosts, and what it says of itself, of this universe.
fn of_universe(file: &Value, universe: &str) -> Value {
    let text = file.to_string().replace("googleapis.com/v1", &format!("{universe}/v1"));
    let mut file: Value = serde_json::from_str(&text).unwrap();
    file["universe_domain"] = json!(universe);
    file
}

fn of_file(kind: &str) -> Value {
    json!({ "type": kind, "file": "identity.json" })
}

fn hosts(config: &Config) -> Vec<String> {
    let source = config.credentials[0].source.now();
    source.endpoints().map(|endpoint| endpoint.authority.clone()).collect()
}

#[test]
fn a_file_is_of_the_universe_that_the_configuration_names() {
    for (kind, file, wanted) in [
        ("external_account", external(), vec!["sts.apis.partner.example"]),
        (
            "impersonated_service_account",
            impersonated(external()),
            vec!["sts.apis.partner.example", "iamcredentials.apis.partner.example"],
        ),
        ("service_account", key_file(), vec![]),
    ] {
        let (other, googles) = (of_universe(&file, UNIVERSE), of_universe(&file, "googleapis.com"));
        let credential = of_file(kind);
        let config = loaded(Some(UNIVERSE), &credential, &other).unwrap();
        assert_eq!(hosts(&config), wanted, "{kind}");
        assert!(loaded(None, &credential, &googles).is_ok(), "{kind}");
        assert!(loaded(Some("googleapis.com"), &credential, &file).is_ok(), "{kind}");
        for (universe, file, says) in [
            (None, &other, "it is of apis.partner.example, and this gateway serves googleapis.com"),
            (Some(UNIVERSE), &googles, "it is of googleapis.com, and this gateway serves apis."),
            (Some(UNIVERSE), &file, "it is of googleapis.com, and this gateway serves apis."),
        ] {
            let problem = loaded(universe, &credential, file).unwrap_err();
            assert!(
                problem.starts_with("/credentials/0/file: identity.json: /universe_domain: "),
                "{problem}"
            );
            assert!(problem.contains(says), "{says}: {problem}");
        }
    }
}

#[test]
fn its_hosts_are_asked_and_googles_are_not() {
    let mut file = of_universe(&external(), UNIVERSE);
    assert!(loaded(Some(UNIVERSE), &of_file("external_account"), &file).is_ok());
    for (url, says) in [
        ("https://sts.googleapis.com/v1/token", "one of *.apis.partner.example is wanted"),
        ("https://evilapis.partner.example/v1/token", "one of *.apis.partner.example is wanted"),
        ("https://apis.partner.example/v1/token", "one of *.apis.partner.example is wanted"),
    ] {
        file["token_url"] = json!(url);
        let problem = loaded(Some(UNIVERSE), &of_file("external_account"), &file).unwrap_err();
        assert!(problem.contains(says), "{problem}");
    }
}

#[test]
fn callers_tokens_are_exchanged_there() {
    let pool =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c";
    let credential =
        json!({ "type": "exchange", "audience": pool, "account": "gw@x.iam.gserviceaccount.com" });
    let config = loaded(Some(UNIVERSE), &credential, &json!({})).unwrap();
    assert_eq!(hosts(&config), [format!("sts.{UNIVERSE}"), format!("iamcredentials.{UNIVERSE}")]);
    let config = loaded(None, &credential, &json!({})).unwrap();
    assert_eq!(hosts(&config), ["sts.googleapis.com", "iamcredentials.googleapis.com"]);
}

#[test]
fn what_google_has_in_its_own_universe_alone_is_refused() {
    let key = of_universe(&key_file(), UNIVERSE);
    let with = |member: &str, value: &str| {
        let mut credential = of_file("service_account");
        credential[member] = json!(value);
        credential
    };
    for (credential, file, says) in [
        (
            of_file("authorized_user"),
            of_universe(&login(), UNIVERSE),
            "a person's login is Google's",
        ),
        (with("form", "aud"), key.clone(), "form scope is wanted, or none"),
        (with("form", "exchange"), key.clone(), "form scope is wanted, or none"),
        (
            of_file("impersonated_service_account"),
            of_universe(&impersonated(key_file()), UNIVERSE),
            "/source_credentials/type: a key's tokens are exchanged in Google's own",
        ),
        (of_file("api_key"), json!("AIza"), "/credentials/0/type: express mode is of Google's own"),
    ] {
        let problem = loaded(Some(UNIVERSE), &credential, &file).unwrap_err();
        assert!(problem.contains(says), "{says}: {problem}");
    }
    assert!(loaded(None, &of_file("authorized_user"), &login()).is_ok());
    assert!(loaded(None, &with("form", "aud"), &key_file()).is_ok());
    assert!(loaded(None, &with("form", "exchange"), &key_file()).is_ok());
    assert!(loaded(Some(UNIVERSE), &with("form", "scope"), &key).is_ok());
}

#[test]
fn a_universe_is_a_domain_in_small_letters() {
    let key = key_file();
    for universe in [
        "",
        "apis",
        "https://apis.example",
        "apis.example/",
        "Apis.Example",
        "a..b",
        "a.b:443",
        "127.0.0.1",
        "-a.example",
    ] {
        let problem = loaded(Some(universe), &of_file("service_account"), &key).unwrap_err();
        assert!(problem.contains("a domain in small letters is wanted"), "{problem}");
    }
}

#[test]
fn requests_leave_to_its_hosts_with_tokens_for_the_scope() {
    let key = SigningKey::ed();
    let mut files = Files::new(&key);
    files.put("identity.json", of_universe(&key_file(), UNIVERSE).to_string());
    let mut settings = minimal();
    settings["universe_domain"] = json!(UNIVERSE);
    settings["credentials"][0]["file"] = json!("identity.json");
    let config = files.load(&settings.to_string()).unwrap();
    let gateway = Gateway::open(config, &haproxy(BACKENDS), at(0)).unwrap();
    let token = key.token("k1", &member());
    let said = Said::new(&gateway.decide(&Ask::with(&token).url(URL).bytes(), at(0)));
    assert_eq!(said.field(7), "us-central1-aiplatform.apis.partner.example");
    let sent = bearer(&gateway, said.handle(), at(0)).unwrap();
    let claims = haproxy_vertex::jose::from_base64url(sent.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(claims["aud"], Value::Null);
}

#[test]
fn a_machines_universe_is_the_configurations() {
    let source = json!({ "type": "metadata" });
    let mut file = of_universe(&impersonated(source), UNIVERSE);
    let credential = of_file("impersonated_service_account");
    assert!(loaded(Some(UNIVERSE), &credential, &file).is_ok());
    file.as_object_mut().unwrap().remove("universe_domain");
    let config = loaded(Some(UNIVERSE), &credential, &file).unwrap();
    assert_eq!(hosts(&config), ["metadata.google.internal", "iamcredentials.apis.partner.example"]);
    assert!(loaded(None, &credential, &file).unwrap_err().contains("no host of Google's"));
}
