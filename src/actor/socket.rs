//! The process of one client: a message in the mailbox becomes one call of the session, then what the session
//! wants is done. No rule of the protocol is decided here.

mod aside;
mod batch;
mod collect;
mod link;
mod mailbox;
mod open;
mod pump;
mod tickets;

pub(crate) use open::Opened;

use std::time::{Duration, Instant};

use actix::prelude::*;

use self::aside::Aside;
use super::clock;
use super::current::{self, Command};
use super::fanout::Seat;
use super::guard::Place;
use super::handle::Socket;
use super::handler::{Listeners, Panicked};
use super::messages::{CloseSession, Send, Unpolled};
use super::transport::Wire;
use crate::proto::{
    CloseReason, Event, FullPolicy, Output, ReadyState, Reply, SendError, Session, Terms, cost,
};

/// How long a closed session waits for its WebSocket to take the last frames.
const LINGER: Duration = Duration::from_secs(5);

/// How many messages are handled before the other sockets of the thread have their turn. A peer whose WebSocket
/// is on another thread can bring more than a slow handler gets through, for ever.
const TURN: u16 = 1024;

/// The process of one client. It lives on the thread that took the handshake.
#[derive(Debug)]
pub struct SocketActor {
    session: Session,
    seat: Seat,
    socket: Socket,
    listeners: Listeners,
    place: Place,
    /// The WebSocket that is the transport, with its connection. The [`Pump`](pump::Pump) runs as long as it is here.
    wire: Option<Box<Wire>>,
    aside: Option<Box<Aside>>,
    /// There is something to be seen at the link.
    signalled: bool,
    /// How many more messages may be handled in this turn.
    turn: u16,
    /// The next turn is on its way.
    resting: bool,
    /// When its seat wakes it.
    alarm: Option<Instant>,
}

/// However the process ends (a discard in the factory, its thread, a panic): nobody else would ever close its
/// WebSockets, or drop what was posted to it as long as there is a handle.
impl Drop for SocketActor {
    fn drop(&mut self) {
        drop(self.socket.take_mail());
        let Some(aside) = self.aside.take() else { return };
        let probe = aside.probe.map(|(_, link)| link);
        for link in aside.link.into_iter().chain(probe) {
            link.abandon();
        }
    }
}

impl Actor for SocketActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(timeout) = self.place.unpolled() {
            ctx.notify_later(Unpolled, timeout);
        }
        self.drain(clock::now(), ctx);
    }
}

impl SocketActor {
    /// One call of the session, then all that follows from it.
    fn with_session(&mut self, ctx: &mut Context<Self>, call: impl FnOnce(&mut Session, Instant)) {
        let now = clock::now();
        call(&mut self.session, now);
        self.drain(now, ctx);
    }

    /// Like [`with_session`](Self::with_session), for calls after which the actor must remember who asked.
    fn with_self(&mut self, ctx: &mut Context<Self>, call: impl FnOnce(&mut Self, Instant)) {
        let now = clock::now();
        call(self, now);
        self.drain(now, ctx);
    }

    /// A message was accepted. The [`Pump`](pump::Pump) comes behind the mailbox anyhow: all that lies in it leaves in
    /// one write.
    fn push_out(&mut self, ctx: &mut Context<Self>) {
        if self.wire.is_none() {
            self.with_session(ctx, |_, _| ());
        }
    }

    /// Does what the session wants, until it wants nothing more.
    fn drain(&mut self, now: Instant, ctx: &mut Context<Self>) {
        // Nobody hears of a change before everybody can see it.
        self.socket.publish(&self.session);
        loop {
            self.perform_all(now);
            let sent = self.pump();
            if !self.read(now) && !sent {
                break;
            }
            if self.turn == 0 {
                self.perform_all(now);
                self.rest(ctx);
                break;
            }
        }
        self.settle(now, ctx);
    }

    /// What comes behind each change: everybody can see it, and it goes on when it must.
    fn settle(&mut self, now: Instant, ctx: &mut Context<Self>) {
        self.socket.publish(&self.session);
        self.place.settle(&mut self.session);
        match self.linger() {
            None => self.arm(),
            Some(deadline) => self.finish(now, deadline, ctx),
        }
    }

    /// Goes on when the others of this thread have had their turn, its IO included. A message to itself would not
    /// do: a mailbox is emptied in one go.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.resting, true) {
            return;
        }
        let next = actix_rt::task::yield_now().into_actor(self);
        ctx.spawn(next.map(|(), actor, ctx| {
            actor.resting = false;
            actor.turn = TURN;
            actor.with_session(ctx, |_, _| ());
        }));
    }

    fn perform_all(&mut self, now: Instant) {
        while let Some(output) = self.session.poll_output() {
            self.perform(now, output);
        }
    }

    fn perform(&mut self, now: Instant, output: Output) {
        match output {
            Output::Event(Event::Message(data)) => self.tell_together(now, data),
            Output::Event(event) => self.tell(now, event),
            Output::Reply(reply) => self.reply(reply),
            Output::PushDone { push, result } => {
                if let Some((_, answer)) = self.aside().push.take_if(|(id, _)| *id == push) {
                    let _ = answer.send(result);
                }
            }
            Output::DropProbe(probe) => {
                if let Some((_, link)) = self.aside().probe.take_if(|(id, _)| *id == probe) {
                    link.close(&CloseReason::TransportClose.into());
                }
            }
            Output::CloseWebSocket(close) => {
                if let Some(link) = self.link() {
                    link.close(&close);
                } else if let Some(wire) = &mut self.wire {
                    wire.close(now, &close);
                }
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        let (poll, released, flushed) = (reply.poll, reply.released, reply.flushed);
        let asker = self.aside().poll.take_if(|(id, _)| *id == poll);
        if asker.is_some_and(|(_, answer)| answer.send(Ok(reply)).is_ok()) {
            self.socket.release(released);
            self.aside().tickets.flushed(flushed);
        } else {
            self.session.handle_poll_gone(poll);
        }
    }

    /// Tells the application, and does what it wants meanwhile.
    fn tell(&mut self, now: Instant, event: Event) {
        let end = match &event {
            Event::Close(close) => Some(close.clone()),
            _ => None,
        };
        self.socket.publish(&self.session);
        if let Some(close) = &end {
            self.place.uncount(close.reason);
        }
        let told = self.listeners.tell(&self.socket, event);
        self.told(now, told);
        if let Some(close) = end {
            log::debug!(
                target: "engineio::socket",
                "{:?} closed: {close}", self.socket.id()
            );
            self.aside().linger = Some(now + LINGER);
        }
    }

    /// Does what the application wants after it was told.
    #[inline]
    fn told(&mut self, now: Instant, told: Result<(), Panicked>) {
        self.obey(now);
        if told.is_err() {
            log::error!(target: "engineio::socket", "{:?}: its handler panicked", self.socket.id());
            self.session.abort(CloseReason::Panicked);
        }
    }

    /// Does what a handler of this socket has queued.
    #[inline]
    fn obey(&mut self, now: Instant) {
        while let Some(command) = current::next() {
            match command {
                Command::Send(send) => self.accept(send),
                Command::Close(close) => {
                    self.catch_up();
                    self.close(now, close);
                }
            }
        }
    }

    /// A message whose bytes are reserved.
    fn accept(&mut self, send: Send) {
        let _ = self.try_accept(send);
    }

    /// Like [`accept`](Self::accept); tells the message's number.
    #[inline]
    fn try_accept(&mut self, send: Send) -> Result<u64, SendError> {
        self.collect_before(send.after);
        let send = match self.pass(send) {
            Ok(number) => return Ok(number),
            Err(send) => send,
        };
        let terms = Terms {
            key: send.key,
            full: self.socket.full_policy(),
        };
        let (cost, mut released, mut dropped) = (cost(&send.data), 0, 0);
        let taken = self.session.send_by(send.data, send.compress, terms, |gone| {
            if let Some(aside) = &self.aside {
                aside.tickets.dropped(gone.number);
            }
            released += gone.released;
            dropped += 1;
        });
        if taken.is_err() {
            released += cost;
            dropped += u64::from(taken == Err(SendError::Full));
        }
        if taken == Err(SendError::Full) && terms.full == FullPolicy::Close {
            self.socket.end_as_slow_consumer();
        }
        if released > 0 {
            self.socket.release(released);
            self.socket.server().count_dropped_sends(dropped);
        }
        taken
    }

    /// Whether the application keeps up with what the client sends.
    #[inline]
    fn takes_input(&mut self, now: Instant) -> bool {
        let takes = self.socket.takes_input();
        self.session.hold_input(now, !takes);
        takes
    }

    fn close(&mut self, now: Instant, CloseSession { close, discard }: CloseSession) {
        match discard {
            true => self.session.abort(close),
            false => self.session.close(now, close),
        }
    }

    /// Sees to it that the session is woken at its next deadline.
    fn arm(&mut self) {
        let Some(mut due) = self.session.poll_timeout() else {
            return;
        };
        if let Some(deadline) = self.wire.as_ref().and_then(|wire| wire.deadline()) {
            due = due.min(deadline);
        }
        self.wake_at(due);
    }

    /// An alarm that is early enough stays: it is cheaper to ring it in vain than to move it with every packet.
    fn wake_at(&mut self, due: Instant) {
        if self.alarm.is_none_or(|at| at > due) {
            self.seat.wake_at(due);
            self.alarm = Some(due);
        }
    }

    /// Whether the alarm has rung, or must have.
    fn is_woken(&mut self, now: Instant) -> bool {
        self.alarm.take_if(|at| *at <= now).is_some()
    }

    /// A deadline of the session may have come.
    fn handle_timeout(&mut self, now: Instant) {
        match self.listeners.are_gone() {
            true => self.session.abort(CloseReason::Panicked),
            false => self.session.handle_timeout(now),
        }
    }

    /// The session is over: stops as soon as the WebSocket has taken what is left, or at the deadline.
    fn finish(&mut self, now: Instant, deadline: Instant, ctx: &mut Context<Self>) {
        let drained = self.websocket_is_over();
        let awaited = self.session.poll_timeout();
        if awaited.is_none() {
            self.place.unregister();
        }
        if awaited.is_none() && drained || now >= deadline {
            if let Some(tickets) = self.tickets() {
                tickets.closed();
            }
            ctx.stop();
            return;
        }
        let other = self.wire.as_ref().and_then(|wire| wire.deadline());
        let due = awaited.into_iter().chain(other).fold(deadline, Instant::min);
        self.wake_at(due);
    }

    fn is_over(&self) -> bool {
        self.session.ready_state() == ReadyState::Closed
    }

    /// Whether a WebSocket, if there is one, needs this actor no more.
    fn websocket_is_over(&self) -> bool {
        if let Some(wire) = &self.wire {
            return wire.is_over();
        }
        let Some(Aside {
            link: Some(link),
            tickets,
            ..
        }) = self.aside.as_deref()
        else {
            return true;
        };
        let glance = link.glance();
        // What lay in the queue of a lost WebSocket is gone, not flushed.
        if glance.drained && glance.lost.is_none() {
            tickets.all_sent_are_flushed();
        }
        glance.drained || glance.lost.is_some()
    }
}
