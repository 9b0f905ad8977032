//! The rooms: who is where, what was said last, and who is told. Knows sockets, not what is sent through them.
//!
//! Why not `engineio::Room`: it leaves out who has no room in his buffer, and here the others are to see who that is.

use std::collections::{HashMap, VecDeque};

use engineio::{Data, SendError, Socket};

use crate::wire::{Contents, Line, Person, RoomSummary};

const MAX_ROOMS: usize = 200;
const MAX_PEOPLE: usize = 200; // in a room
const ROOMS_SHOWN: usize = 20;
/// What a room remembers for those who come later: so many lines, of so many bytes together.
const HISTORY: usize = 50;
const HISTORY_BYTES: usize = 32 * 1024;

#[derive(Default)]
pub(crate) struct Rooms {
    rooms: HashMap<String, Room>,
    /// Where everybody is.
    places: HashMap<Socket, String>,
}

#[derive(Default)]
pub(crate) struct Room {
    members: HashMap<Socket, Member>,
    history: VecDeque<Line>,
    history_bytes: usize,
}

struct Member {
    name: String,
    /// How many messages it was not sent since its buffer was full.
    missed: usize,
}

impl Rooms {
    /// Whether `socket` may enter, as `name`. It may be somewhere else still.
    pub(crate) fn admit(&mut self, socket: &Socket, room: &str, name: &str) -> Result<(), &'static str> {
        if self.places.get(socket).is_some_and(|place| place == room) {
            return Err("already joined");
        }
        if let Some(room) = self.rooms.get(room) {
            return room.admit(name);
        }
        if self.rooms.len() >= MAX_ROOMS {
            // Nobody misses the history of a room that nobody is in as much as somebody wants a new one.
            let oldest = self.rooms.iter().filter(|(_, room)| room.members.is_empty());
            let oldest = oldest.min_by_key(|(_, room)| room.history.back().map(|line| line.id));
            let oldest = oldest.map(|(name, _)| name.clone()).ok_or("too many rooms")?;
            self.rooms.remove(&oldest);
        }
        Ok(())
    }

    pub(crate) fn join(&mut self, socket: &Socket, room: &str, name: &str) {
        let member = Member {
            name: name.to_owned(),
            missed: 0,
        };
        self.places.insert(socket.clone(), room.to_owned());
        let room = self.rooms.entry(room.to_owned()).or_default();
        room.members.insert(socket.clone(), member);
    }

    /// Takes `socket` out of its room; returns the room that it leaves behind, and its name there.
    pub(crate) fn leave(&mut self, socket: &Socket) -> Option<(&mut Room, String)> {
        let place = self.places.remove(socket)?;
        if self.rooms.get(&place)?.is_forgettable(socket) {
            self.rooms.remove(&place);
            return None;
        }
        let room = self.rooms.get_mut(&place)?;
        let member = room.members.remove(socket)?;
        Some((room, member.name))
    }

    /// The room that `socket` is in, and its name there.
    pub(crate) fn of(&mut self, socket: &Socket) -> Option<(&mut Room, String)> {
        let room = self.rooms.get_mut(self.places.get(socket)?)?;
        let name = room.members.get(socket)?.name.clone();
        Some((room, name))
    }

    /// Those that somebody is in, the fullest first.
    pub(crate) fn list(&self) -> Vec<RoomSummary<'_>> {
        let all = self.rooms.iter().map(|(name, room)| RoomSummary {
            name,
            people: room.members.len(),
        });
        let mut rooms: Vec<_> = all.filter(|room| room.people > 0).collect();
        rooms.sort_unstable_by(|a, b| b.people.cmp(&a.people).then(a.name.cmp(b.name)));
        rooms.truncate(ROOMS_SHOWN);
        rooms
    }
}

impl Room {
    fn admit(&self, name: &str) -> Result<(), &'static str> {
        let folded = name.to_lowercase();
        if self
            .members
            .values()
            .any(|member| member.name.to_lowercase() == folded)
        {
            return Err("name taken");
        }
        if self.members.len() >= MAX_PEOPLE {
            return Err("room full");
        }
        Ok(())
    }

    /// Whether nothing is lost if it goes when `socket` does: nobody else is in, and nothing was said.
    fn is_forgettable(&self, socket: &Socket) -> bool {
        self.history.is_empty() && self.members.keys().all(|member| member == socket)
    }

    pub(crate) fn contents(&self) -> Contents<'_> {
        let people = self.members.values().map(|member| Person {
            name: &member.name,
            slow: member.missed > 0,
        });
        let mut people: Vec<_> = people.collect();
        people.sort_unstable_by(|a, b| a.name.cmp(b.name));
        Contents {
            people,
            lines: self.history.iter().collect(),
        }
    }

    /// Remembers a line, and forgets the oldest ones for it.
    pub(crate) fn remember(&mut self, line: Line) {
        self.history_bytes += line.text.len();
        self.history.push_back(line);
        while self.history.len() > HISTORY || self.history_bytes > HISTORY_BYTES {
            let Some(oldest) = self.history.pop_front() else {
                break;
            };
            self.history_bytes -= oldest.text.len();
        }
    }

    /// Tells everybody in the room but `except`. Who does not read has a full buffer and is left out, until it has
    /// read what it was sent before; the others do not wait. Returns the names of those who fall behind now.
    pub(crate) fn tell(&mut self, data: &Data, except: Option<&Socket>) -> Vec<String> {
        let mut slow = Vec::new();
        for (socket, member) in &mut self.members {
            if Some(socket) == except {
                continue;
            }
            let was_slow = member.missed > 0;
            if was_slow || socket.try_send(data.clone()) == Err(SendError::Full) {
                member.missed += 1;
            }
            if member.missed == 1 && !was_slow {
                slow.push(member.name.clone());
            }
        }
        slow
    }

    /// Tells something that is worth nothing later: whoever has still something to read does not get it.
    pub(crate) fn tell_lightly(&self, data: &Data, except: &Socket) {
        for socket in self.members.keys().filter(|socket| *socket != except) {
            if socket.buffered_bytes() == 0 {
                let _ = socket.try_send(data.clone());
            }
        }
    }

    /// Sets how many messages `socket` was left out of; returns how many it was before.
    pub(crate) fn set_missed(&mut self, socket: &Socket, missed: usize) -> usize {
        let member = self.members.get_mut(socket);
        member.map_or(0, |member| std::mem::replace(&mut member.missed, missed))
    }
}
