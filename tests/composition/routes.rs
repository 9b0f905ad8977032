//! The ways in without `scope()`: routes of one's own, and `listen()`.

use actix_web::{App, HttpRequest, HttpResponse, web};
use engineio::{Accept, Endpoint, Reject, Server};

use crate::common::{Http, Polling, WebSocket, echo, upgrade, within};
use crate::host;

const QUERY: &str = "?EIO=4&transport=polling";

async fn request(req: HttpRequest, body: web::Payload, server: web::Data<Server>) -> HttpResponse {
    engineio::handle_request(&server, &req, body).await
}

async fn upgrade_request(req: HttpRequest, body: web::Payload, server: web::Data<Server>) -> HttpResponse {
    engineio::handle_upgrade(&server, &req, body).await
}

async fn endpoint(req: HttpRequest, body: web::Payload, endpoint: web::Data<Endpoint>) -> HttpResponse {
    endpoint.handle_request(&req, body).await
}

#[actix_web::test]
async fn handle_request() {
    let server = echo(|_| ()).start();
    let engine = server.clone();
    let host = host!(move || App::new()
        .app_data(web::Data::new(engine.clone()))
        .route("/anywhere", web::to(request)));
    let mut client = Polling::open_at(host.addr, "/anywhere", &[]).await;
    client.push(&["4hi"]).await;
    assert_eq!(client.poll().await, ["4hi"]);
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4there").await;
    assert_eq!(ws.next_text().await, "4there");
    assert!(
        client.response.header("set-cookie").is_some(),
        "all that a scope does"
    );
    let mut http = Http::connect(host.addr).await;
    assert_eq!(http.get("/anywhere?EIO=4&transport=tcp").await.code(), (400, 0));
    assert_eq!(server.clients_count(), 1);
}

#[actix_web::test]
async fn handle_upgrade_beside_handle_request() {
    let server = echo(|_| ()).start();
    let host = host!(move || App::new()
        .app_data(web::Data::new(server.clone()))
        .route(
            "/rt",
            web::get()
                .guard(actix_web::guard::Header("upgrade", "websocket"))
                .to(upgrade_request)
        )
        .route("/rt", web::to(request)));
    let mut client = Polling::open_at(host.addr, "/rt", &[]).await;
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4hi").await;
    assert_eq!(ws.next_text().await, "4hi");
    let mut ws = WebSocket::connect(host.addr, "/rt?EIO=4&transport=websocket", &[])
        .await
        .unwrap();
    ws.next_text().await;
    ws.text("4hi").await;
    assert_eq!(ws.next_text().await, "4hi");
}

#[actix_web::test]
async fn an_endpoint_has_its_hooks() {
    let server = echo(|_| ()).start();
    let host = host!(move || {
        let hooked = engineio::scope(&server).allow_request(|req| {
            let good = req.match_info().get("key") == Some("good");
            async move {
                if good {
                    Ok(Accept::new())
                } else {
                    Err(Reject::new("no"))
                }
            }
        });
        App::new()
            .app_data(web::Data::new(hooked.into_endpoint()))
            .route("/rt/{key}", web::to(endpoint))
    });
    let mut client = Polling::open_at(host.addr, "/rt/good", &[]).await;
    client.push(&["4hi"]).await;
    assert_eq!(client.poll().await, ["4hi"]);
    let mut http = Http::connect(host.addr).await;
    assert_eq!(
        http.get(&format!("/rt/bad{QUERY}")).await.refusal(),
        (403, 4, "no".to_owned())
    );
}

#[actix_web::test]
async fn listen_serves_the_path_and_nothing_else() {
    let server = echo(|config| config.destroy_upgrade_timeout = crate::common::ms(20)).start();
    let listener = engineio::listen(&server, ("127.0.0.1", 0)).unwrap().workers(1);
    let addr = listener.addresses().unwrap()[0];
    actix_rt::spawn(listener.run());
    let mut client = Polling::open(addr).await;
    client.push(&["4hi"]).await;
    assert_eq!(client.poll().await, ["4hi"]);
    let ws = client.websocket().await;
    upgrade(&mut client, ws).await;

    let mut http = Http::connect(addr).await;
    for target in [
        "/",
        "/engine.io",
        "/engine.io/x",
        "/engine.io-admin",
        "/favicon.ico",
        "/?EIO=4&transport=polling",
    ] {
        assert_eq!(http.get(target).await.status, 501, "{target}");
    }
    assert_eq!(http.post("/", b"x").await.status, 501);
    // An upgrade elsewhere is answered, and its connection closed.
    let response = WebSocket::connect(addr, "/elsewhere", &[]).await.err().unwrap();
    assert_eq!(response.status, 501);
    let mut http = Http::connect(addr).await;
    let headers = [("connection", "upgrade"), ("upgrade", "websocket")];
    assert_eq!(http.get_with("/elsewhere", &headers).await.status, 501);
    within(http.closed()).await;
}

#[actix_web::test]
async fn listen_takes_hooks_and_several_addresses() {
    let server = echo(|_| ()).start();
    let (one, two) = (crate::common::port(), crate::common::port());
    let addrs = [one.1, two.1];
    // Free again: the system does not hand them out to others at once.
    drop((one.0, two.0));
    let listener = engineio::listen(&server, &addrs[..])
        .unwrap()
        .workers(1)
        .scope(|scope| scope.allow_request(|_| async { Err(Reject::new("hooked")) }));
    assert_eq!(listener.addresses().unwrap(), addrs);
    actix_rt::spawn(listener.run());
    for addr in addrs {
        let response = Http::connect(addr)
            .await
            .get(&format!("/engine.io/{QUERY}"))
            .await;
        assert_eq!(response.refusal(), (403, 4, "hooked".to_owned()));
    }
}
