//! Application Default Credentials: what is found at load, in the order in which Google's libraries
//! look.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::identity::{external, impersonated, key_file, login};
use common::journal::{keep_lines, take_lines};
use common::keys::SigningKey;
use common::settings::{Files, minimal, only};
use haproxy_vertex::config::Config;
use haproxy_vertex::error::ConfigErrors;
use serde_json::{Value, json};

const WELL_KNOWN: &str = "application_default_credentials.json";

/// Loads a credential with these files and variables.
fn load(
    credential: Value,
    files: &[(&str, String)],
    environment: &[(&str, &str)],
) -> Result<Config, ConfigErrors> {
    let mut all = Files::new(&SigningKey::ed());
    files.iter().for_each(|(name, text)| all.put(name, text.clone()));
    environment.iter().for_each(|(name, value)| all.set(name, value));
    let mut settings = minimal();
    settings["credentials"] = json!([credential]);
    all.load(&settings.to_string())
}

fn adc() -> Value {
    json!({ "name": "ml-prod", "type": "adc" })
}

/// What was found.
fn found(files: &[(&str, String)], environment: &[(&str, &str)]) -> (String, String) {
    let config = load(adc(), files, environment).unwrap_or_else(|e| panic!("{e}"));
    let [credential] = config.credentials.as_slice() else { panic!() };
    (credential.source.type_name().to_owned(), credential.found.clone().unwrap())
}

#[test]
fn the_variable_comes_first_then_gclouds_folder_then_the_machine() {
    let gcloud = format!("gcloud/{WELL_KNOWN}");
    let home = format!("home/.config/gcloud/{WELL_KNOWN}");
    let files = [
        ("key.json", key_file().to_string()),
        (&*gcloud, login().to_string()),
        (&*home, impersonated(key_file()).to_string()),
    ];
    let variables = [
        ("GOOGLE_APPLICATION_CREDENTIALS", "key.json"),
        ("CLOUDSDK_CONFIG", "gcloud"),
        ("HOME", "home"),
    ];
    let expected = [
        ("service_account", "GOOGLE_APPLICATION_CREDENTIALS names key.json"),
        ("authorized_user", "CLOUDSDK_CONFIG names gcloud/application_default_credentials.json"),
        ("impersonated_service_account", "HOME names home/.config/gcloud/application_default"),
        ("metadata", "there is no file, so the machine is asked"),
    ];
    for (skipped, (kind, by)) in expected.into_iter().enumerate() {
        let (type_name, told) = found(&files, &variables[skipped.min(3)..]);
        assert_eq!(type_name, kind);
        assert!(told.starts_with(&format!("adc is {kind}: ")) && told.contains(by), "{told}");
    }
    // The empty text is not there, and a folder without the file is passed over, as Google's do.
    let empty = [("GOOGLE_APPLICATION_CREDENTIALS", ""), ("HOME", "home")];
    assert_eq!(found(&files, &empty).0, "impersonated_service_account");
    assert_eq!(found(&files, &[("CLOUDSDK_CONFIG", "elsewhere"), ("HOME", "home")]).0, "metadata");
}

#[test]
fn what_was_found_is_logged_and_doubted_and_a_file() {
    keep_lines(log::LevelFilter::Info);
    let files = [("gcloud/application_default_credentials.json", login().to_string())];
    let config = load(adc(), &files, &[("CLOUDSDK_CONFIG", "gcloud")]).unwrap();
    let lines = take_lines();
    let says = "credential ml-prod: adc is authorized_user: CLOUDSDK_CONFIG names gcloud/";
    assert!(lines.iter().any(|line| line.contains(says)), "{lines:?}");
    let file = config.credentials[0].file.as_deref().and_then(|file| file.to_str());
    assert_eq!(file, Some("gcloud/application_default_credentials.json"), "its mode is checked");
    assert!(config.doubts().iter().any(|doubt| doubt.contains("a person's own login")));
}

#[test]
fn what_cannot_be_used_is_refused_and_not_passed_over() {
    let variable = [("GOOGLE_APPLICATION_CREDENTIALS", "found.json")];
    let folder = [("CLOUDSDK_CONFIG", "gcloud")];
    let in_folder = "gcloud/application_default_credentials.json";
    let good = external().to_string();
    let subject = ("subject.txt", "subject.of.corp".to_owned());
    let cases = [
        ("found.json", None, variable, "cannot read conf/found.json: no such file"),
        ("found.json", Some(good[..50].to_owned()), variable, "found.json: not JSON: "),
        ("found.json", Some("{}".to_owned()), variable, "found.json: /type: missing"),
        (in_folder, Some("{}".to_owned()), folder, "CLOUDSDK_CONFIG: gcloud/application_default"),
        (
            "found.json",
            Some(good.replace("sts.googleapis.com", "sts.evil.example")),
            variable,
            "adc: found.json: /token_url: sts.evil.example is no host of Google's",
        ),
        (
            "found.json",
            Some(good.replace("external_account", "gdch_service_account")),
            variable,
            "found.json: /type: an account of Google Distributed Cloud",
        ),
    ];
    for (name, text, environment, says) in cases {
        let files: Vec<_> = text.into_iter().map(|text| (name, text)).collect();
        let error = only(load(adc(), &files, &environment).unwrap_err());
        assert_eq!(error.pointer, "/credentials/0");
        assert!(error.problem.starts_with("adc: ") && error.problem.contains(says), "{error}");
    }
    for (name, environment) in [("found.json", variable), (in_folder, folder)] {
        let files = [(name, good.clone()), subject.clone()];
        assert!(load(adc(), &files, &environment).is_ok(), "the twin");
    }
    let mut trusting = adc();
    trusting["hosts"] = json!(["sts.evil.example"]);
    let evil = good.replace("sts.googleapis.com", "sts.evil.example");
    assert!(load(trusting, &[("found.json", evil), subject], &variable).is_ok());
}

#[test]
fn a_file_is_looked_for_or_given() {
    let mut both = adc();
    both["file"] = json!("ml-prod.json");
    let error = only(load(both, &[], &[]).unwrap_err());
    assert_eq!(error.pointer, "/credentials/0/file");
    assert!(
        error.problem.starts_with("only another type than metadata, adc and exchange has"),
        "{error}"
    );
    assert!(load(adc(), &[], &[]).is_ok());
}
