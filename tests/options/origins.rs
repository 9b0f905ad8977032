//! `origins`, on each way in: the handshake on polling and on WebSocket, and the upgrade.

use std::net::SocketAddr;

use engineio::Origins;

use crate::common::{Host, Http, Polling, WebSocket, echo, serve};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

fn host(origins: Origins) -> Host {
    serve(&echo(|config| config.origins = origins).start())
}

/// Status and code by each way in; `(200, None)` and `(101, None)` if it is open.
async fn ways(addr: SocketAddr, headers: &[(&str, &str)]) -> [(u16, Option<u64>); 3] {
    let polling = Http::connect(addr).await.get_with(POLLING, headers).await;
    let websocket = WebSocket::connect(addr, WS, headers).await;
    let client = Polling::open(addr).await;
    let upgrade = WebSocket::connect(addr, &client.ws_target(), headers).await;
    let status = |ws: Result<WebSocket, _>| ws.map_or_else(|response| response, |ws| ws.response);
    [polling, status(websocket), status(upgrade)].map(|response| {
        let code = (response.status >= 400).then(|| response.code().1);
        (response.status, code)
    })
}

const OPEN: [(u16, Option<u64>); 3] = [(200, None), (101, None), (101, None)];
const REFUSED: [(u16, Option<u64>); 3] = [(403, Some(4)); 3];

#[actix_web::test]
async fn same_host_refuses_foreign_pages_with_foreign_cookies() {
    let host = host(Origins::SameHost);
    let evil = ("origin", "http://evil.example");
    assert_eq!(ways(host.addr, &[evil, ("cookie", "session=1")]).await, REFUSED);
    assert_eq!(
        ways(host.addr, &[evil, ("cookie", "io=x; session=1")]).await,
        REFUSED
    );
    assert_eq!(
        ways(host.addr, &[evil, ("cookie", "io=x"), ("cookie", "session=1")]).await,
        REFUSED
    );
    assert_eq!(
        ways(host.addr, &[("origin", "null"), ("cookie", "session=1")]).await,
        REFUSED
    );
    // A header that any page could not set, but any client can: no proxy is trusted by default.
    let forwarded = ("x-forwarded-host", "evil.example");
    assert_eq!(
        ways(host.addr, &[evil, ("cookie", "session=1"), forwarded]).await,
        REFUSED
    );
}

#[actix_web::test]
async fn same_host_lets_the_others_in() {
    let host = host(Origins::SameHost);
    let evil = ("origin", "http://evil.example");
    assert_eq!(ways(host.addr, &[]).await, OPEN);
    assert_eq!(ways(host.addr, &[evil]).await, OPEN, "no cookie");
    assert_eq!(
        ways(host.addr, &[evil, ("cookie", "io=x")]).await,
        OPEN,
        "our own cookie"
    );
    assert_eq!(ways(host.addr, &[("cookie", "session=1")]).await, OPEN, "no page");
    let own = format!("http://{}", host.addr);
    assert_eq!(
        ways(host.addr, &[("origin", &own), ("cookie", "session=1")]).await,
        OPEN
    );
    let named = [
        ("host", "chat.example"),
        ("origin", "http://chat.example"),
        ("cookie", "session=1"),
    ];
    assert_eq!(ways(host.addr, &named).await, OPEN);
}

#[actix_web::test]
async fn our_own_cookie_is_the_one_that_is_configured() {
    let server = echo(|config| config.cookie = Some(engineio::Cookie::named("sticky"))).start();
    let host = serve(&server);
    let evil = ("origin", "http://evil.example");
    assert_eq!(ways(host.addr, &[evil, ("cookie", "sticky=x")]).await, OPEN);
    assert_eq!(ways(host.addr, &[evil, ("cookie", "io=x")]).await, REFUSED);
}

#[actix_web::test]
async fn any_lets_everybody_in() {
    let host = host(Origins::Any);
    for origin in ["http://evil.example", "null"] {
        assert_eq!(
            ways(host.addr, &[("origin", origin), ("cookie", "session=1")]).await,
            OPEN
        );
    }
}

#[actix_web::test]
async fn a_list_lets_in_whom_it_names() {
    let list = ["https://a.example", "http://b.example:8080"];
    let host = host(Origins::List(list.map(str::to_owned).to_vec()));
    for origin in list {
        assert_eq!(
            ways(host.addr, &[("origin", origin), ("cookie", "session=1")]).await,
            OPEN
        );
    }
    let own = format!("http://{}", host.addr);
    for origin in [
        "http://a.example",
        "https://a.example.evil",
        "http://b.example",
        "null",
        &own,
    ] {
        assert_eq!(ways(host.addr, &[("origin", origin)]).await, REFUSED, "{origin}");
    }
    assert_eq!(ways(host.addr, &[]).await, OPEN, "no page");
}

#[actix_web::test]
async fn polls_and_posts_are_not_asked() {
    let server = echo(|config| config.origins = Origins::List(Vec::new())).start();
    let host = serve(&server);
    let client = Polling::open(host.addr).await;
    let mut http = Http::connect(host.addr).await;
    // Their sid is the secret; a page that knows it was let in.
    let headers = [("origin", "http://evil.example")];
    http.send("POST", client.target(), &headers, Some(b"4hi")).await;
    assert_eq!(http.response().await.status, 200);
}

#[actix_web::test]
async fn an_origin_with_forbidden_bytes_is_code_3() {
    let host = host(Origins::Any);
    let response = Http::connect(host.addr)
        .await
        .get_with(POLLING, &[("origin", "http://\u{e9}.example")])
        .await;
    assert_eq!(response.code(), (400, 3));
}

/// Status and code of a handshake by a script, to which browsers give no `Origin`.
async fn script(addr: SocketAddr, headers: &[(&str, &str)]) -> (u16, Option<u64>) {
    let target = format!("{POLLING}&j=0");
    let response = Http::connect(addr).await.get_with(&target, headers).await;
    let code = (response.status >= 400).then(|| response.code().1);
    (response.status, code)
}

#[actix_web::test]
async fn a_script_is_of_the_page_that_refers() {
    let evil = ("referer", "http://evil.example/page?http://a.example/");
    let cookie = ("cookie", "session=1");
    let (open, refused) = ((200, None), (403, Some(4)));

    let same = host(Origins::SameHost);
    let own = format!("http://{}/page", same.addr);
    for foreign in [evil, ("referer", "none"), ("referer", "http://\u{e9}.example/")] {
        assert_eq!(
            script(same.addr, &[foreign, cookie]).await,
            refused,
            "{foreign:?}"
        );
        assert_eq!(script(same.addr, &[foreign]).await, open, "no cookie");
    }
    assert_eq!(script(same.addr, &[cookie]).await, refused, "no referrer");
    assert_eq!(script(same.addr, &[]).await, open, "no cookie");
    assert_eq!(script(same.addr, &[("referer", &own), cookie]).await, open);
    let named = ("origin", "http://evil.example");
    assert_eq!(
        script(same.addr, &[named, ("referer", &own), cookie]).await,
        refused
    );

    let list = host(Origins::List(vec!["http://a.example".to_owned()]));
    assert_eq!(
        script(list.addr, &[("referer", "http://a.example/page")]).await,
        open
    );
    assert_eq!(script(list.addr, &[evil]).await, refused);
    assert_eq!(script(list.addr, &[]).await, refused);

    let any = host(Origins::Any);
    assert_eq!(script(any.addr, &[evil, cookie]).await, open);
    assert_eq!(script(any.addr, &[cookie]).await, open);
}
