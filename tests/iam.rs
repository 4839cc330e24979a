//! `haproxy-vertex iam`: what Google has to grant, and what a policy grants.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the tool reads files")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::keys::{self, SigningKey};
use common::settings::minimal;
use common::tool::Folder;
use serde_json::{Value, json};

const IDENTITY: &str = "serviceAccount:vertex@acme.iam.gserviceaccount.com";
const POOL: &str = "//iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/corp";
const SUBJECT: &str = "principal://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/corp/subject/";
const AT_IAM: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";

/// Runs what `iam` prints in a shell whose `gcloud` writes down what it is called with.
fn run(folder: &Folder, more: &[(&str, &str)]) -> Vec<String> {
    let script = folder.call(&["iam", "-c", "vertex.json"]);
    assert_eq!(script.status, 0, "{script:?}");
    folder.put("script", &script.out);
    folder.put(
        "gcloud",
        "#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done >> called\necho >> called\n",
    );
    let gcloud = folder.path.join("gcloud");
    fs::set_permissions(gcloud, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = fs::remove_file(folder.path.join("called"));
    let shell = Command::new("/bin/sh")
        .args(["-e", "script"])
        .env("PATH", &folder.path)
        .envs(more.iter().copied())
        .current_dir(&folder.path)
        .output()
        .unwrap();
    assert!(shell.status.success(), "{shell:?}\n{}", script.out);
    let called = fs::read_to_string(folder.path.join("called")).unwrap();
    called.lines().map(str::to_owned).collect()
}

/// A folder whose only credential is this one, with this file.
fn with(name: &str, credential: Value, file: &Value) -> Folder {
    let folder = Folder::new(name);
    let mut settings = minimal();
    settings["credentials"] = json!([credential]);
    folder.put("vertex.json", settings.to_string());
    folder.put("google.json", file.to_string());
    folder
}

fn external(subject: &str) -> (Value, Value) {
    let file = json!({
        "type": "external_account", "audience": format!("{POOL}/providers/idp"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": { "file": subject }
    });
    (json!({ "name": "ml-prod", "type": "external_account", "file": "google.json" }), file)
}

fn impersonated(source: Value, delegates: &[&str]) -> (Value, Value) {
    let delegates: Vec<_> =
        delegates.iter().map(|account| format!("projects/-/serviceAccounts/{account}")).collect();
    let file = json!({
        "type": "impersonated_service_account", "delegates": delegates, "source_credentials": source,
        "service_account_impersonation_url":
            format!("{AT_IAM}gw@acme.iam.gserviceaccount.com:generateAccessToken"),
    });
    (
        json!({ "name": "ml-prod", "type": "impersonated_service_account", "file": "google.json" }),
        file,
    )
}

/// The words of those calls that hold this one.
fn calls<'c>(called: &'c [String], word: &str) -> Vec<&'c str> {
    called.iter().map(String::as_str).filter(|call| call.contains(word)).collect()
}

#[test]
fn a_key_s_account_gets_a_custom_role_of_what_its_roles_need() {
    let folder = Folder::new("iam-key");
    let mut settings = minimal();
    settings["roles"][0]["may"]["methods"] =
        json!(["generateContent", "stateful/cachedContents.get"]);
    settings["roles"][0]["may"]["projects"] = json!(["acme-ml", "acme-dev-*"]);
    folder.put("vertex.json", settings.to_string());
    let called = run(&folder, &[("PROJECT", "acme-dev-7")]);
    let file: Value = serde_json::from_str(keys::KEY_FILE).unwrap();
    let email = file["client_email"].as_str().unwrap();
    for project in ["acme-ml", "acme-dev-7"] {
        let made = format!(
            "<iam><roles><create><haproxyVertex_ml_prod><--project={project}><--stage=GA>\
             <--title=haproxy-vertex ml-prod>\
             <--permissions=aiplatform.cachedContents.get,aiplatform.endpoints.predict>"
        );
        assert_eq!(
            calls(&called, "<create><haproxyVertex").iter().filter(|c| **c == made).count(),
            1,
            "{called:?}"
        );
        let bound = format!(
            "<projects><add-iam-policy-binding><{project}><--condition=None>\
             <--role=projects/{project}/roles/haproxyVertex_ml_prod><--member=serviceAccount:{email}>"
        );
        assert!(called.contains(&bound), "{called:?}");
    }
    assert_eq!(called.len(), 1 + 2 * 3, "{called:?}");
}

#[test]
fn an_impersonated_account_trusts_the_one_before_it_and_no_other() {
    let (credential, file) =
        impersonated(json!({ "type": "metadata" }), &["step@acme.iam.gserviceaccount.com"]);
    let folder = with("iam-impersonated", credential, &file);
    let called = run(&folder, &[("MACHINE", "42-compute@developer.gserviceaccount.com")]);
    let trust = calls(&called, "serviceAccountTokenCreator");
    assert_eq!(
        trust,
        [
            "<iam><service-accounts><add-iam-policy-binding><step@acme.iam.gserviceaccount.com>\
         <--role=roles/iam.serviceAccountTokenCreator>\
         <--member=serviceAccount:42-compute@developer.gserviceaccount.com>",
            "<iam><service-accounts><add-iam-policy-binding><gw@acme.iam.gserviceaccount.com>\
         <--role=roles/iam.serviceAccountTokenCreator>\
         <--member=serviceAccount:step@acme.iam.gserviceaccount.com>",
        ]
    );
    let bound = calls(&called, "<projects><add-iam-policy-binding>");
    assert!(
        bound.len() == 1
            && bound[0].ends_with("<--member=serviceAccount:gw@acme.iam.gserviceaccount.com>"),
        "{bound:?}"
    );
    let made = calls(&called, "<service-accounts><create>");
    assert_eq!(
        made,
        [
            "<iam><service-accounts><create><step><--project=acme>",
            "<iam><service-accounts><create><gw><--project=acme>"
        ]
    );
}

#[test]
fn an_api_key_is_granted_nothing() {
    let folder = Folder::new("iam-key");
    let mut settings = minimal();
    settings["credentials"] = json!([{ "name": "ml-prod", "type": "api_key", "file": "key" }]);
    settings["roles"][0]["may"]["locations"] = json!(["global"]);
    settings["roles"][0]["may"]["models"] = json!(["google/gemini-2.5-*"]);
    settings["roles"][0]["may"]["methods"] = json!(["generateContent"]);
    folder.put("vertex.json", settings.to_string());
    folder.put("key", "AIza.of-a-test");
    let said = folder.call(&["iam", "-c", "vertex.json"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("# It is an API key, which IAM does not know"), "{said:?}");
    assert!(!said.out.lines().any(|line| line.starts_with("gcloud")), "{said:?}");
    folder.put("policy.json", json!({ "bindings": [] }).to_string());
    let said = folder.call(&["iam", "-c", "vertex.json", "--against", "policy.json"]);
    let wanted = "ml-prod: not checked: an API key has no Google identity\n";
    assert_eq!((said.status, &*said.out), (0, wanted), "{said:?}");
}

#[test]
fn a_federated_identity_gets_its_pool_and_its_provider() {
    let token =
        SigningKey::rsa().token("k1", &json!({ "iss": "https://idp.example", "sub": "system:gw" }));
    let (credential, mut file) = external("subject.jwt");
    let folder = with("iam-federated", credential.clone(), &file);
    folder.put("subject.jwt", &token);
    let called = run(&folder, &[]);
    assert_eq!(
        calls(&called, "workload-identity-pools"),
        [
            "<iam><workload-identity-pools><create><corp><--location=global><--project=42>",
            "<iam><workload-identity-pools><providers><create-oidc><idp><--location=global><--project=42>\
         <--workload-identity-pool=corp><--issuer-uri=https://idp.example>\
         <--attribute-mapping=google.subject=assertion.sub>\
         <--attribute-condition=assertion.sub == 'system:gw'>",
        ]
    );
    let bound = calls(&called, "<projects><add-iam-policy-binding>");
    assert!(
        bound.len() == 1 && bound[0].ends_with(&format!("<--member={SUBJECT}system:gw>")),
        "{bound:?}"
    );

    file["service_account_impersonation_url"] =
        json!(format!("{AT_IAM}gw@acme.iam.gserviceaccount.com:generateAccessToken"));
    folder.put("google.json", file.to_string());
    let called = run(&folder, &[]);
    let trust = format!(
        "<iam><service-accounts><add-iam-policy-binding><gw@acme.iam.gserviceaccount.com>\
         <--role=roles/iam.workloadIdentityUser><--member={SUBJECT}system:gw>"
    );
    assert_eq!(calls(&called, "roles/iam."), [trust.as_str()]);

    folder.put("subject.jwt", "opaque");
    let called = run(&folder, &[("ISSUER", "https://other.example"), ("SUBJECT", "it")]);
    assert!(calls(&called, "<--issuer-uri=https://other.example>").len() == 1, "{called:?}");
    assert!(calls(&called, &format!("<--member={SUBJECT}it>")).len() == 1, "{called:?}");
}

#[test]
fn a_workload_of_aws_is_a_member_by_its_account() {
    const IMDS: &str = "http://169.254.169.254/latest";
    let (credential, mut file) = external("");
    file["subject_token_type"] = json!("urn:ietf:params:aws:token-type:aws4_request");
    file["credential_source"] = json!({
        "environment_id": "aws1",
        "region_url": format!("{IMDS}/meta-data/placement/availability-zone"),
        "url": format!("{IMDS}/meta-data/iam/security-credentials"),
        "regional_cred_verification_url":
            "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        "imdsv2_session_token_url": format!("{IMDS}/api/token"),
    });
    let folder = with("iam-aws", credential, &file);
    let arn = "arn:aws:sts::7:assumed-role/gw/i-0";
    let called = run(&folder, &[("AWS_ACCOUNT", "7"), ("SUBJECT", arn)]);
    assert_eq!(
        calls(&called, "<providers>"),
        [
            "<iam><workload-identity-pools><providers><create-aws><idp><--location=global><--project=42>\
             <--workload-identity-pool=corp><--account-id=7>"
        ]
    );
    assert_eq!(calls(&called, &format!("<--member={SUBJECT}{arn}>")).len(), 1, "{called:?}");
}

#[test]
fn callers_who_act_as_themselves_are_members_as_their_roles_name_them() {
    let credential = json!({
        "name": "ml-prod", "type": "exchange", "audience": format!("{POOL}/providers/idp"),
        "account": "gw@acme.iam.gserviceaccount.com"
    });
    let folder = with("iam-exchange", credential.clone(), &json!({}));
    let called = run(&folder, &[]);
    let pool = POOL.strip_prefix("//").unwrap();
    assert_eq!(
        calls(&called, "<create-oidc>"),
        [
            "<iam><workload-identity-pools><providers><create-oidc><idp><--location=global><--project=42>\
          <--workload-identity-pool=corp><--issuer-uri=https://idp.example>\
          <--attribute-mapping=google.subject=assertion.sub,google.groups=assertion.groups>\
          <--allowed-audiences=vertex-gateway>"
        ]
    );
    let trust = format!(
        "<iam><service-accounts><add-iam-policy-binding><gw@acme.iam.gserviceaccount.com>\
         <--role=roles/iam.workloadIdentityUser><--member=principalSet://{pool}/group/ml>"
    );
    assert_eq!(calls(&called, "roles/iam."), [trust.as_str()]);

    let mut settings = minimal();
    settings["credentials"] = json!([credential]);
    settings["credentials"][0].as_object_mut().unwrap().remove("account");
    settings["roles"][0]["who"] = json!({ "issuer": "corp", "subjects": ["alice", "bob"] });
    folder.put("vertex.json", settings.to_string());
    let called = run(&folder, &[]);
    let bound: Vec<_> = calls(&called, "<projects><add-iam-policy-binding>");
    let member = |of: &str| bound.iter().any(|c| c.ends_with(&format!("<--member={SUBJECT}{of}>")));
    assert!(bound.len() == 2 && member("alice") && member("bob"), "{bound:?}");
}

#[test]
fn an_identity_that_is_not_known_is_asked_for() {
    let folder = with("iam-unknown", json!({ "name": "ml-prod", "type": "metadata" }), &json!({}));
    let script = folder.call(&["iam", "-c", "vertex.json"]).out;
    assert!(script.contains("curl -H 'Metadata-Flavor: Google'"), "{script}");
    folder.put("script", &script);
    let shell =
        Command::new("/bin/sh").args(["-e", "script"]).current_dir(&folder.path).output().unwrap();
    assert!(!shell.status.success(), "{shell:?}");
    let called = run(&folder, &[("MACHINE", "gke@acme.iam.gserviceaccount.com")]);
    assert!(
        called
            .last()
            .unwrap()
            .ends_with("<--member=serviceAccount:gke@acme.iam.gserviceaccount.com>")
    );
}

#[test]
fn a_policy_is_compared() {
    let folder = Folder::new("iam-against");
    let mut settings = minimal();
    settings["roles"][0]["may"]["methods"] =
        json!(["generateContent", "stateful/cachedContents.get"]);
    folder.put("vertex.json", settings.to_string());
    let needed = ["aiplatform.cachedContents.get", "aiplatform.endpoints.predict"];
    let email =
        serde_json::from_slice::<Value>(keys::KEY_FILE.as_ref()).unwrap()["client_email"].clone();
    let member = format!("serviceAccount:{}", email.as_str().unwrap());
    assert_ne!(member, IDENTITY, "another member's bindings do not count");
    let compared = |bindings: Value, more: &[&str]| {
        folder.put(
            "policy.json",
            json!({ "bindings": bindings, "etag": "x", "version": 1 }).to_string(),
        );
        folder.call(&[&["iam", "-c", "vertex.json", "--against", "policy.json"], more].concat())
    };
    let nothing =
        compared(json!([{ "role": "roles/aiplatform.user", "members": [IDENTITY] }]), &[]);
    assert_eq!(nothing.status, 1, "{nothing:?}");
    assert!(nothing.out.contains(&format!("lacks: {}", needed.join(", "))), "{nothing:?}");
    let wide = compared(json!([{ "role": "roles/aiplatform.user", "members": [member] }]), &[]);
    assert_eq!(wide.status, 1);
    for part in ["roles/aiplatform.user is too wide", "unless a role above grants it"] {
        assert!(wide.out.contains(part), "{wide:?}");
    }

    let custom = "projects/acme/roles/vertexGateway";
    let role = |permissions: &[&str]| json!({ "name": custom, "includedPermissions": permissions });
    let bound = json!([{ "role": custom, "members": [member] }]);
    let unknown = compared(bound.clone(), &[]);
    assert!(unknown.out.contains("give it with --role"), "{unknown:?}");
    for (permissions, status, says) in [
        (needed.to_vec(), 0, "has what its roles need"),
        (vec![needed[1]], 1, "lacks: aiplatform.cachedContents.get"),
        (
            [&needed[..], &["aiplatform.endpoints.deploy"]].concat(),
            1,
            "is too wide by: aiplatform.endpoints.deploy",
        ),
    ] {
        folder.put("role.json", role(&permissions).to_string());
        let said = compared(bound.clone(), &["--role", "role.json"]);
        assert_eq!(said.status, status, "{said:?}");
        assert!(said.out.contains(says), "{said:?}");
    }
    let condition =
        json!([{ "role": custom, "members": [member], "condition": { "expression": "x" } }]);
    folder.put("role.json", role(&needed).to_string());
    let said = compared(condition, &["--role", "role.json"]);
    assert_eq!(said.status, 1, "{said:?}");
    for part in ["with a condition, which is not evaluated", "unless a role above grants it"] {
        assert!(said.out.contains(part), "{said:?}");
    }
    let admin = compared(json!([{ "role": "roles/aiplatform.admin", "members": [member] }]), &[]);
    assert!(!admin.out.contains("lacks") && admin.out.contains("is too wide"), "{admin:?}");
}
