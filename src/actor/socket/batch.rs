//! What was read, told to the application message by message; and its answers, which take the short way out meanwhile.
//! The same for a connection of the socket's own and for a link: they differ in where messages come from and go to.

use std::time::Instant;

use super::SocketActor;
use super::aside::Aside;
use crate::Data;
use crate::actor::handler::Panicked;
use crate::actor::lane::{self, Lane, Way};
use crate::actor::messages::Many;
use crate::actor::transport::Arrival;
use crate::actor::{current, fanout};
use crate::proto::{Messages, cost};

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

    /// Tells the application of a message that the session brings, and of those that lie behind it, as long as it wants
    /// nothing meanwhile.
    pub(super) fn tell_together(&mut self, now: Instant, first: Data) {
        self.socket.publish(&self.session);
        self.open_lane();
        let mut first = Some(first);
        let (session, socket) = (&mut self.session, &self.socket);
        let told = self.listeners.tell_messages(socket, || match first.take() {
            None if !current::is_wanted() => session.poll_message(),
            first => first,
        });
        self.close_lane();
        self.told(now, told);
    }

    /// Sees to what follows from it. Returns what ended it, if that is for the session.
    pub(super) fn finish_batch(&mut self, now: Instant, batch: Batch) -> Option<Arrival> {
        self.close_lane();
        self.session.took(now, batch.messages);
        self.told(now, batch.told);
        self.perform_all(now);
        batch.next
    }

    /// Takes the messages that wait together for the socket.
    pub(super) fn take_waiting(&mut self) {
        let mut waiting = self.socket.take_mail().into_iter();
        // Between those of one chunk nobody has sent to many.
        while let Some(together) = waiting
            .as_slice()
            .chunk_by(|one, next| one.after == next.after)
            .next()
        {
            let (count, after) = (together.len(), together.first().map_or(0, |first| first.after));
            let sends = together.iter().map(|send| (&send.data, send.compress));
            let passed = self.pass_together(after, sends);
            for send in waiting.by_ref().take(count).skip(passed) {
                self.accept(send);
            }
        }
    }

    /// Takes messages that were sent in one go.
    pub(super) fn take_many(&mut self, many: Many) {
        let sends = many.messages.iter().map(|data| (data, true));
        let passed = self.pass_together(many.after, sends);
        for send in many.into_sends().skip(passed) {
            self.accept(send);
        }
    }

    /// Lets messages out on the short way behind the broadcasts up to `after`, if nothing lies in front of them, as far
    /// as there is room. Returns how many.
    #[inline]
    fn pass_together<'a>(&mut self, after: u64, sends: impl Iterator<Item = (&'a Data, bool)>) -> usize {
        let Some(mut lane) = self.lend_lane(after) else {
            return 0;
        };
        let sent = sends.take_while(|(data, compress)| lane.send(data, *compress, after));
        let (passed, released) = sent.fold((0, 0), |(count, bytes), (data, _)| {
            (count + 1, bytes + cost(data))
        });
        self.take_way(lane.way);
        self.socket.release(released);
        passed
    }

    /// Lets the application's answers out on the short way, if nothing lies in front of them.
    pub(super) fn open_lane(&mut self) {
        if let Some(lane) = self.lend_lane(fanout::last()) {
            lane::open(self.socket.key(), lane);
        }
    }

    /// A lane for messages that come behind the broadcasts up to the one of this number.
    fn lend_lane(&mut self, after: u64) -> Option<Lane> {
        if self.seat.awaits(after) {
            // They come first, but have time: only who sends hurries them.
            return None;
        }
        self.collect(after);
        Some(Lane {
            way: self.lend_way()?,
            max_cost: self.socket.limit(),
            after,
        })
    }

    fn lend_way(&mut self) -> Option<Way> {
        let Some(passing) = self.session.pass() else {
            return self.session.answer().map(Way::Payload);
        };
        let output = match &mut self.wire {
            Some(wire) => wire.lend_output(),
            None => self.link().and_then(|link| link.lend_output()),
        };
        Some(Way::Frames(passing, output?))
    }

    fn close_lane(&mut self) {
        if let Some(lane) = lane::close() {
            self.take_way(lane.way);
        }
    }

    fn take_way(&mut self, way: Way) {
        let (passing, output) = match way {
            Way::Frames(passing, output) => (passing, output),
            Way::Payload(answering) => return self.session.answered(answering),
        };
        let number = self.session.passed(passing);
        if let Some(tickets) = self.tickets() {
            tickets.sent(number);
        }
        match (&mut self.wire, self.aside.as_deref()) {
            (Some(wire), _) => wire.take_output(output),
            (
                None,
                Some(Aside {
                    link: Some(link),
                    tickets,
                    ..
                }),
            ) => {
                link.take_output(output, || tickets.are_waiting());
            }
            (None, _) => {}
        }
    }
}
