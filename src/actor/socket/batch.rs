//! What was read, told to the application message by message; and its answers, which take the short way out meanwhile.
//! The same for a connection of the socket's own and for a link: they differ in where messages come from and go to.

use std::time::Instant;

use super::SocketActor;
use super::aside::Aside;
use crate::actor::handler::Panicked;
use crate::actor::lane::{self, Lane};
use crate::actor::transport::Arrival;
use crate::actor::{current, fanout};
use crate::proto::Messages;

/// What became of a batch.
pub(super) struct Batch {
    messages: Messages,
    told: Result<(), Panicked>,
    /// What ended it, if that is for the session; else there may be more.
    next: Option<Arrival>,
}

impl SocketActor {
    /// Tells the application of the messages that `poll` brings, up to the first that is something else, and as long as
    /// it wants nothing but to send. To be [finished](Self::finish_batch) at once.
    #[inline]
    pub(super) fn tell_batch(&mut self, mut poll: impl FnMut() -> Arrival) -> Batch {
        let (mut messages, mut next) = (Messages::default(), None);
        let (turn, socket) = (&mut self.turn, &self.socket);
        let told = self.listeners.tell_messages(socket, || {
            if *turn == 0 || current::is_wanted() || !socket.takes_input() {
                return None;
            }
            match poll() {
                Arrival::Message(data) => {
                    *turn -= 1;
                    messages.add(&data);
                    Some(data)
                }
                other => {
                    next = Some(other);
                    None
                }
            }
        });
        Batch { messages, told, next }
    }

    /// Sees to what follows from it. Returns what ended it, if that is for the session.
    pub(super) fn finish_batch(&mut self, now: Instant, batch: Batch) -> Option<Arrival> {
        self.close_lane();
        self.session.took(now, batch.messages);
        self.told(now, batch.told);
        self.perform_all(now);
        batch.next
    }

    /// Lets the application's answers out on the short way, if nothing lies in front of them.
    pub(super) fn open_lane(&mut self) {
        let after = fanout::last();
        if self.seat.awaits(after) {
            // They come first, but have time: only who sends hurries them.
            return;
        }
        self.collect(after);
        let Some(passing) = self.session.pass() else {
            return;
        };
        let output = match &mut self.wire {
            Some(wire) => wire.lend_output(),
            None => self.link().and_then(|link| link.lend_output()),
        };
        let Some(output) = output else { return };
        let max_cost = self.socket.limit();
        lane::open(
            self.socket.key(),
            Lane {
                passing,
                output,
                max_cost,
                after,
            },
        );
    }

    fn close_lane(&mut self) {
        let Some(lane) = lane::close() else { return };
        let number = self.session.passed(lane.passing);
        if let Some(tickets) = self.tickets() {
            tickets.sent(number);
        }
        match (&mut self.wire, self.aside.as_deref()) {
            (Some(wire), _) => wire.take_output(lane.output),
            (
                None,
                Some(Aside {
                    link: Some(link),
                    tickets,
                    ..
                }),
            ) => {
                link.take_output(lane.output, || tickets.are_waiting());
            }
            (None, _) => {}
        }
    }
}
