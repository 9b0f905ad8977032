//! The actor of the arena: it owns the world, ticks, takes what pages say and tells them what is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::prelude::*;
use engineio::{Data, Event, Send, Socket};

use crate::blob::Id;
use crate::bots;
use crate::wire::{self, Player, Reply, Request};
use crate::world::{BIG_PEARLS, HEIGHT, Swallowed, TICKS_PER_SECOND, WIDTH, World};

const MAX_NAME: usize = 16;
const MAX_HUMANS: usize = 60;
/// A server that was held up plays this many ticks at once and forgets the rest.
const MAX_CATCH_UP: u32 = 5;
/// The key of snapshots, which alone are volatile.
const SNAPSHOT: u64 = 0;

pub(crate) struct Arena {
    world: World,
    /// Everybody who is connected, with the blob of those who play.
    sockets: HashMap<Socket, Option<Id>>,
    /// How many play at least, bots included.
    fill: usize,
    begun: Instant,
    ticks: u32,
}

impl Arena {
    pub(crate) fn new(seed: u64, fill: usize) -> Self {
        Arena {
            world: World::new(seed),
            sockets: HashMap::new(),
            fill,
            begun: Instant::now(),
            ticks: 0,
        }
    }
}

impl Actor for Arena {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.begun = Instant::now();
        self.fill_up();
        self.tick(context);
    }
}

impl Handler<Event> for Arena {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        match event {
            Event::Connection { socket, .. } => self.connect(socket),
            Event::Message { socket, data, .. } => {
                if let Err(reason) = self.handle_message(&socket, &data) {
                    tell(&socket, &Reply::Refused { reason });
                }
            }
            Event::Close { socket, .. } => {
                if let Some(Some(id)) = self.sockets.remove(&socket) {
                    self.world.leave(id);
                    self.roster_changed();
                }
            }
            _ => {}
        }
    }
}

impl Arena {
    /// Steps as often as the clock says, shows the result, and comes back at the next tick's own time: ticks that
    /// are late by some milliseconds do not add up.
    fn tick(&mut self, context: &mut Context<Self>) {
        let due = (self.begun.elapsed().as_secs_f64() * f64::from(TICKS_PER_SECOND)) as u32;
        let steps = due.saturating_sub(self.ticks);
        self.ticks = due;
        for _ in 0..steps.min(MAX_CATCH_UP) {
            self.step();
        }
        if steps > 0 {
            let snapshot = wire::snapshot(&self.world);
            for socket in self.sockets.keys() {
                send_newest(socket, &snapshot);
            }
        }
        let next = Duration::from_secs_f64(f64::from(due + 1) / f64::from(TICKS_PER_SECOND));
        context.run_later(next.saturating_sub(self.begun.elapsed()), Self::tick);
    }

    fn step(&mut self) {
        let bots: Vec<Id> = self
            .world
            .blobs()
            .filter(|blob| blob.bot)
            .map(|blob| blob.id)
            .collect();
        for id in bots {
            let steer = bots::steer(&self.world, id);
            self.world.steer(id, steer);
        }
        for Swallowed { by, who } in self.world.step() {
            self.tell_all(&Reply::Swallowed { by, who });
        }
    }

    fn connect(&mut self, socket: Socket) {
        let arena = Reply::Arena {
            width: WIDTH,
            height: HEIGHT,
            ticks: TICKS_PER_SECOND,
            big_pearls: BIG_PEARLS,
        };
        tell(&socket, &arena);
        tell(&socket, &self.roster());
        self.sockets.insert(socket, None);
    }

    fn handle_message(&mut self, socket: &Socket, data: &Data) -> Result<(), &'static str> {
        match wire::decode(data).ok_or("not understood")? {
            Request::Join(name) => return self.join(socket, name.trim()),
            Request::Steer(steer) => {
                if let Some(Some(id)) = self.sockets.get(socket) {
                    self.world.steer(*id, steer);
                }
            }
            Request::Ping(token) => {
                let _ = socket.try_send(wire::pong(token));
            }
        }
        Ok(())
    }

    fn join(&mut self, socket: &Socket, name: &str) -> Result<(), &'static str> {
        let player = self.sockets.get(socket).ok_or("not understood")?;
        match name.chars().count() {
            _ if player.is_some() => return Err("already joined"),
            0 => return Err("name empty"),
            n if n > MAX_NAME => return Err("name too long"),
            _ if self.sockets.values().flatten().count() >= MAX_HUMANS => return Err("arena full"),
            _ => {}
        }
        let id = self.world.enter(name, false);
        self.sockets.insert(socket.clone(), Some(id));
        tell(socket, &Reply::Welcome { id });
        self.roster_changed();
        Ok(())
    }

    fn roster_changed(&mut self) {
        self.fill_up();
        self.tell_all(&self.roster());
    }

    /// Bots come while there are too few players; the smallest of them goes when a human takes its place.
    fn fill_up(&mut self) {
        while self.world.blobs().count() < self.fill {
            let name = bots::name(&self.world);
            self.world.enter(name, true);
        }
        while self.world.blobs().count() > self.fill {
            let bots = self.world.blobs().filter(|blob| blob.bot);
            let Some(smallest) = bots.min_by(|a, b| a.size.total_cmp(&b.size)).map(|blob| blob.id) else {
                return;
            };
            self.world.leave(smallest);
        }
    }

    fn roster(&self) -> Reply<'_> {
        let players = self.world.blobs().map(|blob| Player {
            id: blob.id,
            name: &blob.name,
            bot: blob.bot,
        });
        Reply::Roster {
            players: players.collect(),
        }
    }

    fn tell_all(&self, reply: &Reply<'_>) {
        let data = reply.data();
        for socket in self.sockets.keys() {
            let _ = socket.try_send(data.clone());
        }
    }
}

fn tell(socket: &Socket, reply: &Reply<'_>) {
    let _ = socket.try_send(reply.data());
}

/// Sends a snapshot in place of the one before it, if that has not left yet: who reads slowly gets fewer of them, and
/// no queue of old ones.
fn send_newest(socket: &Socket, snapshot: &Data) {
    let _ = socket.try_send_message(Send::new(snapshot.clone()).compress(false).volatile(SNAPSHOT));
}
