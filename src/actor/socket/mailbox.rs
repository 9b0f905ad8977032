//! The mailbox of a socket: what each message calls. An `if` about the protocol would be in the wrong room.

use std::pin::Pin;

use actix::dev::{MessageResponse, OneshotSender};
use actix::prelude::*;

use super::SocketActor;
use super::tickets::Shared;
use crate::actor::clock;
use crate::actor::messages::{
    Adopt, Attempt, AwaitFlush, CloseSession, Deliver, Heartbeat, LinkSignal, Payload, Poll, PollAborted,
    Probe, ProbeLost, Push, PushBegun, Rest, Resume, Send, Unpolled, Upgrade, WireLost,
};
use crate::actor::transport::{Carrier, OPEN_DELAY};
use crate::proto::{Close, CloseReason, FullPolicy, SendError};

impl Handler<Send> for SocketActor {
    type Result = SendReply;

    fn handle(&mut self, send: Send, ctx: &mut Self::Context) -> SendReply {
        let tickets = self.aside().tickets.share();
        // What may be dropped takes nothing along.
        let is_dropped = send.key.is_some() && self.socket.full_policy() == FullPolicy::NewestWins;
        let or_dropped = |error| match error {
            SendError::Full if is_dropped => SendError::Dropped,
            error => error,
        };
        if let Err(error) = self.socket.reserve_here(&send).map_err(or_dropped) {
            let error = if self.is_over() { SendError::Closed } else { error };
            return SendReply(Err(error), tickets);
        }
        let number = self.try_accept(send).map_err(or_dropped);
        self.push_out(ctx);
        SendReply(number, tickets)
    }
}

/// The answer to a [`Send`]: later, when it was flushed; or that it was refused.
#[derive(Debug)]
pub struct SendReply(Result<u64, SendError>, Shared);

impl MessageResponse<SocketActor, Send> for SendReply {
    fn handle(self, ctx: &mut Context<SocketActor>, asker: Option<OneshotSender<Result<(), SendError>>>) {
        match (self.0, asker) {
            (Ok(number), Some(asker)) => {
                if self.1.wait(number, asker) {
                    ctx.notify(AwaitFlush);
                }
            }
            (Err(error), Some(asker)) => drop(asker.send(Err(error))),
            (Err(SendError::Full | SendError::TooLarge), None) => {
                ctx.notify(CloseSession {
                    close: Close::new(CloseReason::BufferFull),
                    discard: true,
                });
            }
            (Ok(_) | Err(_), None) => {}
        }
    }
}

impl Handler<AwaitFlush> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: AwaitFlush, ctx: &mut Self::Context) {
        // It may have been handed to the WebSocket before anybody waited.
        if let Some(link) = self.link() {
            link.notify_drained();
            self.signalled = true;
        }
        self.with_session(ctx, |_, _| ());
    }
}

impl Handler<Deliver> for SocketActor {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Self::Context) {
        self.socket.delivered();
        match deliver {
            Deliver::One(send) => self.accept(send),
            Deliver::Many(many) => self.take_many(many),
            Deliver::Waiting => self.take_waiting(),
        }
        self.push_out(ctx);
    }
}

impl Handler<CloseSession> for SocketActor {
    type Result = ();

    fn handle(&mut self, message: CloseSession, ctx: &mut Self::Context) {
        self.catch_up();
        self.with_self(ctx, |actor, now| actor.close(now, message));
    }
}

impl Handler<Heartbeat> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, ctx: &mut Self::Context) {
        self.with_self(ctx, |actor, now| {
            actor.is_woken(now);
            actor.handle_timeout(now);
        });
    }
}

impl Handler<Unpolled> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: Unpolled, ctx: &mut Self::Context) {
        if self.place.unpolled().is_some() {
            let close = Close::because(CloseReason::PingTimeout, "never polled");
            self.with_session(ctx, |session, _| session.abort(close));
        }
    }
}

impl Handler<Poll> for SocketActor {
    type Result = ();

    fn handle(&mut self, Poll { id, answer }: Poll, ctx: &mut Self::Context) {
        let mut parked = None;
        self.with_self(ctx, |actor, now| match actor.session.handle_poll(now, id) {
            Ok(()) => {
                actor.place.polled();
                actor.aside().poll = Some((id, answer));
            }
            // The answer to the poll that waited comes first.
            Err(refusal) => parked = Some((answer, refusal)),
        });
        if let Some((answer, refusal)) = parked {
            let _ = answer.send(Err(refusal));
        }
    }
}

impl Handler<Rest> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: Rest, _: &mut Self::Context) {
        self.session.rest();
    }
}

impl Handler<PollAborted> for SocketActor {
    type Result = ();

    fn handle(&mut self, PollAborted(id): PollAborted, ctx: &mut Self::Context) {
        self.aside().poll.take_if(|(poll, _)| *poll == id);
        self.with_session(ctx, |session, _| session.handle_poll_gone(id));
    }
}

impl Handler<Push> for SocketActor {
    type Result = ();

    fn handle(
        &mut self,
        Push {
            id,
            binary,
            body,
            answer,
        }: Push,
        ctx: &mut Self::Context,
    ) {
        let (mut refused, mut held) = (None, None);
        self.with_self(ctx, |actor, now| {
            match actor.session.handle_push(now, id, binary) {
                Ok(()) => {
                    actor.aside().push = Some((id, answer));
                    match body {
                        Some(body) if actor.takes_input(now) => actor.session.handle_payload(now, id, body),
                        body => held = body,
                    }
                }
                Err(refusal) => refused = Some((answer, refusal)),
            }
        });
        if let Some((answer, refusal)) = refused {
            let _ = answer.send(Err(refusal));
        }
        if let Some(body) = held {
            ctx.spawn(Held(Some(Payload { id, body: Ok(body) })));
        }
    }
}

impl Handler<PushBegun> for SocketActor {
    type Result = ();

    fn handle(&mut self, PushBegun(id): PushBegun, ctx: &mut Self::Context) {
        self.with_session(ctx, |session, _| session.handle_push_begun(id));
    }
}

impl Handler<Payload> for SocketActor {
    type Result = ();

    fn handle(&mut self, payload: Payload, ctx: &mut Self::Context) {
        if payload.body.is_ok() && !self.takes_input(clock::now()) {
            ctx.spawn(Held(Some(payload)));
            return;
        }
        let Payload { id, body } = payload;
        self.with_session(ctx, |session, now| match body {
            Ok(body) => session.handle_payload(now, id, body),
            Err(refusal) => session.handle_push_failed(id, refusal),
        });
    }
}

/// A POST that waits until the application has caught up; its client sends no other before this one is answered.
struct Held(Option<Payload>);

impl ActorFuture<SocketActor> for Held {
    type Output = ();

    /// Polled with every wake of the actor, so that [`Resume`] need not do more than wake it.
    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut SocketActor,
        ctx: &mut Context<SocketActor>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if !actor.takes_input(clock::now()) {
            return std::task::Poll::Pending;
        }
        if let Some(payload) = self.0.take() {
            Handler::handle(actor, payload, ctx);
        }
        std::task::Poll::Ready(())
    }
}

impl Handler<Resume> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: Resume, ctx: &mut Self::Context) {
        self.with_session(ctx, |_, _| ());
    }
}

impl Handler<Attempt> for SocketActor {
    type Result = ();

    fn handle(&mut self, Attempt(offer): Attempt, ctx: &mut Self::Context) {
        self.with_self(ctx, |actor, now| {
            if actor.session.handle_websocket(now).is_ok() {
                drop(offer.take());
            }
        });
    }
}

impl Handler<Probe> for SocketActor {
    type Result = ();

    fn handle(&mut self, Probe { id, offer }: Probe, ctx: &mut Self::Context) {
        self.with_self(ctx, |actor, now| {
            if actor.session.handle_probe(now, id).is_ok()
                && let Some(link) = offer.take()
            {
                actor.answer_probe(&link);
                actor.aside().probe = Some((id, link));
            }
        });
    }
}

impl Handler<Upgrade> for SocketActor {
    type Result = ();

    fn handle(&mut self, Upgrade { id, offer }: Upgrade, ctx: &mut Self::Context) {
        let now = clock::now();
        if self.session.handle_upgrade(now, id).is_ok()
            && let Some(carrier) = offer.take()
        {
            let probe = self.aside().probe.take();
            match carrier {
                Carrier::Link(link) => {
                    link.adopt();
                    self.signalled = true;
                    self.aside().link = Some(link);
                }
                Carrier::Wire(mut handed) => {
                    // `3probe` may not have left: the client need not wait for it.
                    if let Some((_, link)) = probe {
                        handed.send_first(&link);
                    }
                    self.adopt(*handed, None, ctx);
                }
            }
        }
        self.drain(now, ctx);
    }
}

impl Handler<Adopt> for SocketActor {
    type Result = ();

    fn handle(&mut self, Adopt(offer): Adopt, ctx: &mut Self::Context) {
        // A session that has ended meanwhile has no use for it; the offer tells the peer.
        if !self.is_over()
            && let Some(handed) = offer.take()
        {
            self.adopt(handed, Some(OPEN_DELAY), ctx);
        }
        self.drain(clock::now(), ctx);
    }
}

impl Handler<WireLost> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: WireLost, ctx: &mut Self::Context) {
        let close = Close::new(CloseReason::TransportClose);
        self.with_session(ctx, |session, _| session.handle_websocket_lost(close));
    }
}

impl Handler<ProbeLost> for SocketActor {
    type Result = ();

    fn handle(&mut self, ProbeLost(id): ProbeLost, ctx: &mut Self::Context) {
        self.aside().probe.take_if(|(probe, _)| *probe == id);
        self.with_session(ctx, |session, _| session.handle_probe_lost(id));
    }
}

impl Handler<LinkSignal> for SocketActor {
    type Result = ();

    fn handle(&mut self, _: LinkSignal, ctx: &mut Self::Context) {
        self.signalled = true;
        self.with_session(ctx, |_, _| ());
    }
}
