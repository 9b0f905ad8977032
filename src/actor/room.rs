//! Rooms: sockets that are sent to together, from any thread. A room knows who is in; what is sent through it takes
//! the way of all broadcasts.

mod members;
mod names;

pub(super) use names::{Joined, Names};

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::prelude::{Message, Recipient};

use self::members::{Members, OnEmpty};
use self::names::Name;
use super::fanout;
use super::handle::{Server, Socket};
use super::messages;

/// Sockets that are sent to together. A handle, cheap to clone and to be used from any thread; two are equal if they
/// stand for the same room.
///
/// A socket may be in any number of rooms, of any server. It leaves them all when its session ends, before its
/// close is told. A room lives as long as somebody holds it or is in it.
///
/// ```no_run
/// # fn example(server: &engineio::Server, socket: &engineio::Socket) {
/// let lobby = server.room("lobby"); // the same for all who ask by this name
/// lobby.join(socket);
/// lobby.broadcast("for all who are in");
/// lobby.broadcast_except([socket], "for the others");
/// lobby.leave(socket);
///
/// let table = engineio::Room::new(); // known to those who are given it
/// table.on_empty(|_| println!("the game is over"));
/// # }
/// ```
#[derive(Clone)]
pub struct Room(Arc<RoomShared>);

/// The last one has left this room: for an actor named by [`Room::notify_empty`]. Somebody may have come in again
/// meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct RoomEmpty(pub Room);

struct RoomShared {
    name: Option<Name>,
    members: Mutex<Members>,
}

impl Room {
    /// A room without a name: only who is given it finds it.
    pub fn new() -> Self {
        Room::named(None)
    }

    fn named(name: Option<Name>) -> Self {
        let members = Mutex::default();
        Room(Arc::new(RoomShared { name, members }))
    }

    /// The name by which [`Server::room`] finds it.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_ref().map(Name::as_str)
    }

    /// Lets a socket in: what is broadcast from here on goes to it as well. Returns whether it has come in by this;
    /// it has not if it was in already, or if its session has ended.
    pub fn join(&self, socket: &Socket) -> bool {
        let mut joined = socket.joined().lock();
        // Under the lock: whoever ends the session looks at its rooms afterwards.
        if !socket.is_alive() || !self.lock().insert(socket) {
            return false;
        }
        joined.get_or_insert_default().insert(self.clone())
    }

    /// Takes a socket out: what is broadcast from here on does not go to it. Returns whether it was in.
    pub fn leave(&self, socket: &Socket) -> bool {
        let mut joined = socket.joined().lock();
        if let Some(rooms) = joined.as_mut() {
            rooms.remove(self);
            if rooms.is_empty() {
                *joined = None;
            }
        }
        let (was_in, notice) = self.take_out(socket);
        drop(joined);
        if let Some(notice) = notice {
            notice(self);
        }
        was_in
    }

    /// Takes a socket out. Returns whether it was in, and whom to tell if it was the last one.
    fn take_out(&self, socket: &Socket) -> (bool, Option<Arc<OnEmpty>>) {
        let mut members = self.lock();
        let was_in = members.remove(socket);
        let is_last = was_in && members.len() == 0;
        let notice = members.on_empty.as_ref().filter(|_| is_last).cloned();
        (was_in, notice)
    }

    /// Sends a message to all who are in. Who has no room in his write buffer does not get it, as with
    /// [`Server::broadcast`].
    ///
    /// It is encoded once for each kind of connection and posted once to each thread, and keeps its place among all
    /// that one thread sends. What is broadcast in one room arrives in the same order at all who are in.
    pub fn broadcast(&self, message: impl Into<messages::Send>) {
        self.broadcast_except([], message);
    }

    /// Sends a message to all who are in but these; like [`broadcast`](Self::broadcast) else.
    pub fn broadcast_except<'a>(
        &self,
        except: impl IntoIterator<Item = &'a Socket>,
        message: impl Into<messages::Send>,
    ) {
        let except: Vec<_> = except.into_iter().map(Socket::seat).collect();
        let message = message.into();
        // Posted under the lock, for the order.
        let members = self.lock();
        fanout::post(message, members.seats(), &except);
    }

    /// Who is in, in no order.
    pub fn members(&self) -> Vec<Socket> {
        self.lock().sockets()
    }

    /// Whether a socket is in.
    pub fn contains(&self, socket: &Socket) -> bool {
        self.lock().contains(socket)
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nobody is in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls this whenever the last one has left, on the thread on which that happens; somebody may have come in
    /// again meanwhile. It takes the place of what was set before. To tell an actor:
    /// [`notify_empty`](Self::notify_empty).
    ///
    /// It is given the room, and should hold no handle to it: that would keep the room for ever.
    ///
    /// A panic in it reaches whoever calls [`leave`](Self::leave). When a session's end empties the room it is
    /// logged, and nothing else is harmed.
    pub fn on_empty(&self, call: impl Fn(&Room) + Send + Sync + 'static) {
        let before = self.lock().on_empty.replace(Arc::new(call));
        // What it holds is dropped when nothing is locked.
        drop(before);
    }

    /// Sends a [`RoomEmpty`] to this actor whenever the last one has left; it takes the place of what was set before,
    /// by [`on_empty`](Self::on_empty) as well. The room does not keep the actor alive: once that has ended, nobody is
    /// told.
    ///
    /// ```
    /// use actix::prelude::*;
    /// use engineio::{Room, RoomEmpty};
    ///
    /// struct Lobby;
    ///
    /// impl Actor for Lobby {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<RoomEmpty> for Lobby {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, RoomEmpty(room): RoomEmpty, _: &mut Self::Context) {
    ///         if room.is_empty() {
    ///             println!("nobody is left in {room:?}");
    ///         }
    ///     }
    /// }
    ///
    /// # #[actix_web::main] async fn main() {
    /// let lobby = Lobby.start();
    /// Room::new().notify_empty(lobby.recipient());
    /// # }
    /// ```
    pub fn notify_empty(&self, recipient: Recipient<RoomEmpty>) {
        let recipient = recipient.downgrade();
        self.on_empty(move |room| {
            if let Some(recipient) = recipient.upgrade() {
                recipient.do_send(RoomEmpty(room.clone()));
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Socket {
    /// The rooms that it is in, in no order; once its session has ended, those that it was in then: they are kept as
    /// long as a handle to it is.
    pub fn rooms(&self) -> Vec<Room> {
        let joined = self.joined().lock();
        joined.iter().flat_map(|rooms| rooms.iter().cloned()).collect()
    }

    /// Takes it out of all rooms, when its state says already that it has ended.
    pub(super) fn leave_rooms(&self) {
        for room in self.rooms() {
            let (_, notice) = room.take_out(self);
            let Some(notice) = notice else { continue };
            if catch_unwind(AssertUnwindSafe(|| notice(&room))).is_err() {
                log::error!(target: "engineio::socket", "{:?}: what a room calls when it is empty panicked", self.id());
            }
        }
    }
}

impl Server {
    /// The room of this name: the same one for all who ask this server, as long as somebody holds it or is in it.
    /// A name from a client should be bounded first.
    pub fn room(&self, name: &str) -> Room {
        self.names().room(name)
    }

    /// The rooms that have names, and somebody in them, at this moment, in no order.
    pub fn rooms(&self) -> Vec<Room> {
        let mut rooms = self.names().rooms();
        rooms.retain(|room| !room.is_empty());
        rooms
    }
}

impl Default for Room {
    fn default() -> Self {
        Room::new()
    }
}

impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Room {}

impl Hash for Room {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room")
            .field("name", &self.name())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
