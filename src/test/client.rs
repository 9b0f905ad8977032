//! A client as its test sees it: what it does, and what is expected of the server.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use actix_rt::time::timeout;

use super::peer::{Peer, State, Task};
use super::websocket::WebSocket;
use crate::Data;
use crate::actor::{Opened, Socket};
use crate::proto::{Close, CloseReason, Packet, PacketType, Refusal, Revision};

/// How much longer than the server's own patience a test waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connected client. It keeps the heartbeat and reads by itself, whatever the test does meanwhile. Dropped, its
/// connection is lost.
#[derive(Debug)]
pub struct Client {
    peer: Rc<Peer>,
    tasks: RefCell<Tasks>,
}

#[derive(Debug)]
struct Tasks {
    poll: Option<Task>,
    /// Pushes, or carries all by a WebSocket.
    carry: Task,
    /// Held, to end with its client.
    _heartbeat: Option<Task>,
}

/// The server did not want the WebSocket that its session should move to. The session goes on by polling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server has closed the WebSocket of the upgrade")]
pub struct UpgradeFailed;

impl Client {
    pub(super) async fn new(opened: Opened) -> Result<Self, Refusal> {
        let (peer, poll, carry) = match opened {
            Opened::Polling(poll) => {
                let peer = Peer::new(poll.socket().clone());
                peer.handle_payload(poll.await?.body);
                let poll = Task::spawn(peer.clone().poll());
                let push = Task::spawn(peer.clone().push());
                (peer, Some(poll), push)
            }
            Opened::WebSocket(link) => {
                let peer = Peer::new(link.socket().clone());
                let websocket = WebSocket::direct(peer.clone(), link);
                (peer, None, Task::spawn(websocket.run()))
            }
            // Only for those who would hand a connection over.
            Opened::Awaiting(_) => return Err(Refusal::Internal),
        };
        let is_websocket = poll.is_none();
        let sends_pings = peer.socket.protocol() == Revision::V3;
        let tasks = Tasks {
            poll,
            carry,
            _heartbeat: sends_pings.then(|| Task::spawn(peer.clone().ping())),
        };
        // One that polls is not connected before it does.
        let begun = |state: &mut State| state.over || state.opened && (is_websocket || state.polling);
        peer.until(|state| begun(state).then_some(())).await;
        Ok(Client {
            peer,
            tasks: RefCell::new(tasks),
        })
    }

    /// The session at the server.
    pub fn socket(&self) -> &Socket {
        &self.peer.socket
    }

    /// Sends a message. It leaves as soon as the client's transport is free.
    pub fn send(&self, data: impl Into<Data>) {
        let packet = Packet::message(data);
        self.peer.update(|state| state.outgoing.push(packet));
    }

    /// Moves from polling to WebSocket: the probe, the end of the requests under way, the swap. Messages may be sent
    /// meanwhile, from both sides.
    ///
    /// # Errors
    /// [`UpgradeFailed`] if the server does not take the WebSocket: it allows no upgrades, the session is on a
    /// WebSocket already, or it has ended.
    pub async fn upgrade(&self) -> Result<(), UpgradeFailed> {
        let websocket = WebSocket::upgrade(self.peer.clone()).await.ok_or(UpgradeFailed)?;
        let mut tasks = self.tasks.borrow_mut();
        tasks.poll = None;
        tasks.carry = Task::spawn(websocket.run());
        Ok(())
    }

    /// Stalls: reads nothing from here on, so that no ping is answered, and in revision 3 sends none. What it is told
    /// to send still leaves.
    pub fn stall(&self) {
        self.peer.update(|state| state.stalled = true);
    }

    /// Reads again, what came meanwhile first.
    pub fn resume(&self) {
        self.peer.update(|state| state.stalled = false);
    }

    /// Loses the connection of the poll that waits, and polls no more. By the rules of the protocol that ends the
    /// session.
    ///
    /// # Panics
    /// If the client does not poll.
    #[track_caller]
    pub fn drop_poll(&self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let polls = self.peer.until(|state| state.polling.then_some(()));
            if timeout(self.patience(), polls).await.is_err() {
                self.fail(at, "a poll to drop", "none was under way");
            }
            self.tasks.borrow_mut().poll = None;
            self.peer.update(|state| state.over = true);
        }
    }

    /// Ends the session behind all that was sent, as clients do: by a close packet, or by closing the WebSocket.
    pub fn close(&self) {
        let close = Packet::new(PacketType::Close);
        self.peer.update(|state| state.outgoing.push(close));
    }

    /// Waits for a message, which must be the next one.
    ///
    /// # Panics
    /// If it is another, or none comes.
    #[track_caller]
    pub fn expect(&self, data: impl Into<Data>) -> impl Future<Output = ()> {
        let (at, wanted) = (Location::caller(), data.into());
        async move {
            let came = self.next(at, &show(&wanted)).await;
            if came != wanted {
                self.fail(at, &show(&wanted), &format!("{} came", show(&came)));
            }
        }
    }

    /// Waits for the next message, whatever it is.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn receive(&self) -> impl Future<Output = Data> {
        self.next(Location::caller(), "a message")
    }

    /// Lets so much time pass, in which no message may come, though one could: the session goes on meanwhile.
    ///
    /// # Panics
    /// If one does, or has come before, and if the session is over by then.
    #[track_caller]
    pub fn expect_nothing(&self, time: Duration) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let message = self.peer.until(|state| state.inbox.pop_front());
            if let Ok(came) = timeout(time, message).await {
                self.fail(at, "nothing", &format!("{} came", show(&came)));
            }
            if self.peer.look(|state| state.over) || self.socket().end().borrow().is_some() {
                self.fail(at, "nothing of a session that goes on", "it is over");
            }
        }
    }

    /// Waits until the server has ended the session, for this reason, and told its application. Messages that came
    /// before may still be expected. Tells all that is known of the end.
    ///
    /// # Panics
    /// If it ends for another reason, or not.
    #[track_caller]
    pub fn expect_close(&self, reason: CloseReason) -> impl Future<Output = Close> {
        let at = Location::caller();
        async move {
            let wanted = format!("the end by {reason}");
            let mut end = self.socket().end().subscribe();
            let ended = timeout(self.patience(), end.wait_for(Option::is_some)).await;
            match ended.ok().and_then(|end| end.ok()?.clone()) {
                Some(close) if close.reason == reason => {
                    super::settle().await;
                    close
                }
                Some(_) => self.fail(at, &wanted, "it was another"),
                None => self.fail(at, &wanted, &format!("it did not come in {:?}", self.patience())),
            }
        }
    }

    async fn next(&self, at: &Location<'_>, wanted: &str) -> Data {
        let next = self.peer.until(|state| match state.inbox.pop_front() {
            None if state.over => Some(None),
            None => None,
            came => Some(came),
        });
        match timeout(self.patience(), next).await {
            Ok(Some(data)) => data,
            Ok(None) => self.fail(at, wanted, "nothing more can come"),
            Err(_) => self.fail(at, wanted, &format!("nothing came in {:?}", self.patience())),
        }
    }

    /// How long something may take.
    fn patience(&self) -> Duration {
        let server = self.socket().server();
        let config = server.config();
        config
            .ping_interval
            .saturating_add(config.ping_timeout)
            .saturating_add(PATIENCE)
    }

    fn fail(&self, at: &Location<'_>, wanted: &str, came: &str) -> ! {
        let mut state = match &*self.socket().end().borrow() {
            Some(close) => format!("the session has ended: {close}"),
            None => format!("the session is on {}", self.socket().transport()),
        };
        self.peer.look(|peer| {
            if peer.stalled {
                state += ", its client stalled";
            }
            for data in &peer.inbox {
                let _ = write!(state, ", then {}", show(data));
            }
        });
        panic!("{at}: expected {wanted}, but {came} ({state})");
    }
}

/// Its content, in full: a test has no secrets.
fn show(data: &Data) -> String {
    match data {
        Data::Text(text) => format!("{text:?}"),
        Data::Binary(bytes) => format!("{bytes:?}"),
    }
}
