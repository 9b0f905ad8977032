//! The way of the data when the connection is the socket's own: one read, one batch, one write for each wake. The
//! mailbox is empty whenever the pump runs, so what many messages want sent leaves in one write.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::{SocketActor, TURN};
use crate::actor::clock;
use crate::actor::messages::Send;
use crate::actor::transport::{Arrival, Bare, Handed, Wire};
use crate::proto::{Close, CloseReason, Packet, cost};

/// Runs as long as its actor has a connection. Polled with every wake of the actor, behind its mailbox.
pub(super) struct Pump;

impl ActorFuture<SocketActor> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut SocketActor,
        ctx: &mut actix::Context<SocketActor>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        actor.pump_wire(ctx, task)
    }
}

impl SocketActor {
    /// Takes a connection as the transport's.
    pub(super) fn adopt(
        &mut self,
        handed: Handed,
        quiet_for: Option<Duration>,
        ctx: &mut actix::Context<Self>,
    ) {
        let quiet_until = quiet_for.map(|quiet_for| clock::now() + quiet_for);
        match Wire::new(handed, quiet_until, Bare::of(self.socket.server().config())) {
            Ok(wire) => {
                self.wire = Some(Box::new(wire));
                ctx.spawn(Pump);
                if let Some(quiet_for) = quiet_for {
                    // All it takes is a wake.
                    ctx.run_later(quiet_for, |_, _| ());
                }
            }
            Err(error) => {
                log::error!(target: "engineio::ws", "{:?}: {error}", self.socket.id());
                self.session
                    .handle_websocket_lost(Close::new(CloseReason::TransportError));
            }
        }
    }

    fn pump_wire(&mut self, ctx: &mut actix::Context<Self>, task: &mut Context<'_>) -> Poll<()> {
        let now = clock::now();
        match &mut self.wire {
            Some(wire) => wire.handle_timeout(now),
            None => return Poll::Ready(()),
        }
        self.turn = TURN;
        self.seat.listen(task.waker());
        if self.is_woken(now) {
            self.handle_timeout(now);
            self.perform_all(now);
        }
        // The open packet leaves before anything is read.
        if self.session.buffered_bytes() > 0 {
            self.put_out(task);
        }
        loop {
            // What a write has to tell comes before what is read.
            self.perform_all(now);
            let took = self.take_in(now, task);
            self.collect(u64::MAX);
            self.perform_all(now);
            let put = self.put_out(task) | self.notice_loss();
            if !took && !put {
                break;
            }
            if self.turn == 0 {
                // The others of this thread have their turn.
                task.waker().wake_by_ref();
                break;
            }
        }
        self.session.rest();
        self.tidy();
        self.settle(now, ctx);
        Poll::Pending
    }

    /// Reads once, and feeds the session. Returns whether there was anything.
    fn take_in(&mut self, now: Instant, task: &mut Context<'_>) -> bool {
        let (mut any, mut has_read) = (false, false);
        loop {
            // A session that is over still waits for its peer's close frame.
            let keeps_up = self.takes_input(now);
            let wants =
                (keeps_up && self.session.is_reading() && !self.session.is_congested(now)) || self.is_over();
            let is_readable = self.wire.as_ref().is_some_and(|wire| wire.is_readable());
            if !wants || !is_readable || self.turn == 0 {
                return any;
            }
            let before = self.turn;
            let next = self.tell_messages(now);
            any |= self.turn < before;
            let packet = match next {
                None => continue,
                Some(Arrival::Message(data)) => Ok(Packet::message(data)),
                Some(Arrival::Other(packet)) => packet,
                Some(Arrival::Lost(close)) => return self.lose_wire(close) || any,
                Some(Arrival::Nothing) if has_read => return any,
                Some(Arrival::Nothing) => match self.wire.as_mut().map(|wire| wire.poll_read(task)) {
                    Some(Poll::Ready(Ok(()))) => {
                        (any, has_read) = (true, true);
                        continue;
                    }
                    Some(Poll::Ready(Err(close))) => return self.lose_wire(close) || any,
                    Some(Poll::Pending) | None => return any,
                },
            };
            any = true;
            self.turn -= 1;
            self.session.handle_frame(now, packet);
            self.perform_all(now);
        }
    }

    /// The connection has ended. Returns whether that is news.
    fn lose_wire(&mut self, close: Close) -> bool {
        let news = !self.is_over();
        self.session.handle_websocket_lost(close);
        news
    }

    /// Tells the application of what was read, in batches. Returns what comes next for the session, if it is known.
    fn tell_messages(&mut self, now: Instant) -> Option<Arrival> {
        let wire = self.wire.as_mut()?;
        let revision = self.session.revision();
        if !(wire.has_input() && self.session.takes_messages()) {
            return Some(wire.poll_arrival(now, revision));
        }
        self.open_lane();
        let mut wire = self.wire.take()?;
        let batch = self.tell_batch(|| match wire.poll_arrival(now, revision) {
            // The pong to a ping in front of it comes before what answers it.
            Arrival::Message(data) if wire.has_transmit() => Arrival::Other(Ok(Packet::message(data))),
            arrival => arrival,
        });
        self.wire = Some(wire);
        self.finish_batch(now, batch)
    }

    /// A write may see first that the connection is gone. Returns whether that is news.
    fn notice_loss(&mut self) -> bool {
        if self.is_over() || self.wire.as_ref().is_none_or(|wire| !wire.is_gone()) {
            return false;
        }
        self.session
            .handle_websocket_lost(Close::new(CloseReason::TransportClose));
        true
    }

    /// Writes what the session wants sent, as far as the connection takes it. Returns whether anything left the
    /// session.
    fn put_out(&mut self, task: &mut Context<'_>) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        let (mut last, mut released) = (None, 0);
        let all = loop {
            while wire.has_room()
                && let Some(outgoing) = self.session.poll_frame()
            {
                released += outgoing.released;
                last = Some(outgoing.number);
                wire.push(outgoing.frame.borrow(), outgoing.compress);
            }
            let all = wire.poll_flush(task);
            if !all || self.session.buffered_bytes() == 0 {
                break all;
            }
        };
        if released > 0 {
            self.socket.release(released);
        }
        if let Some(tickets) = self.tickets() {
            if let Some(number) = last {
                tickets.sent(number);
            }
            if all {
                tickets.all_sent_are_flushed();
            }
        }
        last.is_some()
    }

    /// Encodes a message at once, if nothing waits in front of it and nobody watches the write buffer.
    #[inline]
    pub(super) fn pass(&mut self, send: Send) -> Result<u64, Send> {
        let Some(wire) = self.wire.as_mut().filter(|wire| wire.has_room()) else {
            return Err(send);
        };
        let Some(mut passing) = self.session.pass() else {
            return Err(send);
        };
        wire.push(passing.frame(&send.data), send.compress);
        let number = self.session.passed(passing);
        self.socket.release(cost(&send.data));
        if let Some(tickets) = self.tickets() {
            tickets.sent(number);
        }
        Ok(number)
    }
}
