//! Another issuer's tokens that are not in a file: from a URL, as Azure's metadata server gives
//! them, and from AWS, by a signature of its version 4.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::BACKENDS;
use common::identity::{
    IAM, Place, STS, answer, external, form, loaded, loaded_with, place, place_with, token, value,
};
use common::journal::{keep_lines, take_lines};
use common::settings::haproxy;
use haproxy_vertex::fetch::Request;
use haproxy_vertex::gateway::Gateway;
use serde_json::{Value, json};

const IMDS: &str = "http://169.254.169.254";
const AZURE: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01\
                     &resource=api://vertex";

fn kind() -> Value {
    json!({ "type": "external_account" })
}

fn with_source(source: Value) -> Value {
    let mut file = external();
    file["credential_source"] = source;
    file
}

fn azure() -> Value {
    with_source(json!({
        "url": AZURE, "headers": { "Metadata": "True" },
        "format": { "type": "json", "subject_token_field_name": "access_token" },
    }))
}

fn aws() -> Value {
    let mut file = with_source(json!({
        "environment_id": "aws1",
        "region_url": format!("{IMDS}/latest/meta-data/placement/availability-zone"),
        "url": format!("{IMDS}/latest/meta-data/iam/security-credentials"),
        "regional_cred_verification_url":
            "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        "imdsv2_session_token_url": format!("{IMDS}/latest/api/token"),
    }));
    file["audience"] = json!(PROVIDER);
    file["subject_token_type"] = json!("urn:ietf:params:aws:token-type:aws4_request");
    file
}

const PROVIDER: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/aws";
const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "session/+=token";
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];

fn headers(request: &Request) -> Vec<(&str, &str)> {
    request.headers.iter().map(|header| (&*header.name, header.value.as_str())).collect()
}

/// The request that is due, as `METHOD URL`, and what it is answered.
fn expect(place: &Place, asked: &str, sent: &[(&str, &str)], status: u16, body: &str) {
    let (id, request) = place.asks(at(0)).unwrap_or_else(|| panic!("not asked: {asked}"));
    assert_eq!(format!("{} {}", request.method.name(), request.endpoint), asked);
    assert_eq!(headers(&request), sent, "{asked}");
    assert!(request.body.is_empty());
    place.gateway.answer(id, &answer(status, None, body), at(0));
}

#[test]
fn a_subject_token_of_a_url_is_exchanged() {
    let place = place(&kind(), &azure());
    expect(
        &place,
        &format!("GET {AZURE}"),
        &[("metadata", "True")],
        200,
        r#"{ "access_token": "subject.of.azure", "expires_in": "86399" }"#,
    );
    assert_eq!(place.sent(at(0)), "wait credential_unavailable", "the subject's is not sent");
    let (id, request) = place.asks(at(0)).unwrap();
    assert_eq!(request.endpoint.to_string(), STS);
    let sent = form(&request);
    assert_eq!(value(&sent, "subject_token"), "subject.of.azure");
    assert_eq!(sent.len(), 6);
    place.gateway.answer(id, &token("ya29.federated", 3599), at(0));
    assert_eq!(place.sent(at(1)), "Bearer ya29.federated");
    // The next one begins with the subject's token again.
    let (due, _) = place.due_at(1);
    assert!((2700 - 180..=2700).contains(&due), "{due}");
}

#[test]
fn a_text_at_a_url_may_impersonate() {
    let mut file = with_source(json!({ "url": "https://idp.corp.example/token" }));
    file["service_account_impersonation_url"] = json!(IAM);
    let trusting = json!({ "type": "external_account", "hosts": ["idp.corp.example"] });
    let (config, _) = loaded(&trusting, &file.to_string()).unwrap();
    let errors = Gateway::open(config, &haproxy(BACKENDS), at(0)).unwrap_err().to_string();
    for host in ["idp.corp.example", "sts.googleapis.com", "iamcredentials.googleapis.com"] {
        assert!(errors.contains(&format!("backend vertex_fetch_{host} from vertex-fetch")));
        assert!(errors.contains(&format!("server {host} {host}:443 ssl verify required")));
    }
    let (_, problem) = loaded(&kind(), &file.to_string()).err().unwrap();
    assert!(problem.contains("/credential_source/url: idp.corp.example is no host"), "{problem}");
}

#[test]
fn a_metadata_servers_backend_has_no_tls() {
    let (config, _) = loaded(&kind(), &azure().to_string()).unwrap();
    let errors = Gateway::open(config, &haproxy(BACKENDS), at(0)).unwrap_err().to_string();
    let block = "backend vertex_fetch_169.254.169.254 from vertex-fetch\n    \
                 server metadata 169.254.169.254:80\n";
    assert!(errors.contains(block), "{errors}");
}

#[test]
fn a_server_without_a_subject_token_is_told() {
    let faults = [
        (400, r#"{"error":"invalid_resource","error_description":"no"}"#, "status 400: invalid_r"),
        (503, "", "status 503"),
        (200, "", "no subject token: it is no JSON with a text access_token"),
        (200, r#"{"id_token":"x"}"#, "no subject token: it is no JSON with a text access_token"),
        (200, r#"{"access_token":5}"#, "no subject token: it is no JSON with a text access_token"),
        (200, r#"{"access_token":"a b"}"#, "no subject token: one token of at most"),
        (200, r#"{"access_token":""}"#, "no subject token: one token of at most"),
    ];
    for (status, body, says) in faults {
        let place = place(&kind(), &azure());
        place.expect(at(0), &answer(status, None, body));
        let told = place.credentials(at(0))["last_error"].as_str().unwrap().to_owned();
        assert!(told.starts_with(&format!("169.254.169.254: {says}")), "{says}: {told}");
        assert!(place.asks(at(0)).is_none(), "nothing is exchanged");
    }
}

#[test]
fn a_role_of_aws_signs_what_google_exchanges() {
    let place = place(&kind(), &aws());
    let session = [("x-aws-ec2-metadata-token", "imds-session")];
    let roles = "GET http://169.254.169.254/latest/meta-data/iam/security-credentials";
    expect(
        &place,
        "PUT http://169.254.169.254/latest/api/token",
        &[("x-aws-ec2-metadata-token-ttl-seconds", "300")],
        200,
        "imds-session",
    );
    expect(
        &place,
        "GET http://169.254.169.254/latest/meta-data/placement/availability-zone",
        &session,
        200,
        "us-east-2b",
    );
    expect(&place, roles, &session, 200, "gateway-role\n");
    let keys = json!({ "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": ID,
        "SecretAccessKey": SECRET, "Token": SESSION, "Expiration": "2027-01-15T14:00:00Z" });
    expect(&place, &format!("{roles}/gateway-role"), &session, 200, &keys.to_string());
    let (id, request) = place.asks(at(0)).unwrap();
    assert_eq!(request.endpoint.to_string(), STS);
    let sent = form(&request);
    assert_eq!(value(&sent, "audience"), PROVIDER);
    assert_eq!(value(&sent, "subject_token_type"), "urn:ietf:params:aws:token-type:aws4_request");
    let signed = value(&sent, "subject_token");
    assert!(signed.starts_with("%7B%22headers%22%3A%5B%7B%22key%22%3A%22Authorization%22%2C"));
    // As google-auth signs the same at the same time.
    let signature = "41e1ebd30ef95dd6a6fb73dddc524d503bd2d74cccec50e46bc77bfbb27ff039";
    assert_eq!(
        unquoted(signed),
        json!({
            "method": "POST",
            "url": "https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
            "headers": [
                { "key": "Authorization", "value": format!("AWS4-HMAC-SHA256 \
                    Credential={ID}/20270115/us-east-2/sts/aws4_request, SignedHeaders=host;x-amz-date;\
                    x-amz-security-token;x-goog-cloud-target-resource, Signature={signature}") },
                { "key": "host", "value": "sts.us-east-2.amazonaws.com" },
                { "key": "x-amz-date", "value": "20270115T080000Z" },
                { "key": "x-amz-security-token", "value": SESSION },
                { "key": "x-goog-cloud-target-resource", "value": PROVIDER },
            ],
        })
    );
    place.gateway.answer(id, &token("ya29.federated", 3599), at(0));
    assert_eq!(place.sent(at(1)), "Bearer ya29.federated");
}

fn unquoted(text: &str) -> Value {
    let decoded = form_decoded(text);
    serde_json::from_str(&decoded).unwrap()
}

fn form_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        out.push_str(&part[2..]);
    }
    out
}

#[test]
fn keys_and_region_of_the_environment_need_no_metadata_server() {
    let place = place_with(&kind(), &aws(), &[&KEYS[..], &[("AWS_REGION", "us-east-2")]].concat());
    let (_, request) = place.asks(at(0)).unwrap();
    assert_eq!(request.endpoint.to_string(), STS);
    let signed = unquoted(value(&form(&request), "subject_token"));
    let signature = "db69f950227f7fa79ff42616d8e2aedcbe0cd1ff13aa070b74fa90b1a59e5660";
    let authorization = signed["headers"][0]["value"].as_str().unwrap();
    assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
    let names: Vec<_> =
        signed["headers"].as_array().unwrap().iter().map(|header| &header["key"]).collect();
    assert_eq!(names, ["Authorization", "host", "x-amz-date", "x-goog-cloud-target-resource"]);

    let session =
        [&KEYS[..], &[("AWS_DEFAULT_REGION", "us-east-2"), ("AWS_SESSION_TOKEN", SESSION)]];
    let place = place_with(&kind(), &aws(), &session.concat());
    let signed = unquoted(value(&form(&place.asks(at(0)).unwrap().1), "subject_token"));
    let signature = "41e1ebd30ef95dd6a6fb73dddc524d503bd2d74cccec50e46bc77bfbb27ff039";
    assert!(signed["headers"][0]["value"].as_str().unwrap().ends_with(signature));
}

#[test]
fn what_the_environment_lacks_the_machine_is_asked() {
    let first = |file: &Value, environment: &[(&str, &str)]| {
        let place = place_with(&kind(), file, environment);
        let (_, request) = place.asks(at(0)).unwrap();
        format!("{} {}", request.method.name(), request.endpoint)
    };
    let session = "PUT http://169.254.169.254/latest/api/token";
    let zone = "GET http://169.254.169.254/latest/meta-data/placement/availability-zone";
    let roles = "GET http://169.254.169.254/latest/meta-data/iam/security-credentials";
    let mut old = aws();
    old["credential_source"].as_object_mut().unwrap().remove("imdsv2_session_token_url");
    assert_eq!(first(&aws(), &KEYS), session);
    assert_eq!(first(&old, &KEYS), zone, "IMDSv1");
    assert_eq!(first(&old, &[("AWS_REGION", "us-east-2")]), roles);
    // Half of the keys is none, and the empty text is not there.
    assert_eq!(
        first(&old, &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "us-east-2"), KEYS[0]]),
        roles
    );
    assert_eq!(
        first(&old, &[("AWS_REGION", "us-east-2"), KEYS[0], ("AWS_SECRET_ACCESS_KEY", "")]),
        roles
    );
}

#[test]
fn a_machine_that_does_not_say_who_it_is_is_told() {
    let answers = ["imds-session", "us-east-2b", "role", "{}"];
    let faults = [
        (0, 403, "", "status 403"),
        (0, 200, "two words", "no session of IMDSv2"),
        (0, 200, "", "no session of IMDSv2"),
        (1, 404, "", "status 404"),
        (1, 200, "", "no availability zone"),
        (1, 200, "us-east-2.evil.example/b", "no availability zone"),
        (1, 200, "\u{e9}", "no availability zone"),
        (2, 404, "", "status 404"),
        (2, 200, "one\ntwo", "no name of one role"),
        (2, 200, "../user-data", "no name of one role"),
        (3, 401, "", "status 401"),
        (3, 200, "<html>", "the answer is no JSON with AccessKeyId and SecretAccessKey"),
        (3, 200, r#"{"Code":"Failed"}"#, "the answer is no JSON with AccessKeyId and SecretAcc"),
        (3, 200, r#"{"AccessKeyId":"","SecretAccessKey":"x"}"#, "keys of a role that cannot be"),
        (3, 200, r#"{"AccessKeyId":"a","SecretAccessKey":"x","Token":"a\nb"}"#, "keys of a role"),
    ];
    for (hop, status, body, says) in faults {
        let place = place(&kind(), &aws());
        for good in answers.iter().take(hop) {
            place.expect(at(0), &answer(200, None, *good));
        }
        place.expect(at(0), &answer(status, None, body));
        let told = place.credentials(at(0))["last_error"].as_str().unwrap().to_owned();
        assert!(told.starts_with(&format!("169.254.169.254: {says}")), "{says}: {told}");
        assert_eq!(place.sent(at(0)), "wait credential_unavailable");
    }
}

#[test]
fn each_fault_of_a_source_is_told_with_its_place() {
    let with = |mut file: Value, member: &str, value: Value| {
        file["credential_source"][member] = value;
        file
    };
    let verify = |url: &str| with(aws(), "regional_cred_verification_url", json!(url));
    let usual = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    // The twins of all below.
    for file in [
        azure(),
        aws(),
        verify("https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"),
        verify("https://sts-fips.{region}.amazonaws.com?Action=GetCallerIdentity"),
        verify("https://sts.{region}.amazonaws.com.cn?Version=2011-06-15&Action=GetCallerIdentity"),
        with(azure(), "headers", json!({ "X-IDENTITY-HEADER": "abc def" })),
        with(azure(), "headers", Value::Null),
        with(azure(), "format", Value::Null),
    ] {
        assert!(loaded(&kind(), &file.to_string()).is_ok(), "{file}");
    }
    let cases = [
        (
            with(azure(), "url", json!("http://idp.corp.example/")),
            "/url: idp.corp.example is asked wi",
        ),
        (
            with(azure(), "url", json!("https://idp.corp.example/")),
            "/url: idp.corp.example is no host",
        ),
        (with(azure(), "url", json!("http://localhost:80/")), "/url: list localhost in `hosts`"),
        (with(azure(), "url", json!("http://[fd00:ec2::254]/")), "/url: a host name, without user"),
        (with(azure(), "file", json!("subject.txt")), "/url: `file` stands beside it"),
        (with(azure(), "headers", json!({ "Host": "x" })), "/headers/Host: no header field"),
        (with(azure(), "headers", json!({ "a b": "x" })), "/headers/a b: no header field"),
        (with(azure(), "headers", json!({ "a": "x\r\ny" })), "/headers/a: a text of one line"),
        (with(azure(), "headers", json!({ "a": 5 })), "column "),
        (
            with(azure(), "format", json!({ "type": "json" })),
            "/format/subject_token_field_name: mi",
        ),
        (
            with(azure(), "executable", json!({ "command": "x" })),
            "/executable: no program is started",
        ),
        (with(azure(), "certificate", json!({})), "/certificate: no client certificate"),
        (with(aws(), "environment_id", json!("aws2")), "/environment_id: aws1 is wanted"),
        (with(aws(), "region_url", Value::Null), "/region_url: missing, and neither AWS_REGION"),
        (with(aws(), "url", Value::Null), "/url: missing, and AWS_ACCESS_KEY_ID and"),
        (with(aws(), "url", json!("http://evil.example/")), "/url: evil.example is asked without"),
        (
            with(aws(), "imdsv2_session_token_url", json!("https://evil.example/")),
            "/imdsv2_session_token_url: evil.example is no host",
        ),
        (
            with(aws(), "regional_cred_verification_url", Value::Null),
            "/regional_cred_verification_url: missing; https://sts.{region}.amazonaws.com?Action",
        ),
        (verify(&usual.replace("https", "http")), "/regional_cred_verification_url: https://sts"),
        (
            verify(&usual.replace("GetCallerIdentity", "AssumeRole")),
            "_verification_url: https://sts",
        ),
        (verify(&format!("{usual}&Action=AssumeRole")), "_verification_url: https://sts"),
        (verify(&format!("{usual}&a=%41")), "_verification_url: https://sts"),
        (verify(&usual.replace("sts.", "iam.")), "_verification_url: https://sts"),
        (verify(&usual.replace("amazonaws.com", "evil.example")), "_verification_url: https://sts"),
        (verify(&usual.replace("{region}", "{zone}")), "_verification_url: https://sts"),
    ];
    for (file, says) in cases {
        let Err((pointer, problem)) = loaded(&kind(), &file.to_string()) else {
            panic!("{says}: {file}");
        };
        assert_eq!(pointer, "/credentials/0/file", "{problem}");
        assert!(problem.starts_with("identity.json: "), "{problem}");
        assert!(problem.contains(says), "{says}: {problem}");
    }
    let sidecar = with(azure(), "url", json!("http://localhost:8080/token"));
    let trusting = json!({ "type": "external_account", "hosts": ["localhost:8080"] });
    assert!(loaded(&trusting, &sidecar.to_string()).is_ok());

    let in_environment = |name: &str, value: &str| {
        let environment = [&KEYS[..], &[("AWS_REGION", "us-east-2"), (name, value)]].concat();
        loaded_with(&kind(), &aws().to_string(), &environment).map(drop)
    };
    assert!(in_environment("AWS_SESSION_TOKEN", SESSION).is_ok());
    for (name, value, says) in [
        ("AWS_REGION", "us.evil.example", "no region, as us-east-1 is one"),
        ("AWS_SESSION_TOKEN", "a\nb", "cannot be sent in a header"),
        ("AWS_ACCESS_KEY_ID", "a b", "cannot be sent in a header"),
    ] {
        let (_, problem) = in_environment(name, value).unwrap_err();
        assert!(problem.contains(says), "{problem}");
    }
}

#[test]
fn no_key_of_aws_is_told() {
    keep_lines(log::LevelFilter::Trace);
    let place = place(&kind(), &aws());
    let mut written = Vec::new();
    let keys = json!({ "AccessKeyId": ID, "SecretAccessKey": SECRET, "Token": SESSION });
    for body in ["imds-session-secret", "us-east-2b", "gateway-role", &keys.to_string()] {
        let (id, request) = place.asks(at(0)).unwrap();
        written.push(format!("{request:?}"));
        place.gateway.answer(id, &answer(200, None, body), at(0));
        written.push(format!("{:?}", place.gateway));
    }
    let (id, request) = place.asks(at(0)).unwrap();
    written.push(format!("{request:?}"));
    let signed = value(&form(&request), "subject_token").to_owned();
    let echo = json!({ "error": "invalid_grant", "error_description": format!("not {signed}") });
    place.gateway.answer(id, &answer(400, None, echo.to_string()), at(0));
    written.push(place.gateway.show(&["credentials", "json"], at(0)));
    written.extend(take_lines());
    assert!(written.iter().any(|text| text.contains("status 400: invalid_grant: not ...")));
    for text in &written {
        for secret in [SECRET, SESSION, "imds-session-secret", "Signature"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
