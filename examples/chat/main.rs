//! A chat: one hub actor for all sockets, and the page that talks to it. Start it by `examples/chat/run`.
//!
//! What page and hub say to each other stands at the top of `page/chat.js`.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::prelude::*;
use actix_files::Files;
use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use clap::Parser;
use engineio::{Data, Event, Server, Socket};
use serde::{Deserialize, Serialize};

const MAX_NAME: usize = 24;
const MAX_TEXT: usize = 2000;

/// A chat on Engine.IO.
#[derive(Parser)]
struct Options {
    /// The port; 0 lets the system pick one.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
}

/// What a page says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Request {
    Join { name: String },
    Say { text: String },
}

/// What the hub says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Reply<'a> {
    Welcome {
        id: String,
        name: &'a str,
        people: Vec<&'a str>,
    },
    Joined {
        name: &'a str,
    },
    Left {
        name: &'a str,
    },
    Said {
        name: &'a str,
        text: &'a str,
        at: u64,
    },
    Refused {
        reason: &'a str,
    },
}

impl Reply<'_> {
    fn data(&self) -> Data {
        Data::from(serde_json::to_string(self).expect("a reply is plain strings and numbers"))
    }
}

/// The room: who is in it, by the socket that they talk through.
#[derive(Default)]
struct Lobby {
    people: HashMap<Socket, String>,
    joined: u64,
}

impl Actor for Lobby {
    type Context = Context<Self>;
}

impl Handler<Event> for Lobby {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        match event {
            Event::Message { socket, data, .. } => {
                if let Err(reason) = self.handle_message(&socket, &data) {
                    let _ = socket.try_send(Reply::Refused { reason }.data());
                }
            }
            Event::Close { socket, .. } => {
                if let Some(name) = self.people.remove(&socket) {
                    self.tell_all(&Reply::Left { name: &name });
                }
            }
            _ => {}
        }
    }
}

impl Lobby {
    fn handle_message(&mut self, socket: &Socket, data: &Data) -> Result<(), &'static str> {
        let text = data.as_text().ok_or("not understood")?;
        match serde_json::from_str(text).map_err(|_| "not understood")? {
            Request::Join { name } => self.join(socket, name.trim()),
            Request::Say { text } => self.say(socket, &text),
        }
    }

    fn join(&mut self, socket: &Socket, name: &str) -> Result<(), &'static str> {
        let folded = name.to_lowercase();
        match name.chars().count() {
            _ if self.people.contains_key(socket) => return Err("already joined"),
            0 => return Err("name empty"),
            n if n > MAX_NAME => return Err("name too long"),
            _ if self.people.values().any(|taken| taken.to_lowercase() == folded) => {
                return Err("name taken");
            }
            _ => {}
        }
        self.tell_all(&Reply::Joined { name });
        self.people.insert(socket.clone(), name.to_owned());
        self.joined += 1;
        let mut people: Vec<_> = self.people.values().map(String::as_str).collect();
        people.sort_unstable();
        // Not the session's id, which is a secret.
        let welcome = Reply::Welcome {
            id: self.joined.to_string(),
            name,
            people,
        };
        let _ = socket.try_send(welcome.data());
        Ok(())
    }

    fn say(&self, socket: &Socket, text: &str) -> Result<(), &'static str> {
        let name = self.people.get(socket).ok_or("not joined")?;
        match text.chars().count() {
            0 => return Err("text empty"),
            n if n > MAX_TEXT => return Err("text too long"),
            _ => {}
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.tell_all(&Reply::Said {
            name,
            text,
            at: now.as_millis() as u64,
        });
        Ok(())
    }

    fn tell_all(&self, reply: &Reply<'_>) {
        let data = reply.data();
        for socket in self.people.keys() {
            // Who reads too slowly misses a line; the others do not wait.
            let _ = socket.try_send(data.clone());
        }
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    let options = Options::parse();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chat");
    let (page, modules) = (folder.join("page"), folder.join("node_modules"));
    if !modules.join("engine.io-client").is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "the page's package is missing: start by examples/chat/run",
        ));
    }

    let server = Server::builder()
        .hub(Lobby::default().start().recipient())
        .start();
    let listener = TcpListener::bind((&*options.host, options.port))?;
    let address = listener.local_addr()?;
    let engine = server.clone();
    let http = HttpServer::new(move || {
        App::new()
            .service(engineio::scope(&engine))
            .service(Files::new("/modules", &modules))
            .service(Files::new("/", &page).index_file("index.html"))
    })
    .on_connect(engineio::on_connect)
    .h1_allow_half_closed(false)
    .keep_alive(KeepAlive::Os)
    .client_disconnect_timeout(Duration::ZERO)
    .disable_signals()
    .workers(2)
    .listen(listener)?
    .run();
    let serving = engineio::run_until_signal(&server, http)?;
    println!("listening on http://{address}");
    std::io::stdout().flush()?;
    serving.await
}
