//! The way of the data when the connection is the socket's own: one read, one batch, one write for each wake. The
//! mailbox is empty whenever the pump runs, so what many messages want sent leaves in one write.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::{SocketActor, TURN};
use crate::actor::clock;
use crate::actor::messages::Send;
use crate::actor::transport::{Bare, Handed, Wire};
use crate::proto::{Close, CloseReason, DecodeError, Packet};

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
            let wants = (self.session.is_reading() && !self.session.is_congested() && self.takes_input(now))
                || self.is_over();
            let Some(wire) = self.wire.as_mut().filter(|wire| wants && wire.is_readable()) else {
                return any;
            };
            let lost = match wire.poll_packet(now, self.session.revision()) {
                Ok(Some(packet)) => {
                    any = true;
                    self.handle(now, packet);
                    self.turn -= 1;
                    if self.turn == 0 {
                        return true;
                    }
                    continue;
                }
                Ok(None) if has_read => return any,
                Ok(None) => match wire.poll_read(task) {
                    Poll::Ready(Ok(())) => {
                        (any, has_read) = (true, true);
                        continue;
                    }
                    Poll::Ready(Err(close)) => close,
                    Poll::Pending => return any,
                },
                Err(close) => close,
            };
            let news = !self.is_over();
            self.session.handle_websocket_lost(lost);
            return any || news;
        }
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

    #[inline]
    fn handle(&mut self, now: Instant, packet: Result<Packet, DecodeError>) {
        match packet {
            Ok(packet) if self.session.takes(&packet) => {
                let data = self.session.take_message(now, packet);
                let told = self.listeners.tell_message(&self.socket, data);
                self.told(now, told);
            }
            packet => self.session.handle_frame(now, packet),
        }
        self.perform_all(now);
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
                wire.push(&outgoing.frame, outgoing.compress);
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
        match &mut self.wire {
            Some(wire) if wire.has_room() && self.session.passes() => {
                let outgoing = self.session.pass(send.data, send.compress);
                wire.push(&outgoing.frame, outgoing.compress);
                self.socket.release(outgoing.released);
                if let Some(tickets) = self.tickets() {
                    tickets.sent(outgoing.number);
                }
                Ok(outgoing.number)
            }
            _ => Err(send),
        }
    }
}
