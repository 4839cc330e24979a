use super::*;
use crate::http1::{Head, read_head};
use crate::wire::Conn;

async fn head(target: &str, headers: &str) -> Head {
    let (mut client, server) = tokio::io::duplex(4096);
    let text = format!("GET {target} HTTP/1.1\r\nHost: metadata\r\n{headers}\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut client, text.as_bytes()).await.unwrap();
    read_head(&mut Conn::new(server)).await.unwrap()
}

async fn judged(target: &str, headers: &str, knows_account: bool) -> Result<Answer, Fault> {
    let head = head(target, headers).await;
    let request = Request { head: &head, body: b"", now: 0 };
    judge(&request, knows_account, &mut Facts::new())
}

const FLAVOR: &str = "metadata-flavor: Google\r\n";

fn account(rest: &str) -> String {
    format!("{BASE}{ACCOUNTS}{rest}")
}

#[tokio::test]
async fn the_flavor_is_wanted() {
    let target = account("default/token");
    assert!(judged(&target, FLAVOR, true).await.is_ok());
    let forwarded = format!("{FLAVOR}X-Forwarded-For: 10.0.0.1\r\n");
    for headers in ["", "Metadata-Flavor: google\r\n", &forwarded] {
        assert_eq!(judged(&target, headers, true).await.unwrap_err().status, 403, "{headers}");
    }
    assert!(judged("/", "", true).await.is_ok());
}

#[tokio::test]
async fn accounts_and_scopes() {
    for name in ["default", EMAIL] {
        let target = account(&format!("{name}/token?scopes=a%2Cb"));
        let Ok(Answer::Token(grant)) = judged(&target, FLAVOR, true).await else {
            panic!("no token of {name}");
        };
        assert_eq!((grant.principal.as_str(), grant.scopes.len()), (EMAIL, 2));
        assert_eq!(judged(&target, FLAVOR, false).await.unwrap_err().status, 404);
    }
    let stranger = account("other@standin-project.iam.gserviceaccount.com/token");
    assert_eq!(judged(&stranger, FLAVOR, true).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn plain_values() {
    for (target, value) in [
        (account("default/email"), EMAIL),
        (account("default/scopes"), "https://www.googleapis.com/auth/cloud-platform\n"),
        (format!("{BASE}project/project-id"), PROJECT),
        (format!("{BASE}universe/universe-domain"), "googleapis.com"),
    ] {
        let wanted = Ok(Answer::Text(value.to_owned()));
        assert_eq!(judged(&target, FLAVOR, true).await, wanted);
    }
    let recursive = judged(&account("default/?recursive=true"), FLAVOR, true).await;
    assert!(matches!(recursive, Ok(Answer::Json(_))));
    assert_eq!(judged(&format!("{BASE}x"), FLAVOR, true).await.unwrap_err().status, 404);
}

#[test]
fn parts() {
    assert_eq!(endpoint("/"), Some(Endpoint::Ping));
    assert_eq!(endpoint(&account("default/token")), Some(Endpoint::Token));
    assert_eq!(endpoint(&account("default/email")), Some(Endpoint::Account));
    assert_eq!(endpoint(&format!("{BASE}project/project-id")), Some(Endpoint::Project));
    assert_eq!(endpoint("/x"), None);
}

#[test]
fn a_token_is_given_again_while_it_lasts() {
    let (cache, tokens) = (Cache::default(), Tokens::default());
    let grant = |scope: &str| Grant {
        by: "metadata",
        principal: EMAIL.to_owned(),
        scopes: vec![scope.to_owned()],
        lifetime: 3600,
    };
    let token = |scope, now| cache.token(&tokens, grant(scope), 0, now);
    let (first, left) = token("a", 0);
    assert_eq!(left, 3600);
    assert_eq!(token("a", 3375), (first.clone(), 225));
    assert_ne!(token("b", 0).0, first);
    let (second, left) = token("a", 3376);
    assert!(second != first && left == 3600);
    tokens.revoke(Some(&second));
    assert_ne!(token("a", 3377).0, second);
}
