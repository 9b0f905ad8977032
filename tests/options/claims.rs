//! Who a client is, by a JSON web token or by the cookie of a session: `allow_request` finds it out, and the
//! application's handler has it as a type of its own.

use std::future::{Ready, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_session::storage::CookieSessionStore;
use actix_session::{Session, SessionExt as _, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{App, HttpRequest, HttpResponse, web};
use engineio::{Accept, Data, Handshake, Reject, Server, Socket, SocketHandler};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::common::{Host, Http, Polling, WebSocket, serve_with, upgrade};
use crate::host;

const SECRET: &[u8] = b"a secret of the tests";
const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WS: &str = "/engine.io/?EIO=4&transport=websocket";

/// What the token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// Whose session it is.
struct User(String);

/// Answers everything with the name of its user.
struct Personal(String);

impl Personal {
    fn new(_: &Socket, handshake: &Handshake) -> Self {
        let claims = handshake.extensions().get::<Claims>().map(|claims| &claims.sub);
        let user = handshake.extensions().get::<User>().map(|User(name)| name);
        Personal(claims.or(user).expect("nobody else is let in").clone())
    }
}

impl SocketHandler for Personal {
    fn on_message(&mut self, socket: &Socket, _: Data) {
        let _ = socket.try_send(self.0.clone());
    }
}

fn server() -> Server {
    Server::builder().behavior(Personal::new).start()
}

/// A token of this user's that is good for so long, or has not been for that long.
fn token(user: &str, seconds: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let claims = Claims {
        sub: user.to_owned(),
        exp: now.as_secs().saturating_add_signed(seconds),
    };
    let key = EncodingKey::from_secret(SECRET);
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

/// From `Authorization: Bearer ..`, or from `token` in the query, since browsers let pages set no headers of a
/// WebSocket.
fn by_token(req: &HttpRequest) -> Ready<Result<Accept, Reject>> {
    let header = req
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.strip_prefix("Bearer "));
    let query = || form_urlencoded::parse(req.query_string().as_bytes()).find(|(name, _)| name == "token");
    let token = bearer
        .map(str::to_owned)
        .or_else(|| Some(query()?.1.into_owned()));
    let key = DecodingKey::from_secret(SECRET);
    let claims = token.and_then(|token| {
        let decoded = jsonwebtoken::decode::<Claims>(&token, &key, &Validation::default());
        decoded.ok().map(|decoded| decoded.claims)
    });
    ready(claims.map(Accept::with).ok_or_else(|| {
        Reject::new("invalid token")
            .status(StatusCode::UNAUTHORIZED)
            .code(401)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }))
}

/// Sends something and expects one's name, on polling and after the upgrade.
async fn is_known_as(mut client: Polling, name: &str) {
    client.push(&["4who am I?"]).await;
    assert_eq!(client.poll().await, [format!("4{name}")]);
    let ws = client.websocket().await;
    let (mut ws, _) = upgrade(&mut client, ws).await;
    ws.text("4and now?").await;
    assert_eq!(ws.next_text().await, format!("4{name}"));
}

#[actix_web::test]
async fn claims_of_a_json_web_token() {
    let server = server();
    let host = serve_with(&server, |scope| scope.allow_request(by_token));
    let bearer = format!("Bearer {}", token("ann", 60));
    let headers = [("authorization", &*bearer)];
    is_known_as(Polling::open_at(host.addr, "/engine.io/", &headers).await, "ann").await;

    let target = format!("{WS}&token={}", token("bob", 60));
    let mut ws = WebSocket::connect(host.addr, &target, &[]).await.unwrap();
    ws.next_text().await;
    ws.text("4who am I?").await;
    assert_eq!(ws.next_text().await, "4bob");
}

#[actix_web::test]
async fn a_token_that_is_none() {
    let server = server();
    let host = serve_with(&server, |scope| scope.allow_request(by_token));
    let good = token("ann", 60);
    let (head, tail) = good.split_at(good.len() - 10);
    let forged = format!("{head}{}", tail.chars().rev().collect::<String>());
    for token in ["", "nonsense", &forged, &token("ann", -3600)] {
        let bearer = format!("Bearer {token}");
        let response = Http::connect(host.addr)
            .await
            .get_with(POLLING, &[("authorization", &bearer)])
            .await;
        assert_eq!(response.refusal(), (401, 401, "invalid token".to_owned()));
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        let target = format!("{WS}&token={token}");
        let response = WebSocket::connect(host.addr, &target, &[]).await.err().unwrap();
        assert_eq!(response.refusal(), (401, 401, "invalid token".to_owned()));
    }
    assert_eq!(server.clients_count(), 0);
}

/// From the cookie of `actix-session`, whose middleware has read it already.
fn by_session(req: &HttpRequest) -> Ready<Result<Accept, Reject>> {
    let user = req.get_session().get::<String>("user").ok().flatten();
    ready(match user {
        Some(user) => Ok(Accept::with(User(user))),
        None => Err(Reject::new("log in first")),
    })
}

async fn log_in(name: web::Path<String>, session: Session) -> HttpResponse {
    match session.insert("user", &*name) {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn with_sessions(server: &Server) -> Host {
    let (server, key) = (server.clone(), Key::generate());
    host!(move || {
        let sessions = SessionMiddleware::builder(CookieSessionStore::default(), key.clone())
            .cookie_secure(false)
            .build();
        App::new()
            .wrap(sessions)
            .route("/login/{name}", web::post().to(log_in))
            .service(engineio::scope(&server).allow_request(by_session))
    })
}

#[actix_web::test]
async fn the_cookie_of_a_session() {
    let server = server();
    let host = with_sessions(&server);
    let refused = Http::connect(host.addr).await.get(POLLING).await;
    assert_eq!(refused.refusal(), (403, 4, "log in first".to_owned()));

    let answer = Http::connect(host.addr).await.post("/login/ann", b"").await;
    let cookie = answer.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("its name and value").to_owned();
    is_known_as(
        Polling::open_at(host.addr, "/engine.io/", &[("cookie", &cookie)]).await,
        "ann",
    )
    .await;
    let mut ws = WebSocket::connect(host.addr, WS, &[("cookie", &cookie)])
        .await
        .unwrap();
    ws.next_text().await;
    ws.text("4who am I?").await;
    assert_eq!(ws.next_text().await, "4ann");

    let (head, tail) = cookie.split_at(cookie.len() / 2);
    let other = if tail.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{head}{other}{}", &tail[1..]);
    let refused = WebSocket::connect(host.addr, WS, &[("cookie", &forged)])
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), (403, 4));
    // A page of another origin does not get in with it, on whatever transport.
    let foreign = [("cookie", &*cookie), ("origin", "http://evil.example")];
    let refused = Http::connect(host.addr).await.get_with(POLLING, &foreign).await;
    assert_eq!(refused.code(), (403, 4));
    let refused = WebSocket::connect(host.addr, WS, &foreign).await.err().unwrap();
    assert_eq!(refused.code(), (403, 4));
}
