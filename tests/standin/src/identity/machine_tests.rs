use super::*;
use crate::http1::{Head, read_head};
use crate::wire::Conn;

const NOW: i64 = 1_800_000_000;

async fn head(start: &str, headers: &str) -> Head {
    let (mut client, server) = tokio::io::duplex(4096);
    let text = format!("{start} HTTP/1.1\r\nHost: 169.254.169.254\r\n{headers}\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut client, text.as_bytes()).await.unwrap();
    read_head(&mut Conn::new(server)).await.unwrap()
}

async fn judged(
    sessions: &Sessions,
    start: &str,
    headers: &str,
    now: i64,
    has_identity: bool,
) -> Result<Answer, Fault> {
    let head = head(start, headers).await;
    let key = || Key::generate(Alg::Rs256).ok().map(Arc::new);
    let request = Request { head: &head, body: b"", now };
    judge(&request, has_identity, sessions, key, &mut Facts::new())
}

#[tokio::test]
async fn a_session_opens_what_a_machine_of_aws_says() {
    let sessions = Sessions::default();
    let life = "X-aws-ec2-metadata-token-ttl-seconds: 300\r\n";
    let open = format!("PUT {TOKEN}");
    for (start, headers, status) in [
        (open.as_str(), "", 400),
        (&open, "x-aws-ec2-metadata-token-ttl-seconds: 0\r\n", 400),
        (&open, "x-aws-ec2-metadata-token-ttl-seconds: 300\r\nx-forwarded-for: a\r\n", 403),
        (&open.replace("PUT", "GET"), life, 405),
    ] {
        let refused = judged(&sessions, start, headers, NOW, true).await.unwrap_err();
        assert_eq!(refused.status, status, "{start} {headers}");
    }
    let Ok(Answer::Text(session)) = judged(&sessions, &open, life, NOW, true).await else {
        panic!("no session");
    };
    let with = format!("X-aws-ec2-metadata-token: {session}\r\n");
    let text = |text: &str| Ok(Answer::Text(text.to_owned()));
    let zone = format!("GET {ZONE}");
    assert_eq!(judged(&sessions, &zone, &with, NOW + 299, true).await, text("us-east-2b"));
    assert_eq!(judged(&sessions, &zone, &with, NOW + 300, true).await.unwrap_err().status, 401);
    assert_eq!(judged(&sessions, &zone, "", NOW, true).await.unwrap_err().status, 401);
    let roles = format!("GET {ROLES}");
    assert_eq!(judged(&sessions, &roles, &with, NOW, true).await, text(ROLE));
    assert_eq!(judged(&sessions, &roles, &with, NOW, false).await.unwrap_err().status, 404);
    let keys = judged(&sessions, &format!("{roles}/{ROLE}"), &with, NOW, true).await;
    let Ok(Answer::Json(keys)) = keys else { panic!("no keys") };
    assert_eq!(keys["SecretAccessKey"], SECRET_ACCESS_KEY);
    let other = judged(&sessions, &format!("{roles}/other"), &with, NOW, true).await;
    assert_eq!(other.unwrap_err().status, 404);
}

#[tokio::test]
async fn azure_gives_a_token_for_the_resource() {
    let sessions = Sessions::default();
    let start = format!("GET {AZURE}?api-version=2018-02-01&resource=vertex-gateway");
    let good = judged(&sessions, &start, "Metadata: True\r\n", NOW, true).await;
    let Ok(Answer::Json(good)) = good else { panic!("no token") };
    assert_eq!(good["access_token"].as_str().unwrap().split('.').count(), 3);
    for (start, headers, has_identity) in [
        (start.as_str(), "", true),
        (&start.replace("2018", "2017"), "Metadata: true\r\n", true),
        (&start.replace("&resource=vertex-gateway", ""), "Metadata: true\r\n", true),
        (&start, "Metadata: true\r\n", false),
    ] {
        let refused = judged(&sessions, start, headers, NOW, has_identity).await.unwrap_err();
        assert_eq!((refused.status, refused.error.as_str()), (400, "invalid_request"), "{start}");
    }
}
