//! Setting up a server: options, who handles its sessions, closures for events, ids.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use actix::dev::ToEnvelope;
use actix::prelude::*;

use super::event::Event;
use super::handle::{Server, ServerShared, Socket};
use super::handler::{Application, Factory, Handling, SocketHandler};
use super::handshake::Handshake;
use super::hooks::Hooks;
use super::limits::Places;
use super::registry::Registry;
use super::server::ServerActor;
use crate::proto::{Close, Events, Packet, Transport};
use crate::{Config, Data};

/// The application made no id for a session; the text says why, for the log. The handshake is refused with
/// code 3 (Bad request), as in engine.io.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no id was generated: {0}")]
pub struct IdError(pub String);

type IdFuture = Pin<Box<dyn Future<Output = Result<String, IdError>>>>;
pub(crate) type IdGenerator = Box<dyn Fn(&Handshake) -> IdFuture + std::marker::Send + Sync>;

/// Sets up a [`Server`]; [`start`](ServerBuilder::start) starts it.
///
/// Sessions are handled by one of: [`behavior`](Self::behavior) (fastest), [`actor`](Self::actor) (an actor
/// of its own for each), [`recipient`](Self::recipient) (an actor chosen for each), [`hub`](Self::hub) (one actor for
/// all); of several the last counts. The `on_*` closures are called besides, for every session, and hear of each event
/// first (but the factory of a behaviour or an actor is called before [`on_connection`](Self::on_connection)). [`guide::handlers`](crate::guide::handlers) compares
/// them.
#[derive(Default)]
pub struct ServerBuilder {
    config: Config,
    factory: Option<Box<Factory>>,
    hooks: Hooks,
    generate_id: Option<IdGenerator>,
}

impl ServerBuilder {
    /// The options. Default: [`Config::default`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Each session is handled by an own behaviour inside its socket's actor. `factory` is called with the
    /// new socket before any packet is handled, on the session's own thread; if it panics the handshake is
    /// answered with 500.
    pub fn behavior<H, F>(mut self, factory: F) -> Self
    where
        H: SocketHandler,
        F: Fn(&Socket, &Handshake) -> H + std::marker::Send + Sync + 'static,
    {
        self.factory = Some(Box::new(move |socket, handshake| {
            let handler = factory(socket, handshake);
            let events = handler.interest();
            Handling::Own(Box::new(handler), events)
        }));
        self
    }

    /// Each session is handled by an actor of its own, which is started on the session's own thread and told
    /// [`Event`]s ([`Events::DEFAULT`]; see [`actor_with`](Self::actor_with)). It should stop when it is told
    /// `Event::Close`; if it ends earlier, by panic say, the session ends with
    /// [`CloseReason::Panicked`](crate::CloseReason::Panicked) at the next event or heartbeat.
    pub fn actor<A, F>(self, factory: F) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Event>,
        F: Fn(&Socket, &Handshake) -> A + std::marker::Send + Sync + 'static,
    {
        self.actor_with(Events::DEFAULT, factory)
    }

    /// Like [`actor`](Self::actor), with the events that it wants to be told.
    pub fn actor_with<A, F>(mut self, events: Events, factory: F) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Event>,
        A::Context: ToEnvelope<A, Event>,
        F: Fn(&Socket, &Handshake) -> A + std::marker::Send + Sync + 'static,
    {
        self.factory = Some(Box::new(move |socket, handshake| {
            Handling::Actor(factory(socket, handshake).start().recipient(), events)
        }));
        self
    }

    /// Each session is handled by an actor that lives already and is chosen when the session begins: one of several
    /// hubs by what the handshake says, or one from a pool. It is told [`Event`]s ([`Events::DEFAULT`]; see
    /// [`recipient_with`](Self::recipient_with)); if it is gone, it is as with [`hub`](Self::hub). If `choose` panics
    /// the handshake is answered with 500.
    ///
    /// ```
    /// use actix::prelude::*;
    /// use engineio::{Event, Handshake, Server, Socket};
    ///
    /// struct Arena;
    ///
    /// impl Actor for Arena {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Event> for Arena {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, _: Event, _: &mut Self::Context) {}
    /// }
    ///
    /// # #[actix_web::main] async fn main() {
    /// let (small, large) = (Arena.start().recipient(), Arena.start().recipient());
    /// let server = Server::builder()
    ///     .recipient(move |_: &Socket, handshake: &Handshake| match handshake.query("arena").as_deref() {
    ///         Some("large") => large.clone(),
    ///         _ => small.clone(),
    ///     })
    ///     .start();
    /// # }
    /// ```
    pub fn recipient<F>(self, choose: F) -> Self
    where
        F: Fn(&Socket, &Handshake) -> Recipient<Event> + std::marker::Send + Sync + 'static,
    {
        self.recipient_with(Events::DEFAULT, choose)
    }

    /// Like [`recipient`](Self::recipient), with the events that it wants to be told.
    pub fn recipient_with<F>(mut self, events: Events, choose: F) -> Self
    where
        F: Fn(&Socket, &Handshake) -> Recipient<Event> + std::marker::Send + Sync + 'static,
    {
        self.factory = Some(Box::new(move |socket, handshake| {
            Handling::Actor(choose(socket, handshake), events)
        }));
        self
    }

    /// All sessions are handled by one actor, which is told [`Event`]s ([`Events::DEFAULT`]; see
    /// [`hub_with`](Self::hub_with)). If it is gone, sessions end with
    /// [`CloseReason::Panicked`](crate::CloseReason::Panicked) at their next event or heartbeat: a panic of a
    /// hub is one of all its sessions, so let it not panic.
    pub fn hub(self, recipient: Recipient<Event>) -> Self {
        self.hub_with(Events::DEFAULT, recipient)
    }

    /// Like [`hub`](Self::hub), with the events that it wants to be told.
    pub fn hub_with(self, events: Events, recipient: Recipient<Event>) -> Self {
        self.recipient_with(events, move |_, _| recipient.clone())
    }

    /// Called with each new session, before any packet is handled.
    pub fn on_connection(
        mut self,
        hook: impl Fn(&Socket, &Handshake) + std::marker::Send + Sync + 'static,
    ) -> Self {
        self.hooks.connection = Some(Box::new(hook));
        self
    }

    /// Called with each message that comes in.
    pub fn on_message(mut self, hook: impl Fn(&Socket, Data) + std::marker::Send + Sync + 'static) -> Self {
        self.hooks.message = Some(Box::new(hook));
        self
    }

    /// Called when a session has ended.
    pub fn on_close(mut self, hook: impl Fn(&Socket, Close) + std::marker::Send + Sync + 'static) -> Self {
        self.hooks.close = Some(Box::new(hook));
        self
    }

    /// Called when a session is about to end because a rule was broken.
    pub fn on_error(mut self, hook: impl Fn(&Socket, Close) + std::marker::Send + Sync + 'static) -> Self {
        self.hooks.error = Some(Box::new(hook));
        self
    }

    /// Called when a write buffer is handed to its transport.
    pub fn on_flush(
        mut self,
        hook: impl Fn(&Socket, &[Packet]) + std::marker::Send + Sync + 'static,
    ) -> Self {
        self.hooks.flush = Some(Box::new(hook));
        self
    }

    /// Called when a write buffer is empty.
    pub fn on_drain(mut self, hook: impl Fn(&Socket) + std::marker::Send + Sync + 'static) -> Self {
        self.hooks.drain = Some(Box::new(hook));
        self
    }

    /// Called with each packet that comes in.
    pub fn on_packet(mut self, hook: impl Fn(&Socket, &Packet) + std::marker::Send + Sync + 'static) -> Self {
        self.hooks.packet = Some(Box::new(hook));
        self
    }

    /// Called with each packet that is put in a write buffer.
    pub fn on_packet_create(
        mut self,
        hook: impl Fn(&Socket, &Packet) + std::marker::Send + Sync + 'static,
    ) -> Self {
        self.hooks.packet_create = Some(Box::new(hook));
        self
    }

    /// Called when a heartbeat went to and fro.
    pub fn on_heartbeat(mut self, hook: impl Fn(&Socket) + std::marker::Send + Sync + 'static) -> Self {
        self.hooks.heartbeat = Some(Box::new(hook));
        self
    }

    /// Called when a client probes a transport.
    pub fn on_upgrading(
        mut self,
        hook: impl Fn(&Socket, Transport) + std::marker::Send + Sync + 'static,
    ) -> Self {
        self.hooks.upgrading = Some(Box::new(hook));
        self
    }

    /// Called when a client has moved to another transport.
    pub fn on_upgrade(
        mut self,
        hook: impl Fn(&Socket, Transport) + std::marker::Send + Sync + 'static,
    ) -> Self {
        self.hooks.upgrade = Some(Box::new(hook));
        self
    }

    /// Makes the ids of the sessions; without it they are 24 base64url characters of randomness. Whoever
    /// knows an id can take the session over, so do not let it be guessed: put what you want to see in it before or
    /// behind [`Sid::generate`](crate::Sid::generate). At most 64 bytes of `[A-Za-z0-9_.~-]`; anything else, or an id
    /// that is taken, is refused with 500 and an error in the log.
    pub fn generate_id<F, R>(mut self, generate: F) -> Self
    where
        F: Fn(&Handshake) -> R + std::marker::Send + Sync + 'static,
        R: Future<Output = Result<String, IdError>> + 'static,
    {
        self.generate_id = Some(Box::new(move |handshake| Box::pin(generate(handshake))));
        self
    }

    /// Starts the server's process on this thread.
    ///
    /// # Panics
    /// Outside an actix `System`: start it under `#[actix_web::main]`.
    pub fn start(self) -> Server {
        assert!(
            actix::System::is_registered(),
            "engineio::Server::start() needs an actix System: call it inside #[actix_web::main]"
        );
        let context = Context::<ServerActor>::new();
        let config = self.config.settled();
        let hooks = (!self.hooks.is_empty()).then_some(self.hooks);
        let server = Server::new(Arc::new(ServerShared {
            addr: context.address(),
            registry: Registry::default(),
            places: Arc::new(Places::new(config.limits.clone())),
            config: Arc::new(config),
            counters: Arc::default(),
            branches: Arc::default(),
            names: Arc::default(),
            closing: AtomicBool::new(false),
            application: Application {
                factory: self.factory,
                hooks,
            },
            generate_id: self.generate_id,
            living: AtomicUsize::new(0),
            clients: AtomicUsize::new(0),
        }));
        context.run(ServerActor::new(server.clone()));
        server
    }
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
