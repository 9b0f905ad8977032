//! A socket's share of what goes to many: taken in front of whatever was sent to it later.

use actix::prelude::*;

use super::SocketActor;
use crate::actor::fanout::{self, Broadcast};
use crate::actor::messages::Collect;

impl Handler<Collect> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: Collect, ctx: &mut Self::Context) {
        self.with_self(ctx, |actor, _| actor.collect(u64::MAX));
    }
}

impl SocketActor {
    /// Takes the broadcasts that come before what is sent from here on.
    pub(super) fn catch_up(&mut self) {
        self.collect_before(fanout::last());
    }

    /// Takes the broadcasts that come before what was sent after the one of this number.
    #[inline]
    pub(super) fn collect_before(&mut self, after: u64) {
        self.seat.hurry(after);
        self.collect(after);
    }

    /// Takes what was handed out up to the broadcast of this number.
    #[inline]
    pub(super) fn collect(&mut self, after: u64) {
        while let Some(broadcast) = self.seat.next(after) {
            self.take_broadcast(&broadcast);
        }
    }

    fn take_broadcast(&mut self, broadcast: &Broadcast) {
        let mut send = broadcast.message();
        if let Some(wire) = &mut self.wire
            && wire.has_room()
            && let Some(mut passing) = self.session.pass()
        {
            match wire.encoding() {
                Some(encoding) => {
                    let frame = passing.frame(&send.data);
                    let frame = broadcast.encoded(encoding, self.session.revision(), frame);
                    wire.push_encoded(&frame);
                    let number = self.session.passed(passing);
                    if let Some(tickets) = self.tickets() {
                        tickets.sent(number);
                    }
                    return;
                }
                // What it is sent depends on what it was sent before.
                None => send.after = 0,
            }
        }
        // Who has no room, and makes none, does not get it.
        if self.socket.reserve_here(&send).is_ok() {
            let _ = self.try_accept(send);
        }
    }
}
