//! TLS by rustls: HTTP/1.1 with everything, and HTTP/2, where polling works and WebSocket is refused.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_rt::net::TcpStream;
use actix_web::{App, HttpServer};
use bytes::Bytes;
use engineio::Server;
use h2::client::SendRequest;
use rustls::crypto::ring;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::common::{Host, Http, Polling, WebSocket, echo, open_packet, port, upgrade, within};

/// A server with a certificate for `localhost`, and what a client needs to trust it.
pub(crate) struct Secure {
    addr: SocketAddr,
    /// The server, if it is actix's.
    _host: Option<Host>,
    roots: RootCertStore,
}

impl Secure {
    fn start(server: &Server) -> Secure {
        let server = server.clone();
        let mut host = None;
        let mut secure = Secure::start_with(|config| {
            let (listener, addr) = port();
            let http = HttpServer::new(move || App::new().service(engineio::scope(&server)))
                // It finds no connection of plain TCP, and leaves WebSockets where they are.
                .on_connect(engineio::on_connect)
                .h1_allow_half_closed(false)
                .disable_signals()
                .workers(1)
                .listen_rustls_0_23(listener, config)
                .unwrap();
            host = Some(Host::new(addr, http.run()));
            addr
        });
        secure._host = host;
        secure
    }

    /// One that this starts, and tells the address of.
    pub(crate) fn start_with(start: impl FnOnce(ServerConfig) -> SocketAddr) -> Secure {
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(identity.cert.der().clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key.into())
            .unwrap();
        Secure {
            addr: start(config),
            _host: None,
            roots,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    async fn connect(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let tcp = within(TcpStream::connect(self.addr())).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = within(TlsConnector::from(Arc::new(config)).connect(name, tcp))
            .await
            .unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        tls
    }

    pub(crate) async fn http1(&self) -> Http {
        Http::over(Box::new(self.connect("http/1.1").await), "localhost".to_owned())
    }

    async fn http2(&self) -> Http2 {
        let (send, connection) = within(h2::client::handshake(self.connect("h2").await))
            .await
            .unwrap();
        actix_rt::spawn(connection);
        Http2 {
            send,
            origin: format!("https://localhost:{}", self.addr().port()),
        }
    }
}

/// A client of HTTP/2 on one connection.
#[derive(Clone)]
struct Http2 {
    send: SendRequest<Bytes>,
    origin: String,
}

impl Http2 {
    async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut send = within(self.send.clone().ready()).await.unwrap();
        let (response, mut stream) = send
            .send_request(request.body(()).unwrap(), body.is_empty())
            .unwrap();
        if !body.is_empty() {
            stream
                .send_data(Bytes::copy_from_slice(body.as_bytes()), true)
                .unwrap();
        }
        let response = within(response).await.unwrap();
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(chunk) = within(body.data()).await {
            let chunk = chunk.unwrap();
            body.flow_control().release_capacity(chunk.len()).unwrap();
            text.extend_from_slice(&chunk);
        }
        (status, String::from_utf8(text).unwrap())
    }

    async fn get(&mut self, target: &str) -> (u16, String) {
        self.request("GET", target, &[], "").await
    }
}

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

#[actix_web::test]
async fn http1_polling_websocket_and_upgrade() {
    let server = echo(|_| ()).start();
    let secure = Secure::start(&server);
    let large = format!("4{}", "x".repeat(300_000));

    let (polls, posts) = (secure.http1().await, secure.http1().await);
    let mut client = Polling::over(secure.addr(), polls, posts, "/engine.io/", &[]).await;
    client.push(&["4hi \u{1f600}", "bAQI="]).await;
    assert_eq!(client.poll().await, ["4hi \u{1f600}", "bAQI="]);
    client.push(&[&large]).await;
    assert_eq!(client.poll().await, [&*large]);

    let mut direct = WebSocket::over(secure.http1().await, WS, &[]).await.unwrap();
    open_packet(&direct.next_text().await);

    let ws = WebSocket::over(secure.http1().await, &client.ws_target(), &[])
        .await
        .unwrap();
    let (mut swapped, _) = upgrade(&mut client, ws).await;

    for ws in [&mut direct, &mut swapped] {
        for index in 0..200 {
            ws.text(&format!("4{index}")).await;
        }
        ws.text(&large).await;
        for index in 0..200 {
            assert_eq!(ws.next_text().await, format!("4{index}"));
        }
        assert_eq!(ws.next_text().await, large);
    }
    drop((direct, swapped));
    crate::common::until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn http2_polling() {
    let server = echo(|_| ()).start();
    let secure = Secure::start(&server);
    let mut http = secure.http2().await;
    let (status, body) = http.get(POLLING).await;
    assert_eq!(status, 200);
    let open = open_packet(&body);
    let target = format!("{POLLING}&sid={}", open["sid"].as_str().unwrap());

    // A poll waits on the very connection by which the message comes that answers it.
    let mut other = http.clone();
    let (poll, post) = tokio::join!(other.get(&target), http.request("POST", &target, &[], "4hi"));
    assert_eq!(post, (200, "ok".to_owned()));
    assert_eq!(poll, (200, "4hi".to_owned()));
    let large = format!("4{}", "x".repeat(300_000));
    let (poll, post) = tokio::join!(other.get(&target), http.request("POST", &target, &[], &large));
    assert_eq!((post.0, poll.0), (200, 200));
    assert_eq!(poll.1, large);
    let (status, _) = http.request("POST", &target, &[], "1").await;
    assert_eq!(status, 200);
    crate::common::until(|| server.clients_count() == 0).await;
}

#[actix_web::test]
async fn http2_has_no_websocket() {
    let server = echo(|_| ()).start();
    let secure = Secure::start(&server);
    let mut http = secure.http2().await;
    let refused = (400, r#"{"code":3,"message":"Bad request"}"#.to_owned());
    assert_eq!(http.get(WS).await, refused);
    let (_, body) = http.get(POLLING).await;
    let sid = open_packet(&body)["sid"].as_str().unwrap().to_owned();
    assert_eq!(http.get(&format!("{WS}&sid={sid}")).await, refused);
    // The session is unharmed, and its WebSocket may come by HTTP/1.1 beside it, as browsers do it.
    let mut ws = WebSocket::over(secure.http1().await, &format!("{WS}&sid={sid}"), &[])
        .await
        .unwrap();
    ws.text("2probe").await;
    assert_eq!(ws.next_text().await, "3probe");
    ws.text("5").await;
    ws.text("4hi").await;
    assert_eq!(ws.next_text().await, "4hi");
}

/// HTTP/2 has `:authority` where HTTP/1.1 has `Host`.
#[actix_web::test]
async fn http2_knows_its_own_pages() {
    let server = echo(|_| ()).start();
    let secure = Secure::start(&server);
    let mut http = secure.http2().await;
    let own = http.origin.clone();
    let (status, _) = http
        .request("GET", POLLING, &[("origin", &own), ("cookie", "a=b")], "")
        .await;
    assert_eq!(status, 200);
    let evil = [("origin", "https://evil.example"), ("cookie", "a=b")];
    assert_eq!(http.request("GET", POLLING, &evil, "").await.0, 403);
}
