//! The echo server of the benchmark on engineioxide and hyper: text back as text, binary as binary; text
//! that begins with `b` goes to everybody.
//!
//! One thread, no tracing, engineioxide's defaults but for the largest payload (1 MB, as its peers here).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use engineioxide::config::EngineIoConfig;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::sid::Sid;
use engineioxide::{DisconnectReason, Socket, Str};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[derive(Debug, Default)]
struct Echo {
    sockets: Mutex<HashMap<Sid, Arc<Socket<()>>>>,
}

impl Echo {
    fn sockets(&self) -> std::sync::MutexGuard<'_, HashMap<Sid, Arc<Socket<()>>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, socket: Arc<Socket<()>>) {
        self.sockets().insert(socket.id, socket);
    }

    fn on_disconnect(&self, socket: Arc<Socket<()>>, _reason: DisconnectReason) {
        self.sockets().remove(&socket.id);
    }

    // A full buffer (128 packets by default) loses the echo; the loader then reports it.
    fn on_message(self: &Arc<Self>, msg: Str, socket: Arc<Socket<()>>) {
        if msg.starts_with('b') {
            for other in self.sockets().values() {
                let _ = other.emit(msg.clone());
            }
        } else {
            let _ = socket.emit(msg);
        }
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket<()>>) {
        let _ = socket.emit_binary(data);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let config = EngineIoConfig::builder().max_payload(1_000_000).build();
    let service = EngineIoService::with_config(Arc::new(Echo::default()), config);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        tokio::spawn(async move {
            // A client that leaves in the middle of a request is no news to a benchmark.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}
