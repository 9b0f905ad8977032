//! The way of the data when the WebSocket's connection is not the socket's own: by its link, whose other end may be on
//! another thread.

use std::collections::VecDeque;
use std::time::Instant;

use super::SocketActor;
use super::aside::Aside;
use crate::actor::transport::{Arrival, Bare, Glance, Inbound, Link, Outbound};
use crate::proto::{Packet, Probe};

impl SocketActor {
    /// Moves frames to the WebSocket as long as it has room. Returns whether any moved.
    pub(super) fn pump(&mut self) -> bool {
        if self.session.buffered_bytes() == 0 {
            return false;
        }
        let Some(Aside {
            link: Some(link),
            tickets,
            ..
        }) = self.aside.as_deref()
        else {
            return false;
        };
        let (session, mut released) = (&mut self.session, 0);
        let (mut last, waiting) = (None, tickets.are_waiting());
        let moved = link.push_outbound(
            || waiting,
            || {
                let outgoing = session.poll_frame()?;
                released += outgoing.released;
                last = Some(outgoing.number);
                Some(Outbound::Frame {
                    frame: outgoing.frame,
                    compress: outgoing.compress,
                })
            },
        );
        self.socket.release(released);
        if let Some(number) = last {
            tickets.sent(number);
        }
        moved
    }

    /// Feeds the session what the WebSocket has brought. Returns whether there was anything.
    pub(super) fn read(&mut self, now: Instant) -> bool {
        let takes = self.takes_inbound(now) && self.session.is_reading();
        // A look costs a lock, and there is nothing to be seen that was not signalled.
        let Some(aside) = &mut self.aside else {
            return false;
        };
        let more = self.signalled || !aside.inbound.is_empty();
        if !more || self.turn == 0 {
            return false;
        }
        if !takes {
            if let Some(link) = &aside.link {
                // The signal was heard: the next one may tell that there is room again.
                let glance = link.glance();
                match glance.lost {
                    Some(_) => self.give_up_sending(),
                    None if glance.drained => aside.tickets.all_sent_are_flushed(),
                    None => {}
                }
            }
            return false;
        }
        let mut inbound = std::mem::take(&mut aside.inbound);
        let mut glance = Glance::default();
        if inbound.is_empty() {
            self.signalled = false;
            let Some(link) = &aside.link else { return false };
            (inbound, glance) = link.take_inbound();
        }
        let any = !inbound.is_empty();
        while self.turn > 0 && !inbound.is_empty() && self.takes_inbound(now) {
            let packet = match self.tell_inbound(now, &mut inbound) {
                Some(Arrival::Message(data)) => Ok(Packet::message(data)),
                Some(Arrival::Other(packet)) => packet,
                Some(Arrival::Nothing | Arrival::Lost(_)) | None => continue,
            };
            self.turn -= 1;
            self.session.handle_frame(now, packet);
            self.perform_all(now);
        }
        if !inbound.is_empty() {
            self.aside().inbound = inbound;
            // What else was seen comes behind it: look again then.
            self.signalled = true;
            return true;
        }
        Link::give_back(inbound);
        // What lay in the queue of a lost WebSocket is gone, not flushed.
        if glance.drained && glance.lost.is_none() {
            self.aside().tickets.all_sent_are_flushed();
        }
        if let Some(close) = glance.lost {
            self.session.handle_websocket_lost(close);
            return true;
        }
        any
    }

    /// The client is gone, and what it has said is still to be told: who waits for it to take something waits in vain, and
    /// may be the one whom the input waits for.
    fn give_up_sending(&mut self) {
        self.socket.give_up_sending();
        if let Some(tickets) = self.tickets() {
            tickets.closed();
        }
    }

    /// Whether what came in may be handed on: answers to it have room, unless they will find nobody.
    fn takes_inbound(&mut self, now: Instant) -> bool {
        let keeps_up = self.takes_input(now);
        let waits = self.session.is_congested(now) && self.link().is_some_and(|link| !link.is_lost());
        keeps_up && !waits
    }

    /// Tells the application of what came in, in batches. Returns what comes next for the session, if it is known.
    fn tell_inbound(&mut self, now: Instant, inbound: &mut VecDeque<Inbound>) -> Option<Arrival> {
        let revision = self.session.revision();
        let bare = Bare::of(self.socket.server().config());
        let mut poll = || match inbound.pop_front() {
            Some(message) => Arrival::of(bare.decode(message, revision)),
            None => Arrival::Nothing,
        };
        if !self.session.takes_messages() {
            return Some(poll());
        }
        self.open_lane();
        let batch = self.tell_batch(poll);
        self.finish_batch(now, batch)
    }

    /// `3probe`.
    pub(super) fn answer_probe(&self, link: &Link) {
        let mut pong = Some(Outbound::Frame {
            frame: Probe::pong().into_frame(self.session.revision(), false),
            compress: false,
        });
        link.push_outbound(|| false, || pong.take());
    }
}
