//! The client of the model: engine.io-client as a state machine. It polls one at a time, posts one at a time,
//! probes, pauses polling at `3probe` and sends `5` when poll and POST are through. Knows no network: what it
//! wants of it are [`Effect`]s.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Message, PING_INTERVAL, PING_TIMEOUT, Violation};
use crate::proto::{Packet, PacketType, Probe as ServerProbe};

/// What the client wants of the network.
#[derive(Debug)]
pub(super) enum Effect {
    Get,
    Post(Vec<Packet>),
    OpenWebSocket,
    SendFrame(Packet),
    CloseWebSocket,
}

/// Where clients differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Habits {
    /// Whether it tries to move to WebSocket.
    pub(super) upgrades: bool,
    /// Whether it polls on when a WebSocket is lost that had answered `3probe`. engine.io-client does not: it
    /// stays paused until its ping timeout.
    pub(super) resumes: bool,
    /// Whether it sends `5` while its POST is still being read. engine.io-client waits for the answer.
    pub(super) hasty: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ready {
    Opening,
    Open,
    Closing,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Polling {
    Running,
    Pausing,
    Paused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Probe {
    None,
    Connecting,
    Sent,
    /// `3probe` has come; polling pauses.
    Answered,
    Failed,
    /// `5` is sent: the WebSocket is the transport.
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    habits: Habits,
    pub(super) ready: Ready,
    pub(super) probe: Probe,
    polling: Polling,
    /// Whether a poll is on its way.
    polls: bool,
    /// How many packets of the buffer's head a POST carries right now.
    writing: usize,
    /// Whether the server has seen the head of that POST.
    announced: bool,
    pub(super) buffer: VecDeque<Packet>,
    /// Messages sent, and the last one received.
    pub(super) sent: Message,
    pub(super) received: Message,
    /// When it gives the server up.
    pub(super) ping_deadline: Option<Instant>,
}

impl Client {
    /// A client whose first poll, the handshake, is on its way.
    pub(super) fn new(habits: Habits) -> Self {
        Client {
            habits,
            ready: Ready::Opening,
            probe: Probe::None,
            polling: Polling::Running,
            polls: true,
            writing: 0,
            announced: false,
            buffer: VecDeque::new(),
            sent: 0,
            received: 0,
            ping_deadline: None,
        }
    }

    pub(super) fn on_websocket(&self) -> bool {
        self.probe == Probe::Done
    }

    /// What engine.io-client calls `upgrading`: nothing is written meanwhile.
    fn is_upgrading(&self) -> bool {
        self.polling != Polling::Running && !self.on_websocket()
    }

    /// The fate of an engine.io-client whose WebSocket died between `3probe` and `5`.
    pub(super) fn is_stranded(&self) -> bool {
        self.probe == Probe::Failed && self.polling != Polling::Running
    }

    pub(super) fn is_idle(&self) -> bool {
        self.buffer.is_empty() && matches!(self.probe, Probe::None | Probe::Failed | Probe::Done)
    }

    pub(super) fn send(&mut self, fx: &mut Vec<Effect>) {
        self.sent += 1;
        self.buffer.push_back(super::message(self.sent));
        self.flush(fx);
    }

    pub(super) fn close(&mut self, fx: &mut Vec<Effect>) {
        self.ready = Ready::Closing;
        self.maybe_close(fx);
    }

    /// A closing client waits until everything is written and no upgrade is on.
    fn maybe_close(&mut self, fx: &mut Vec<Effect>) {
        let busy = !self.buffer.is_empty() || self.is_upgrading() && !self.is_stranded();
        if self.ready == Ready::Closing && !busy {
            self.end(fx);
        }
    }

    /// The end, for whatever reason. On polling the server is told by a POST.
    fn end(&mut self, fx: &mut Vec<Effect>) {
        let opened = self.ready != Ready::Opening;
        self.ready = Ready::Closed;
        self.ping_deadline = None;
        if !self.on_websocket() && self.polling == Polling::Running && opened {
            fx.push(Effect::Post(vec![Packet::new(PacketType::Close)]));
        }
        fx.push(Effect::CloseWebSocket);
        self.buffer.clear();
    }

    pub(super) fn poll_answered(
        &mut self,
        now: Instant,
        packets: Vec<Packet>,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        for packet in packets {
            if self.ready == Ready::Closed || self.on_websocket() {
                return Ok(());
            }
            if packet.kind == PacketType::Close {
                // Told by the server: no POST.
                self.polling = Polling::Paused;
                self.end(fx);
                return Ok(());
            }
            self.packet(now, packet, fx)?;
        }
        if self.ready == Ready::Closed {
            return Ok(());
        }
        self.polls = false;
        match self.polling {
            Polling::Running => self.poll(fx),
            _ => self.paused(fx),
        }
        Ok(())
    }

    fn poll(&mut self, fx: &mut Vec<Effect>) {
        self.polls = true;
        fx.push(Effect::Get);
    }

    pub(super) fn post_announced(&mut self, fx: &mut Vec<Effect>) {
        self.announced = true;
        if self.ready != Ready::Closed {
            self.paused(fx);
        }
    }

    pub(super) fn post_answered(&mut self, fx: &mut Vec<Effect>) {
        if self.ready == Ready::Closed || self.on_websocket() {
            return;
        }
        self.buffer.drain(..std::mem::take(&mut self.writing));
        self.flush(fx);
        self.maybe_close(fx);
        self.paused(fx);
    }

    /// A request was refused or cut.
    pub(super) fn request_failed(&mut self, fx: &mut Vec<Effect>) {
        if self.ready != Ready::Closed {
            self.end(fx);
        }
    }

    pub(super) fn ping_timeout(&mut self, fx: &mut Vec<Effect>) {
        self.end(fx);
    }

    pub(super) fn websocket_open(&mut self, fx: &mut Vec<Effect>) {
        self.probe = Probe::Sent;
        fx.push(Effect::SendFrame(ServerProbe::ping()));
    }

    pub(super) fn websocket_lost(&mut self, fx: &mut Vec<Effect>) {
        match self.probe {
            _ if self.ready == Ready::Closed => {}
            Probe::Done => self.end(fx),
            _ => {
                self.probe = Probe::Failed;
                if self.polling != Polling::Running && self.habits.resumes {
                    self.polling = Polling::Running;
                    if !self.polls {
                        self.poll(fx);
                    }
                    self.flush(fx);
                }
                self.maybe_close(fx);
            }
        }
    }

    pub(super) fn frame(
        &mut self,
        now: Instant,
        packet: Packet,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        match self.probe {
            _ if self.ready == Ready::Closed => Ok(()),
            Probe::Done => self.packet(now, packet, fx),
            Probe::Sent if packet == ServerProbe::pong() => {
                self.probe = Probe::Answered;
                self.polling = Polling::Pausing;
                self.paused(fx);
                Ok(())
            }
            Probe::Failed => Ok(()),
            _ => Err("the client got a frame before it sent `5`"),
        }
    }

    /// Sends `5` as soon as polling rests.
    fn paused(&mut self, fx: &mut Vec<Effect>) {
        let rests = !self.polls && (self.writing == 0 || self.habits.hasty && self.announced);
        if self.polling != Polling::Pausing || !rests {
            return;
        }
        self.polling = Polling::Paused;
        if self.probe == Probe::Answered {
            self.probe = Probe::Done;
            fx.push(Effect::SendFrame(Packet::new(PacketType::Upgrade)));
            self.buffer.drain(..std::mem::take(&mut self.writing));
            self.flush(fx);
            self.maybe_close(fx);
        }
    }

    fn flush(&mut self, fx: &mut Vec<Effect>) {
        if matches!(self.ready, Ready::Opening | Ready::Closed) || self.buffer.is_empty() {
            return;
        }
        if self.on_websocket() {
            fx.extend(self.buffer.drain(..).map(Effect::SendFrame));
        } else if self.polling == Polling::Running && self.writing == 0 {
            self.writing = self.buffer.len();
            self.announced = false;
            fx.push(Effect::Post(self.buffer.iter().cloned().collect()));
        }
    }

    fn packet(&mut self, now: Instant, packet: Packet, fx: &mut Vec<Effect>) -> Result<(), Violation> {
        match packet.kind {
            PacketType::Open => {
                self.ready = Ready::Open;
                self.ping_deadline = Some(now + PING_INTERVAL + PING_TIMEOUT);
                self.flush(fx);
                if self.habits.upgrades {
                    self.probe = Probe::Connecting;
                    fx.push(Effect::OpenWebSocket);
                }
            }
            PacketType::Ping => {
                self.ping_deadline = Some(now + PING_INTERVAL + PING_TIMEOUT);
                if self.ready == Ready::Open {
                    self.buffer.push_back(Packet::new(PacketType::Pong));
                    self.flush(fx);
                }
            }
            PacketType::Message => {
                if super::number(&packet) != self.received + 1 {
                    return Err("the client got a message twice, out of order, or after a gap");
                }
                self.received += 1;
            }
            PacketType::Noop => {}
            PacketType::Close | PacketType::Pong | PacketType::Upgrade => {
                return Err("the client got a packet that no server sends");
            }
        }
        Ok(())
    }
}

impl std::hash::Hash for Client {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let fixed = (
            self.ready,
            self.probe,
            self.polling,
            self.polls,
            self.writing,
            self.announced,
        );
        (fixed, self.sent, self.received, self.ping_deadline).hash(state);
        self.buffer.len().hash(state);
        for packet in &self.buffer {
            super::hash_packet(packet, state);
        }
    }
}
