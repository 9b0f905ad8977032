//! The hub: one actor that takes what all pages say, and tells those whom it concerns.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::prelude::*;
use engineio::{Data, Event, Socket};

use crate::rooms::{Room, Rooms};
use crate::wire::{Line, Reply, Request};

const MAX_NAME: usize = 24;
const MAX_ROOM: usize = 24;
const MAX_TEXT: usize = 2000;
/// However many people come and go, the list of rooms is told no more often.
const ROOMS_EVERY: Duration = Duration::from_millis(250);

pub(crate) struct Hub {
    sockets: HashSet<Socket>,
    rooms: Rooms,
    joined: u64,
    /// Of the newest line.
    line_id: u64,
    rooms_changed: bool,
}

impl Default for Hub {
    fn default() -> Self {
        Hub {
            sockets: HashSet::new(),
            rooms: Rooms::default(),
            joined: 0,
            // Larger than any of an earlier run, unless that one's people spoke more than once a millisecond.
            line_id: now(),
            rooms_changed: false,
        }
    }
}

impl Actor for Hub {
    type Context = Context<Self>;
}

impl Handler<Event> for Hub {
    type Result = ();

    fn handle(&mut self, event: Event, context: &mut Self::Context) {
        match event {
            Event::Connection { socket, .. } => {
                tell(&socket, &self.room_list());
                self.sockets.insert(socket);
            }
            Event::Message { socket, data, .. } => {
                if let Err(reason) = self.handle_message(&socket, &data, context) {
                    tell(&socket, &Reply::Refused { reason });
                }
            }
            Event::Drain { socket, .. } => self.catch_up(&socket),
            Event::Close { socket, .. } => {
                self.sockets.remove(&socket);
                self.leave(&socket, context);
            }
            _ => {}
        }
    }
}

impl Hub {
    fn handle_message(
        &mut self,
        socket: &Socket,
        data: &Data,
        context: &mut Context<Self>,
    ) -> Result<(), &'static str> {
        let text = data.as_text().ok_or("not understood")?;
        match serde_json::from_str(text).map_err(|_| "not understood")? {
            Request::Join { room, name } => self.join(socket, &room, name.trim(), context),
            Request::Say { text } => self.say(socket, text),
            Request::Typing => {
                let (room, name) = self.rooms.of(socket).ok_or("not joined")?;
                room.tell_lightly(&Reply::Typing { name: &name }.data(), socket);
                Ok(())
            }
        }
    }

    fn join(
        &mut self,
        socket: &Socket,
        room: &str,
        name: &str,
        context: &mut Context<Self>,
    ) -> Result<(), &'static str> {
        check(name, MAX_NAME, "name empty", "name too long")?;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if room.is_empty() || room.len() > MAX_ROOM || !room.chars().all(is_plain) {
            return Err("room unknown");
        }
        self.rooms.admit(socket, room, name)?;
        self.leave(socket, context);
        self.rooms.join(socket, room, name);
        self.joined += 1;
        if let Some((entered, _)) = self.rooms.of(socket) {
            tell_room(entered, &Reply::Joined { name }.data(), Some(socket));
            // Not the session's id, which is a secret.
            let id = self.joined.to_string();
            let contents = entered.contents();
            let welcome = Reply::Welcome {
                id,
                room,
                name,
                contents,
            };
            tell(socket, &welcome);
        }
        self.tell_rooms(context);
        Ok(())
    }

    fn leave(&mut self, socket: &Socket, context: &mut Context<Self>) {
        if let Some((room, name)) = self.rooms.leave(socket) {
            tell_room(room, &Reply::Left { name: &name }.data(), None);
        }
        self.tell_rooms(context);
    }

    fn say(&mut self, socket: &Socket, text: String) -> Result<(), &'static str> {
        let (room, name) = self.rooms.of(socket).ok_or("not joined")?;
        check(&text, MAX_TEXT, "text empty", "text too long")?;
        self.line_id += 1;
        let line = Line {
            id: self.line_id,
            name,
            text,
            at: now(),
        };
        tell_room(room, &Reply::Said { line: &line }.data(), None);
        room.remember(line);
        Ok(())
    }

    /// Who fell behind has read all that it was sent: it is told what it missed, and the others that it is back.
    fn catch_up(&mut self, socket: &Socket) {
        let Some((room, name)) = self.rooms.of(socket) else {
            return;
        };
        let missed = room.set_missed(socket, 0);
        if missed == 0 {
            return;
        }
        let contents = room.contents();
        let caught_up = Reply::CaughtUp { missed, contents }.data();
        if socket.try_send(caught_up).is_err() {
            room.set_missed(socket, missed); // until the next time
            return;
        }
        let again = Reply::Slow {
            name: &name,
            slow: false,
        };
        tell_room(room, &again.data(), Some(socket));
    }

    fn room_list(&self) -> Reply<'_> {
        Reply::Rooms {
            rooms: self.rooms.list(),
        }
    }

    fn tell_rooms(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.rooms_changed, true) {
            return; // it is about to be told
        }
        context.run_later(ROOMS_EVERY, |hub, _| {
            hub.rooms_changed = false;
            let data = hub.room_list().data();
            for socket in &hub.sockets {
                let _ = socket.try_send(data.clone());
            }
        });
    }
}

fn check(text: &str, most: usize, empty: &'static str, too_long: &'static str) -> Result<(), &'static str> {
    match text.chars().count() {
        0 => Err(empty),
        n if n > most => Err(too_long),
        _ => Ok(()),
    }
}

fn tell(socket: &Socket, reply: &Reply<'_>) {
    let _ = socket.try_send(reply.data());
}

/// Tells a room, and then, if somebody fell behind by that, who.
fn tell_room(room: &mut Room, data: &Data, except: Option<&Socket>) {
    let mut slow = room.tell(data, except);
    while let Some(name) = slow.pop() {
        slow.extend(
            room.tell(
                &Reply::Slow {
                    name: &name,
                    slow: true,
                }
                .data(),
                None,
            ),
        );
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}
