//! Server, client and the network between them: what is under way on each connection. Within a connection order
//! is kept; different connections progress in any order, and each of them can break at any time.

use std::collections::VecDeque;
use std::time::Instant;

use super::client::{Client, Effect, Ready};
use super::network::{Get, Post, Stage, WebSocket};
use super::server::{End, Server};
use super::{Action, Budget, Violation};
use crate::proto::{
    Close, CloseReason, Output, PacketType, PollId, Probe, ProbeId, ProbeStep, PushId, Transport,
};

/// The id of the client's one upgrade attempt.
const PROBE: ProbeId = ProbeId(1);

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) start: Instant,
    pub(super) server: Server,
    pub(super) client: Client,
    pub(super) get: Get,
    pub(super) posts: Vec<Post>,
    pub(super) websocket: Option<WebSocket>,
    pub(super) budget: Budget,
    /// Whether something has happened after which a session may end.
    pub(super) excuse: bool,
    pub(super) polls: u32,
    pub(super) pushes: u32,
}

impl World {
    pub(super) fn new(now: Instant, server: Server, client: Client, budget: Budget) -> Self {
        World {
            now,
            start: now,
            server,
            client,
            get: Get::Sent(PollId(0)),
            posts: Vec::new(),
            websocket: None,
            budget,
            excuse: false,
            polls: 1,
            pushes: 1,
        }
    }

    /// Does one thing and all that follows from it without the network.
    pub(super) fn step(&mut self, action: Action) -> Result<(), Violation> {
        let mut fx = Vec::new();
        self.perform(action, &mut fx)?;
        self.drain()?;
        for effect in fx {
            self.apply(effect)?;
        }
        let open = self.client.ready != Ready::Closed && self.server.closed.is_none();
        if !open && !self.excuse {
            return Err("the session ended for no reason");
        }
        Ok(())
    }

    fn perform(&mut self, action: Action, fx: &mut Vec<Effect>) -> Result<(), Violation> {
        match action {
            Action::ServerSends => self.server.send(),
            Action::ServerCloses => {
                self.excuse = true;
                self.server.session.close(self.now, CloseReason::ForcedClose);
            }
            Action::ClientSends => self.client.send(fx),
            Action::ClientCloses => {
                self.excuse = true;
                self.client.close(fx);
            }
            Action::Pump => {
                let packet = self.server.poll_frame();
                if let (Some(packet), Some(websocket)) = (packet, &mut self.websocket) {
                    websocket.down.push_back(Some(packet));
                }
            }
            Action::Time | Action::TimeEarly => return self.time(action, fx),
            Action::GetMoves => return self.get_moves(fx),
            Action::GetBreaks { server_first } => self.get_breaks(server_first, fx),
            Action::PostMoves(index) => self.post_moves(index, fx),
            Action::PostBreaks { index, server_first } => self.post_breaks(index, server_first, fx),
            Action::WebSocketOpens => self.websocket_opens(fx),
            Action::WebSocketUp => return self.websocket_up(),
            Action::WebSocketDown => return self.websocket_down(fx),
            Action::WebSocketBreaks => self.websocket_breaks(),
            Action::WebSocketStalls => {
                self.excuse |= self.client.on_websocket();
                self.websocket
                    .iter_mut()
                    .for_each(|websocket| websocket.stalls = true);
            }
        }
        Ok(())
    }

    /// When something will happen by itself.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let client = self.client.ping_deadline;
        let server = self.server.session.poll_timeout();
        client.into_iter().chain(server).min()
    }

    fn time(&mut self, action: Action, fx: &mut Vec<Effect>) -> Result<(), Violation> {
        let due = self.next_deadline().ok_or("nothing will ever happen again")?;
        self.now = self.now.max(due);
        if action == Action::TimeEarly && self.now >= self.start + super::PING_INTERVAL {
            self.excuse = true;
        }
        if self.client.is_stranded() {
            self.excuse = true;
        }
        self.server.session.handle_timeout(self.now);
        if self.client.ping_deadline.is_some_and(|due| due <= self.now) {
            self.client.ping_timeout(fx);
        }
        Ok(())
    }

    fn websocket_opens(&mut self, fx: &mut Vec<Effect>) {
        let accepted = self.server.session.handle_websocket(self.now).is_ok();
        if let Some(websocket) = &mut self.websocket {
            websocket.connecting = false;
            if !accepted {
                websocket.close_server();
            }
            if websocket.client_open {
                self.client.websocket_open(fx);
            }
        }
    }

    /// What `WebSocketTransport` and the session do with a frame.
    fn websocket_up(&mut self) -> Result<(), Violation> {
        let Some(websocket) = &mut self.websocket else {
            return Ok(());
        };
        let Some(item) = websocket.up.pop_front() else {
            return Ok(());
        };
        match (&mut websocket.server, item) {
            (_, Some(_)) if websocket.stalls => {}
            (End::Closed, _) => {}
            (End::Session, Some(packet)) => return self.server.frame(self.now, packet),
            (End::Session, None) => {
                websocket.server = End::Closed;
                let lost = Close::new(CloseReason::TransportClose);
                self.server.session.handle_websocket_lost(lost);
            }
            (End::Probing(_), None) => {
                websocket.server = End::Closed;
                self.server.probe_lost(PROBE);
            }
            (End::Probing(probe), Some(packet)) => {
                let accepted = match probe.handle_packet(&packet) {
                    ProbeStep::Probe => self.server.session.handle_probe(self.now, PROBE).map(|()| {
                        websocket.down.push_back(Some(Probe::pong()));
                    }),
                    ProbeStep::Upgrade => self.server.upgrade(self.now, PROBE).map(|repeated| {
                        websocket.server = End::Session;
                        websocket.down.extend(repeated.into_iter().map(Some));
                    }),
                    ProbeStep::Fail => return Err("the client broke the rules of the upgrade"),
                };
                if accepted.is_err() {
                    websocket.close_server();
                    self.excuse |= self.client.on_websocket();
                }
            }
        }
        Ok(())
    }

    fn websocket_down(&mut self, fx: &mut Vec<Effect>) -> Result<(), Violation> {
        let Some(websocket) = &mut self.websocket else {
            return Ok(());
        };
        match websocket.down.pop_front().flatten() {
            _ if !websocket.client_open => {}
            Some(_) if websocket.stalls => {}
            Some(packet) => return self.client.frame(self.now, packet, fx),
            None => {
                websocket.close_client();
                self.client.websocket_lost(fx);
            }
        }
        Ok(())
    }

    /// All that is under way is lost; each side learns of it in its own time.
    fn websocket_breaks(&mut self) {
        self.excuse |= self.client.on_websocket();
        if let Some(websocket) = &mut self.websocket {
            websocket.connecting = false;
            for queue in [&mut websocket.up, &mut websocket.down] {
                queue.clear();
                queue.push_back(None);
            }
        }
    }

    /// Does what the session wants, as `SocketActor` does.
    fn drain(&mut self) -> Result<(), Violation> {
        while let Some(output) = self.server.poll_output()? {
            match output {
                Output::Reply(reply) => match self.get {
                    Get::Parked(poll) if poll == reply.poll => {
                        self.get = Get::Answered(self.server.answered(reply));
                    }
                    Get::ServerUnaware(poll) if poll == reply.poll => {
                        self.get = Get::None;
                        self.server.poll_gone(poll);
                    }
                    _ => return Err("a poll was answered that does not wait (any more)"),
                },
                Output::PushDone { push, result } => self.push_done(push, result.is_ok())?,
                Output::DropProbe(_) => {
                    self.excuse |= self.client.on_websocket();
                    self.close_websocket();
                }
                Output::CloseWebSocket(_) => self.close_websocket(),
                Output::Event(_) => {}
            }
        }
        if self.server.closed.is_some() && matches!(self.get, Get::Parked(_)) {
            return Err("the session ended and its poll was not answered");
        }
        if self.server.closed.is_some() && self.websocket.as_ref().is_some_and(WebSocket::is_known) {
            return Err("the session ended and its WebSocket was left open");
        }
        Ok(())
    }

    fn push_done(&mut self, push: PushId, done: bool) -> Result<(), Violation> {
        let Some(index) = self.posts.iter().position(|post| post.id == push) else {
            return Err("a POST was answered that does not wait (any more)");
        };
        match self.posts[index].stage {
            Stage::Announced | Stage::Begun | Stage::Complete => {
                self.posts[index].stage = if done { Stage::Answered } else { Stage::Refused };
                self.server.gap |= !done;
                self.excuse |= !done;
            }
            Stage::ServerUnaware => {
                self.posts.remove(index);
            }
            Stage::ClientUnaware => {}
            _ => return Err("a POST was answered that does not wait (any more)"),
        }
        Ok(())
    }

    fn close_websocket(&mut self) {
        if let Some(websocket) = &mut self.websocket {
            websocket.close_server();
        }
    }

    fn apply(&mut self, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Get if self.get != Get::None => return Err("the client polls twice"),
            Effect::Get => {
                self.get = Get::Sent(PollId(self.polls));
                self.polls += 1;
            }
            Effect::Post(packets) => {
                let id = PushId(self.pushes);
                self.pushes += 1;
                self.posts.push(Post {
                    id,
                    packets,
                    stage: Stage::Sent,
                });
            }
            Effect::OpenWebSocket => {
                self.websocket = Some(WebSocket {
                    connecting: true,
                    up: VecDeque::new(),
                    down: VecDeque::new(),
                    server: End::Probing(Probe::default()),
                    client_open: true,
                    stalls: false,
                });
            }
            Effect::SendFrame(packet) => {
                if let Some(websocket) = self.websocket.as_mut().filter(|ws| ws.client_open) {
                    let lost = websocket.server == End::Closed || websocket.up.contains(&None);
                    let dead = lost || websocket.stalls;
                    // The client commits itself to a WebSocket that is lost already.
                    self.excuse |= dead && packet.kind == PacketType::Upgrade;
                    websocket.up.push_back(Some(packet));
                }
            }
            Effect::CloseWebSocket => {
                if let Some(websocket) = &mut self.websocket {
                    websocket.close_client();
                }
            }
        }
        Ok(())
    }

    /// Nothing more is to happen, and all is as it should be.
    pub(super) fn is_settled(&self) -> bool {
        if self.server.closed.is_some() && self.client.ready == Ready::Closed {
            return true;
        }
        let server = &self.server;
        let at_rest = match self.client.on_websocket() {
            true => server.is_on(Transport::WebSocket) && self.get == Get::None,
            false => server.is_on(Transport::Polling) && matches!(self.get, Get::Parked(_)),
        };
        at_rest
            && server.is_open()
            && self.client.ready == Ready::Open
            && self.client.is_idle()
            && self.posts.is_empty()
            && server.sent == self.client.received
            && server.received == self.client.sent
            && server.reserved == 0
    }
}
