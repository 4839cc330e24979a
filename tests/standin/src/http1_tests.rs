use super::*;

async fn read(bytes: &[u8]) -> Result<(Head, Body), ReadError> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    tokio::io::AsyncWriteExt::write_all(&mut client, bytes).await.unwrap();
    drop(client);
    let mut conn = Conn::new(server);
    let head = read_head(&mut conn).await?;
    let body = read_body(&mut conn, &head, 6).await?;
    Ok((head, body))
}

#[tokio::test]
async fn chunked_body_with_trailers() {
    let (head, body) = read(
        b"POST /a?b=c HTTP/1.1\r\nHost: X.Example\r\nAuthorization: Bearer t\r\n\
          Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n5\r\ndefgh\r\n0\r\nT: 1\r\n\r\n",
    )
    .await
    .unwrap();
    assert_eq!(head.path_and_query(), ("/a", "b=c"));
    assert_eq!(head.host, "x.example");
    assert_eq!(head.authorization, Authorization::One("Bearer t".into()));
    assert_eq!((body.length, body.kept.as_slice()), (8, b"abcdef".as_slice()));
    assert_eq!(body.sha256.as_slice(), digest::digest(&digest::SHA256, b"abcdefgh").as_ref());
    assert_eq!(body.trailers, ["T: 1"]);
}

#[tokio::test]
async fn ambiguous_requests_are_refused() {
    for framing in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: +1\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n1");
        assert!(matches!(read(request.as_bytes()).await, Err(ReadError::Bad(_))), "{framing}");
    }
}

#[tokio::test]
async fn a_cut_off_request_is_gone() {
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";
    assert!(matches!(read(request).await, Err(ReadError::Gone)));
}
