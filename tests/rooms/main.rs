//! Rooms: who is in, who is sent what and in which order, what the end of a session does to them, and messages as
//! JSON.

mod json;
#[path = "../life/mod.rs"]
mod support;

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::ThreadId;

use actix::{Actor, Arbiter, Context, Handler, System};
use engineio::{CloseReason, Room, RoomEmpty, Server, ServerBuilder, Socket};
use support::*;

/// A server on two threads, and its new sockets with the threads that they are on.
struct Hall {
    running: Running,
    entered: Receiver<(Socket, ThreadId)>,
}

/// A client by WebSocket, and its socket.
struct Guest {
    client: WebSocket,
    socket: Socket,
    thread: ThreadId,
}

impl Hall {
    fn open() -> Self {
        Hall::of(Server::builder)
    }

    /// With an application.
    fn of(build: impl FnOnce() -> ServerBuilder + Send + 'static) -> Self {
        let (tell, entered) = channel();
        let build = move || {
            build()
                .config(patient())
                .on_connection(move |socket, handshake| {
                    if handshake.query("guest").is_none() {
                        let _ = tell.send((socket.clone(), std::thread::current().id()));
                    }
                })
                .start()
        };
        let running = start(2, build);
        Hall { running, entered }
    }

    fn guest(&self) -> Guest {
        let client = WebSocket::open(self.running.address);
        let (socket, thread) = self.entered.recv_timeout(PATIENCE).expect("a connection");
        Guest {
            client,
            socket,
            thread,
        }
    }

    /// So many, on both threads.
    fn guests(&self, count: usize) -> Vec<Guest> {
        let guests: Vec<_> = (0..count).map(|_| self.guest()).collect();
        let threads: HashSet<_> = guests.iter().map(|guest| guest.thread).collect();
        assert_eq!(threads.len(), 2);
        guests
    }

    fn server(&self) -> &Server {
        &self.running.server
    }
}

impl Guest {
    /// Fails unless these messages come next.
    #[track_caller]
    fn expect<S: AsRef<str>>(&mut self, messages: impl IntoIterator<Item = S>) {
        for message in messages {
            assert_eq!(self.client.text(), format!("4{}", message.as_ref()));
        }
    }
}

/// Passes on what it is told.
struct Janitor(Sender<Room>);

impl Actor for Janitor {
    type Context = Context<Self>;
}

impl Handler<RoomEmpty> for Janitor {
    type Result = ();

    fn handle(&mut self, RoomEmpty(room): RoomEmpty, _: &mut Self::Context) {
        let _ = self.0.send(room);
    }
}

fn admit(room: &Room, guests: &[Guest]) {
    for guest in guests {
        assert!(room.join(&guest.socket));
    }
}

/// Fails unless these are in, and nobody else.
fn assert_members(room: &Room, guests: &[Guest]) {
    let members = room.members();
    assert_eq!((members.len(), room.len()), (guests.len(), guests.len()));
    for guest in guests {
        assert!(members.contains(&guest.socket) && room.contains(&guest.socket));
    }
}

#[test]
fn who_is_in_is_sent_to() {
    let hall = Hall::open();
    let mut guests = hall.guests(6);
    let room = Room::new();
    assert!(room.is_empty() && room.name().is_none());
    for guest in &guests[..4] {
        assert!(room.join(&guest.socket));
        assert!(!room.join(&guest.socket), "it is in already");
    }
    assert_members(&room, &guests[..4]);

    room.broadcast("all");
    room.broadcast_except([&guests[0].socket, &guests[5].socket], "some");
    assert!(room.leave(&guests[1].socket));
    assert!(!room.leave(&guests[1].socket), "it is out already");
    assert!(!room.leave(&guests[5].socket), "it was never in");
    assert!(!room.contains(&guests[1].socket) && room.contains(&guests[0].socket));
    room.broadcast("those left");
    hall.server().broadcast("end");

    let seen: [&[&str]; 6] = [
        &["all", "those left", "end"],
        &["all", "some", "end"],
        &["all", "some", "those left", "end"],
        &["all", "some", "those left", "end"],
        &["end"],
        &["end"],
    ];
    for (guest, seen) in guests.iter_mut().zip(seen) {
        guest.expect(seen);
    }
}

/// Whatever the transport, and across the upgrade.
#[test]
fn a_member_may_poll_and_swap() {
    let hall = Hall::open();
    let mut client = Polling::open(hall.running.address);
    let (socket, _) = hall.entered.recv_timeout(PATIENCE).expect("a connection");
    let room = hall.server().room("lobby");
    room.join(&socket);
    room.broadcast("by polling");
    assert_eq!(client.poll().text(), "4by polling");
    let mut websocket = WebSocket::upgrade(&mut client);
    room.broadcast("by websocket");
    assert_eq!(websocket.text(), "4by websocket");
    assert_eq!(socket.rooms(), [room]);
}

#[test]
fn rooms_are_found_by_name() {
    let hall = Hall::open();
    let guest = hall.guest();
    let (server, socket) = (hall.server(), &guest.socket);
    let room = server.room("a");
    assert_eq!(room.name(), Some("a"));
    assert_eq!(room, server.room("a"));
    assert_ne!(room, server.room("b"));
    assert_eq!(server.rooms(), [], "nobody is in");

    // It lives by those who are in.
    room.join(socket);
    drop(room);
    assert_eq!(server.rooms(), [server.room("a")]);
    assert!(server.room("a").contains(socket));

    // And by those who hold it.
    let room = server.room("a");
    server.room("a").leave(socket);
    assert_eq!(server.rooms(), []);
    assert_eq!(room, server.room("a"));
    assert_eq!(socket.rooms(), []);
}

type End = fn(&mut Guest);

/// However a session ends, it leaves all its rooms first, and its last handler can still tell the others.
#[test]
fn a_session_that_ends_leaves() {
    quiet_panics();
    let (tell, told) = channel();
    let hall = Hall::of(move || {
        Server::builder()
            .on_message(|_, _| panic!("on purpose"))
            .on_close(move |socket, close| {
                let server = socket.server();
                assert!(!server.room("lobby").join(socket), "it has ended");
                for room in socket.rooms() {
                    assert!(!room.contains(socket));
                    room.broadcast(close.reason.as_str());
                }
                let _ = tell.send(());
            })
    });
    let (lobby, other) = (hall.server().room("lobby"), Room::new());
    let mut witness = hall.guest();
    lobby.join(&witness.socket);
    let ways: [(CloseReason, End); 5] = [
        (CloseReason::TransportClose, |guest| guest.client.send("1")),
        (CloseReason::TransportClose, |guest| {
            let _ = guest.client.http.stream.shutdown(std::net::Shutdown::Both);
        }),
        (CloseReason::ForcedClose, |guest| guest.socket.close()),
        (CloseReason::ForcedClose, |guest| guest.socket.discard()),
        (CloseReason::Panicked, |guest| guest.client.send("4panic")),
    ];
    for (reason, end) in ways {
        let mut guest = hall.guest();
        assert!(lobby.join(&guest.socket) && other.join(&guest.socket));
        end(&mut guest);
        told.recv_timeout(PATIENCE).expect("an end");
        witness.expect([reason.as_str()]);
        assert_eq!((lobby.len(), other.len()), (1, 0), "{reason}");
        assert!(!lobby.join(&guest.socket), "it has ended");
        assert_eq!(guest.socket.rooms().len(), 2, "those it was in");
    }
}

#[test]
fn the_last_one_to_leave_is_noticed() {
    quiet_panics();
    let hall = Hall::open();
    let guests = hall.guests(4);
    let (tell, emptied) = channel();
    let notice = move |room: &Room| {
        assert!(room.is_empty());
        let _ = tell.send(room.clone());
    };
    let room = Room::new();
    room.on_empty(|_| unreachable!("another one is set"));
    room.on_empty(notice.clone());
    let noticed = || emptied.try_iter().collect::<Vec<_>>();

    admit(&room, &guests);
    for guest in &guests[1..] {
        assert!(room.leave(&guest.socket));
    }
    assert_eq!(noticed(), []);
    room.leave(&guests[0].socket);
    room.leave(&guests[0].socket);
    assert_eq!(noticed(), std::slice::from_ref(&room), "once");

    // By the ends of sessions: what panics there harms nobody.
    let harmful = Room::new();
    harmful.on_empty(|_| panic!("on purpose"));
    for guest in &guests[..2] {
        room.join(&guest.socket);
    }
    harmful.join(&guests[0].socket);
    for guest in &guests[..2] {
        guest.socket.discard();
    }
    let last = emptied.recv_timeout(PATIENCE).expect("a notice");
    assert_eq!(last, room);
    until("the ends", || hall.server().clients_count() == 2);
    assert!(harmful.is_empty());
    assert_eq!(noticed(), [], "once");
}

#[test]
fn an_actor_is_told_that_a_room_is_empty_and_is_not_kept_alive() {
    let _system = System::new(); // for the arbiter
    let hall = Hall::open();
    let guest = hall.guest();
    let (room, (tell, told)) = (Room::new(), channel());
    let thread = Arbiter::new();
    let janitor = Janitor::start_in_arbiter(&thread.handle(), |_| Janitor(tell));
    room.on_empty(|_| unreachable!("another one is set"));
    room.notify_empty(janitor.clone().recipient());
    for _ in 0..2 {
        room.join(&guest.socket);
        room.leave(&guest.socket);
        assert_eq!(told.recv_timeout(PATIENCE).as_ref(), Ok(&room));
    }
    // With its last address the actor ends, and with it its sender.
    drop(janitor);
    assert_eq!(told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    room.join(&guest.socket);
    room.leave(&guest.socket);
    thread.stop();
}

/// What one thread sends in all ways arrives in its order, and joins and leaves have their place in it.
#[test]
fn all_ways_to_send_keep_one_order() {
    // Whoever asks for the address changes the way of what is sent otherwise.
    for by_address in [false, true] {
        assert_one_order(by_address);
    }
}

fn assert_one_order(by_address: bool) {
    let hall = Hall::open();
    let mut guests = hall.guests(2);
    let (room, server) = (Room::new(), hall.server());
    let mut expected = Vec::new();
    let socket = guests[0].socket.clone();
    let other = guests[1].socket.clone();
    room.join(&other);
    for round in 0..200 {
        let mut sent = |what: &str| {
            expected.push(format!("{what} {round}"));
            format!("{what} {round}")
        };
        room.broadcast(format!("not in {round}"));
        room.join(&socket);
        room.broadcast(sent("joined"));
        socket.try_send(sent("direct")).expect("room");
        socket
            .try_send_all([sent("several"), sent("of them")])
            .expect("room");
        room.broadcast_except([&other], sent("except"));
        server.broadcast(sent("everybody"));
        room.broadcast_except([&socket], format!("not for it {round}"));
        room.broadcast(sent("once more"));
        socket.try_send_all([sent("several again")]).expect("room");
        socket.try_send(sent("direct again")).expect("room");
        if by_address {
            socket.addr().do_send(engineio::Send::text(sent("mailbox")));
            socket.try_send(sent("behind it")).expect("room");
        }
        room.leave(&socket);
        room.broadcast(format!("left {round}"));
    }
    guests[0].expect(expected);
}

/// The same from inside: a handler joins its own socket, and answers.
#[test]
fn a_handler_keeps_its_order() {
    let hall = Hall::of(|| {
        Server::builder().on_message(|socket, data| {
            let room = socket.server().room("lobby");
            let _ = socket.try_send("before");
            room.broadcast("not in");
            room.join(socket);
            room.broadcast(data);
            let _ = socket.try_send("direct");
            room.leave(socket);
            room.broadcast("left");
            let _ = socket.try_send("after");
        })
    });
    let mut guest = hall.guest();
    for text in ["one", "two"] {
        guest.client.send(&format!("4{text}"));
        guest.expect(["before", text, "direct", "after"]);
    }
}

/// What many threads send to one room arrives at all who are in, in one order.
#[test]
fn all_members_see_one_order() {
    const EACH: usize = 2_000;
    let hall = Hall::open();
    let guests = hall.guests(6);
    let room = hall.server().room("lobby");
    admit(&room, &guests);
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let room = &room;
            scope.spawn(move || (0..EACH).for_each(|number| room.broadcast(format!("{sender}:{number}"))));
        }
    });
    let seen: HashSet<Vec<String>> = guests
        .into_iter()
        .map(|mut guest| (0..4 * EACH).map(|_| guest.client.text()).collect())
        .collect();
    assert_eq!(seen.len(), 1);
}

#[test]
fn a_socket_may_be_in_many_rooms() {
    const ROOMS: usize = 2_000;
    let hall = Hall::open();
    let mut guests = hall.guests(2);
    let names = || (0..ROOMS).map(|number| format!("room {number}"));
    for name in names() {
        let room = hall.server().room(&name);
        admit(&room, &guests);
        room.broadcast(name);
    }
    guests.iter_mut().for_each(|guest| guest.expect(names()));
    assert_eq!(guests[0].socket.rooms().len(), ROOMS);
    assert_eq!(hall.server().rooms().len(), ROOMS);
    drop(guests);
    until("the rooms are empty", || hall.server().rooms().is_empty());
}

/// Threads that join and leave the same sockets at once, while others send and sessions end.
#[test]
fn what_happens_at_once_harms_nobody() {
    const ROUNDS: usize = 300;
    let hall = Hall::open();
    let mut guests = hall.guests(12);
    let leaving = guests.split_off(8);
    let room = hall.server().room("lobby");
    let everyone: Vec<_> = guests
        .iter()
        .chain(&leaving)
        .map(|guest| guest.socket.clone())
        .collect();
    let join = |socket: &Socket| {
        room.join(socket);
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    everyone.iter().for_each(join);
                    room.broadcast("meanwhile");
                    for socket in everyone.iter().rev() {
                        room.leave(socket);
                    }
                }
                everyone.iter().for_each(join);
            });
        }
        scope.spawn(|| leaving.iter().for_each(|guest| guest.socket.discard()));
    });
    until("the ends", || hall.server().clients_count() == guests.len());
    assert_members(&room, &guests);
    room.broadcast("end");
    for guest in &mut guests {
        while guest.client.text() != "4end" {}
    }
}

#[test]
fn a_message_that_was_made_before_a_broadcast_and_sent_after_it_comes_after_it() {
    let hall = Hall::open();
    let mut guest = hall.guest();
    let rules = engineio::Send::text("rules");
    for round in 0..100 {
        hall.server().broadcast(format!("news {round}"));
        guest.socket.try_send_message(rules.clone()).expect("room");
        guest.expect([&format!("news {round}"), "rules"]);
    }
}

#[test]
fn who_is_named_twice_is_sent_to_once() {
    let hall = Hall::open();
    let mut guests = hall.guests(4);
    let named = guests.iter().chain(&guests[1..]).map(|guest| &guest.socket);
    hall.server().broadcast_to(named, "once");
    hall.server().broadcast("end");
    for guest in &mut guests {
        guest.expect(["once", "end"]);
    }
}
