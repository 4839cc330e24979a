use super::*;
use crate::http1::{read_body, read_head};
use crate::wire::Conn;

async fn request() -> (Head, Body) {
    let (mut client, server) = tokio::io::duplex(4096);
    let bytes = b"POST /x?y=1 HTTP/1.1\r\nHost: a\r\nB: 1\r\nb: 2\r\nContent-Length: 2\r\n\r\nhi";
    tokio::io::AsyncWriteExt::write_all(&mut client, bytes).await.unwrap();
    let mut conn = Conn::new(server);
    let head = read_head(&mut conn).await.unwrap();
    let body = read_body(&mut conn, &head, 100).await.unwrap();
    (head, body)
}

#[tokio::test]
async fn records_are_found_by_number() {
    let recorder = Recorder::default();
    let (head, body) = request().await;
    for port in [Port::GoogleHttp, Port::IdpHttp, Port::GoogleHttps] {
        recorder.add(port, 1_500_000, &head, &body, None, None).client_gone();
    }
    let all = recorder.since(0, 10, None);
    assert_eq!((&all["next"], &all["more"]), (&json!(3), &json!(false)));
    let first = &all["requests"][0];
    assert_eq!(first["headers"][2], json!(["b", "2"]));
    assert_eq!((&first["method"], &first["target"]), (&json!("POST"), &json!("/x?y=1")));
    assert_eq!((&first["body_text"], &first["time"]), (&json!("hi"), &json!(1.5)));
    assert_eq!((&first["client_gone"], &first["port"]), (&json!(true), &json!("google_http")));
    let page = recorder.since(0, 1, Some(Side::Google));
    assert_eq!((&page["next"], &page["more"]), (&json!(2), &json!(true)));
    assert_eq!(recorder.since(2, 10, None)["requests"].as_array().map(Vec::len), Some(1));
    recorder.clear();
    assert_eq!(recorder.since(0, 10, None)["next"], json!(3));
    recorder.off.store(true, Ordering::Relaxed);
    recorder.add(Port::IdpHttp, 0, &head, &body, None, None);
    assert_eq!(recorder.since(0, 10, None)["next"], json!(3));
}
