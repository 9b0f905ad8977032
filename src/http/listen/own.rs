//! A listener for each thread: the system spreads connections among them, and each thread serves what it accepts.
//! Nothing passes between threads, and a connection knows its place among the others until it ends, even if a
//! WebSocket has taken it.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_rt::{Arbiter, time};
use actix_service::{Service, ServiceFactory, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::STOP_DEADLINE;
use super::served::Served;
use crate::actor::transport::{Acceptor, Stream};
use crate::http::short::Shortcut;

/// How long nothing is accepted after the system had no descriptor or memory for a connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long a TLS handshake may take.
#[cfg(feature = "rustls")]
const TLS_DEADLINE: Duration = Duration::from_secs(3);

/// How connections are taken.
#[derive(Clone)]
pub(super) struct Setting {
    /// How many connections each thread has at most.
    pub(super) max_connections: usize,
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<tokio_rustls::TlsAcceptor>,
}

/// Threads that serve.
pub(super) struct Threads {
    stops: Vec<oneshot::Sender<()>>,
    ends: mpsc::UnboundedReceiver<io::Result<()>>,
}

impl Threads {
    /// Starts as many threads as there are sets of listeners; the calling one is the first of them.
    pub(super) fn start<F, A>(sets: Vec<Vec<TcpListener>>, setting: &Setting, app: &F) -> io::Result<Threads>
    where
        F: Fn() -> (App<A>, Option<Shortcut>) + Clone + Send + 'static,
        A: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse,
                Error = actix_web::Error,
                InitError = (),
            > + 'static,
        <A::Service as Service<ServiceRequest>>::Future: Unpin,
    {
        let (tell, ends) = mpsc::unbounded_channel();
        let mut stops = Vec::new();
        for (index, listeners) in sets.into_iter().enumerate() {
            let (stop, stopped) = oneshot::channel();
            let (setting, app, tell) = (setting.clone(), app.clone(), tell.clone());
            let serve = move || async move {
                let _ = tell.send(serve(listeners, setting, app, stopped).await);
            };
            if index == 0 {
                actix_rt::spawn(serve());
            } else {
                Arbiter::try_new()?.spawn_fn(move || {
                    actix_rt::spawn(async move {
                        serve().await;
                        Arbiter::current().stop();
                    });
                });
            }
            stops.push(stop);
        }
        Ok(Threads { stops, ends })
    }

    /// What stops all of them, and what ends when they have: connections get [`STOP_DEADLINE`] to end.
    pub(super) fn split(mut self) -> (impl FnOnce(), impl Future<Output = io::Result<()>>) {
        let stops = self.stops;
        let running = stops.len();
        let ended = async move {
            for _ in 0..running {
                match self.ends.recv().await {
                    Some(result) => result?,
                    None => return Err(io::Error::other("a thread has ended")),
                }
            }
            Ok(())
        };
        let stop = || {
            for stop in stops {
                let _ = stop.send(());
            }
        };
        (stop, ended)
    }
}

/// Serves on this thread until it is stopped.
async fn serve<F, A>(
    listeners: Vec<TcpListener>,
    setting: Setting,
    app: F,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()>
where
    F: Fn() -> (App<A>, Option<Shortcut>),
    A: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    <A::Service as Service<ServiceRequest>>::Future: Unpin,
{
    let (app, shortcut) = app();
    let service = map_config(app, |()| AppConfig::default())
        .new_service(())
        .await
        .map_err(|()| io::Error::other("the App cannot be set up"))?;
    let served = Rc::new(Served::new(service, shortcut));
    // As many as can be asked for at once.
    let all = u32::try_from(setting.max_connections).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(all as usize));
    let mut accepting = Vec::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = Acceptor::new(listener)?;
        accepting.push(actix_rt::spawn(accept(
            listener,
            served.clone(),
            places.clone(),
            setting.clone(),
        )));
    }
    let _ = stopped.await;
    accepting.iter().for_each(|task| task.abort());
    served.stop();
    let _ = time::timeout(STOP_DEADLINE, places.acquire_many(all)).await;
    Ok(())
}

async fn accept<S>(listener: Acceptor, served: Rc<Served<S>>, places: Arc<Semaphore>, setting: Setting)
where
    S: Service<Request, Response = ServiceResponse, Error = actix_web::Error> + 'static,
    S::Future: Unpin,
{
    let mut starved = false;
    loop {
        match listener.accept().await {
            Ok((io, peer)) => {
                starved = false;
                let Ok(place) = places.clone().acquire_owned().await else {
                    return;
                };
                match Stream::accepted(io, place) {
                    Ok(stream) => connect(&served, stream, peer, &setting),
                    Err(error) => log::error!(target: "engineio::server", "{peer}: {error}"),
                }
            }
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut starved, true) {
                    log::error!(target: "engineio::server", "no connection can be accepted: {error}");
                }
                time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn connect<S>(served: &Rc<Served<S>>, stream: Stream, peer: SocketAddr, setting: &Setting)
where
    S: Service<Request, Response = ServiceResponse, Error = actix_web::Error> + 'static,
    S::Future: Unpin,
{
    let served = served.clone();
    #[cfg(feature = "rustls")]
    if let Some(tls) = setting.tls.clone() {
        actix_rt::spawn(async move {
            match time::timeout(TLS_DEADLINE, stream.secure(&tls)).await {
                Ok(Ok(stream)) => {
                    served.serve(stream, peer).await;
                }
                Ok(Err(error)) => log::debug!(target: "engineio::server", "{peer}: {error}"),
                Err(_) => log::debug!(target: "engineio::server", "{peer}: the TLS handshake takes too long"),
            }
        });
        return;
    }
    let _ = setting;
    drop(actix_rt::spawn(served.serve(stream, peer)));
}

/// The connection has ended before it was accepted.
fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// The same addresses for each thread. Linux spreads connections among sockets of one port; elsewhere the threads
/// share a socket.
pub(super) fn bind(listeners: Vec<TcpListener>, threads: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    let mut sets = Vec::new();
    for _ in 1..threads {
        sets.push(listeners.iter().map(bind_again).collect::<io::Result<_>>()?);
    }
    sets.push(listeners);
    Ok(sets)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn bind_again(listener: &TcpListener) -> io::Result<TcpListener> {
    use socket2::{Domain, SockRef, Socket, Type};
    let address = listener.local_addr()?;
    // Set on a socket that listens, it lets others in from now on.
    SockRef::from(listener).set_reuse_port(true)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(super::BACKLOG)?;
    Ok(socket.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bind_again(listener: &TcpListener) -> io::Result<TcpListener> {
    listener.try_clone()
}
