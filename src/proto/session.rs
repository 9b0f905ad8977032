//! The state machine of one client: every rule about a session is decided here and below. Knows no clock,
//! socket or actor: time and what happened come in by `handle_*`, what to do goes out by `poll_*`.

mod answering;
mod flush;
mod full;
mod open;
mod passing;
mod polling;
mod tally;
#[cfg(test)]
mod tests;
mod upgrade;
mod websocket;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::close::{Close, CloseReason, Detail, SendError};
use super::event::{Event, Events, Output};
use super::queue::Queue;
use super::state::{Link, State};
use super::timer::{Beat, Heartbeat, LONGEST_PING, Pace};
use super::{Packet, PacketType, ReadyState, Revision, Transport};
use crate::{Config, Data};

/// How long a closing session waits for the poll that takes its last packets (engine.io's figure).
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

pub use answering::Answering;
pub use flush::OutgoingFrame;
pub use full::{FullPolicy, Gone, Terms};
pub use passing::Passing;
pub use tally::{Messages, Tally};

/// What a packet costs in the write buffer beyond its bytes: empty ones must not be free.
const PACKET_OVERHEAD: usize = 64;

/// How many bytes of [`Config::max_buffered_bytes`] a message takes: its length and 64 more.
pub fn cost(data: &Data) -> usize {
    data.len() + PACKET_OVERHEAD
}

fn pace(config: &Config) -> Pace {
    Pace {
        interval: config.ping_interval.min(LONGEST_PING),
        timeout: config.ping_timeout.min(LONGEST_PING),
    }
}

/// One client, from handshake to close.
///
/// # How to drive it
///
/// Do one thing (a `handle_*`, [`send`](Session::send), [`close`](Session::close) ...), then drain:
/// call [`poll_output`](Session::poll_output) until it returns `None`, then, if the transport is a
/// WebSocket with room, [`poll_frame`](Session::poll_frame) until *it* returns `None`, both again until
/// neither has anything (the last frame may be followed by a drain event or by the end), then arrange for [`handle_timeout`](Session::handle_timeout) at [`poll_timeout`](Session::poll_timeout).
/// Draining may call back into [`send`](Session::send) and [`close`](Session::close) at any point.
///
/// `now` must never go backwards. `examples/session.rs` shows a session driven by hand.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Session {
    config: Arc<Config>,
    revision: Revision,
    /// Whether binary travels as base64 on every transport (`b64=1`).
    base64: bool,
    interest: Events,
    state: State,
    heartbeat: Heartbeat,
    outputs: Queue<Output>,
    buffer: Queue<Outgoing>,
    buffered: usize,
    /// What of it was taken by `send`: that alone is what `send` is bounded by, lest a ping in the buffer makes a
    /// driver that reserves room beforehand believe in room that is not there.
    taken: usize,
    /// The number of the last message taken by `send`.
    sent: u64,
    /// How many packets at the buffer's head were told by a `Flush` and wait for the WebSocket's room.
    flushing: u32,
    /// How many volatile messages wait in the buffer.
    volatile: u32,
    /// The driver takes no input: see [`hold_input`](Self::hold_input).
    holds_input: bool,
    /// The last poll that carried away something other than a noop.
    last_reply: Option<super::event::PollId>,
    tally: Tally,
}

/// A packet in the write buffer.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Outgoing {
    packet: Packet,
    compress: bool,
    /// For a message that `send` took its number, else that of the last one before it.
    number: u64,
    /// Set if it is volatile. Apart, since few are, and a session keeps room for some packets.
    key: Option<Box<u64>>,
}

impl Session {
    /// A session that is opening: it takes messages, and nothing leaves before [`open`](Self::open).
    pub fn new(
        config: Arc<Config>,
        revision: Revision,
        base64: bool,
        interest: Events,
        now: Instant,
    ) -> Self {
        let heartbeat = Heartbeat::new(revision, pace(&config), now);
        Session {
            config,
            revision,
            base64,
            interest,
            state: State::Opening { close: None },
            heartbeat,
            outputs: Queue::default(),
            buffer: Queue::default(),
            buffered: 0,
            taken: 0,
            sent: 0,
            flushing: 0,
            volatile: 0,
            holds_input: false,
            last_reply: None,
            tally: Tally::default(),
        }
    }

    /// The revision of the protocol that this session speaks.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Where it is in its life.
    pub fn ready_state(&self) -> ReadyState {
        self.state.ready_state()
    }

    /// The current transport; none before the session is open and after it is closed.
    pub fn transport(&self) -> Option<Transport> {
        self.state.transport()
    }

    /// How many bytes wait in the write buffer, counted by [`cost`].
    pub fn buffered_bytes(&self) -> usize {
        self.buffered
    }

    /// Which events are told from now on. `Close` is told in any case.
    pub fn set_interest(&mut self, interest: Events) {
        self.interest = interest;
    }

    /// Takes a message and returns its number: messages are numbered from 1, and are flushed in order.
    ///
    /// # Errors
    /// [`SendError::Closed`] once the session is closing; [`SendError::Full`] when the write buffer has
    /// no room, [`SendError::TooLarge`] when it never will.
    pub fn send(&mut self, data: Data, compress: bool) -> Result<u64, SendError> {
        self.send_by(data, compress, Terms::default(), |_| ())
    }

    /// Ends the session in good order: what is buffered leaves first, at most 30 s are given to it.
    /// What the client has sent and nobody was told of is not told any more.
    pub fn close(&mut self, now: Instant, close: impl Into<Close>) {
        self.forget_input();
        self.state.close(close.into(), now + CLOSE_TIMEOUT);
        self.answer_last_poll();
    }

    /// Ends the session at once; what is buffered is dropped, and so is what nobody was told of.
    pub fn abort(&mut self, close: impl Into<Close>) {
        self.forget_input();
        self.close_with_answer();
        self.end(close);
    }

    /// Brings the session up to `now`: sends the ping that is due, ends what is overdue.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_closing(now);
        self.expire_farewell(now);
        self.expire_push(now);
        self.expire_probe(now);
        if self.state.link().is_none() {
            return;
        }
        if self.holds_input && !self.is_not_fetched() {
            self.heartbeat.excuse(pace(&self.config), now);
        }
        while let Some(beat) = self.heartbeat.handle_timeout(pace(&self.config), now) {
            match beat {
                Beat::Ping => self.queue(Packet::new(PacketType::Ping), false, None),
                Beat::Dead => {
                    let ago_ms = u32::try_from(self.heartbeat.silence(now).as_millis()).unwrap_or(u32::MAX);
                    let close = Close::new(CloseReason::PingTimeout);
                    return self.end(close.with(Detail::LastSeen { ago_ms }));
                }
            }
        }
    }

    /// Tells the session that its driver hands it no input, because the application lags, or that it does so again.
    /// Meanwhile the client is not held to what it cannot be heard to do: pings go on, but its silence ends nothing,
    /// and no push is overdue. A client that does not poll has no such excuse.
    #[inline]
    pub fn hold_input(&mut self, now: Instant, holds: bool) {
        if std::mem::replace(&mut self.holds_input, holds) && !holds {
            self.take_input_again(now);
        }
    }

    /// What was sent meanwhile is still to be read.
    #[cold]
    fn take_input_again(&mut self, now: Instant) {
        self.heartbeat.excuse(pace(&self.config), now);
        let deadline = now + pace(&self.config).timeout;
        if let Some(push) = self.state.push_mut() {
            push.deadline = push.deadline.max(deadline);
        }
    }

    /// Gives back memory that it has no use for now: half a kilobyte, once messages have flowed. To be called when
    /// nothing is expected to happen for a while; it changes nothing else.
    pub fn rest(&mut self) {
        self.buffer.rest();
        self.outputs.rest();
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` when nothing will happen any
    /// more, and the session may be dropped.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if let State::Closed { farewell } = self.state {
            return farewell;
        }
        let link = self.state.link()?;
        let mut due = self.heartbeat.due();
        let mut earlier = |other: Option<Instant>| due = other.map_or(due, |other| due.min(other));
        if let State::Closing { deadline, .. } = self.state {
            earlier(Some(deadline));
        }
        if !self.holds_input {
            earlier(self.state.push().map(|push| push.deadline));
        }
        if let Link::Polling(polling) = link {
            earlier(polling.probe.as_ref().map(|probe| probe.deadline));
            earlier(polling.probe.as_ref().and_then(|probe| probe.noop_at));
        }
        Some(due)
    }

    /// What to do next, until `None`.
    #[inline]
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            // Mostly there is nothing, and this is asked often.
            if matches!(self.state, State::Open(Link::WebSocket(_))) {
                return None;
            }
            self.flush_poll();
            self.finish_closing();
        }
        self.outputs.pop_front()
    }

    /// The next message, if the application is to be told of one next: what [`poll_output`](Self::poll_output) would
    /// have brought.
    pub fn poll_message(&mut self) -> Option<Data> {
        match self.outputs.pop_front()? {
            Output::Event(Event::Message(data)) => Some(data),
            other => {
                self.outputs.push_front(other);
                None
            }
        }
    }

    /// Whoever has ended the session listens no more.
    fn forget_input(&mut self) {
        self.outputs
            .retain(|output| !matches!(output, Output::Event(Event::Message(_) | Event::Packet(_))));
    }

    fn expire_closing(&mut self, now: Instant) {
        if let State::Closing { close, deadline, .. } = &self.state
            && *deadline <= now
        {
            let close = Close::clone(close);
            self.end(close);
        }
    }

    /// Every way to `Closed` leads through here.
    fn end(&mut self, close: impl Into<Close>) {
        let close = close.into();
        let state = std::mem::replace(&mut self.state, State::Closed { farewell: None });
        match state {
            State::Closed { .. } => return,
            State::Opening { .. } => {}
            State::Open(link) | State::Closing { link, .. } => match link {
                Link::Polling(polling) => self.end_polling(*polling, &close),
                Link::WebSocket(websocket) => self.end_websocket(websocket, close.clone()),
            },
        }
        self.buffer = Queue::default();
        self.buffered = 0;
        self.taken = 0;
        self.volatile = 0;
        if matches!(
            close.reason,
            CloseReason::TransportError
                | CloseReason::ParseError
                | CloseReason::Panicked
                | CloseReason::BufferFull
        ) {
            self.tell(Events::ERROR, || Event::Error(close.clone()));
        }
        self.outputs.push_back(Output::Event(Event::Close(close)));
    }

    /// A packet of the client, in order, whatever the transport.
    fn handle_packet(&mut self, now: Instant, packet: Packet) {
        self.heartbeat.seen(now);
        if matches!(self.state, State::Closed { .. }) {
            return;
        }
        self.tell(Events::PACKET, || Event::Packet(packet.clone()));
        match (packet.kind, self.revision) {
            // After `close` nobody listens any more.
            (PacketType::Message, _) if matches!(self.state, State::Open(_)) => {
                self.tally.came_in(Messages::of(&packet));
                self.tell(Events::MESSAGE, || Event::Message(packet.data));
            }
            (PacketType::Close, _) => self.handle_close(now),
            (PacketType::Ping, Revision::V3) => {
                self.queue(
                    Packet {
                        kind: PacketType::Pong,
                        data: packet.data,
                    },
                    false,
                    None,
                );
                // One pong too many may have ended the session, and nothing is told after that.
                if !matches!(self.state, State::Closed { .. }) {
                    self.tell(Events::HEARTBEAT, || Event::Heartbeat);
                }
            }
            (PacketType::Pong, Revision::V4) => {
                if let Some(round_trip) = self.heartbeat.pong(pace(&self.config), now) {
                    self.tally.beat(round_trip);
                    self.tell(Events::HEARTBEAT, || Event::Heartbeat);
                }
            }
            (PacketType::Ping, Revision::V4) | (PacketType::Pong, Revision::V3) => {
                self.end(Close::because(
                    CloseReason::TransportError,
                    "invalid heartbeat direction",
                ));
            }
            // A client has no business to send these; engine.io ignores them, and so do we.
            (PacketType::Message | PacketType::Open | PacketType::Upgrade | PacketType::Noop, _) => {}
        }
    }

    /// Puts a packet in the write buffer. It leaves when the driver drains.
    fn queue(&mut self, packet: Packet, compress: bool, key: Option<u64>) {
        self.created(&packet);
        self.buffered += cost(&packet.data);
        self.buffer.push_back(Outgoing {
            packet,
            compress,
            number: self.sent,
            key: key.map(Box::new),
        });
        // Messages are refused before they come here; this bounds what a client makes us say.
        let greeting = self.config.initial_packet.as_ref().map_or(0, cost);
        if self.buffered - self.taken > self.config.max_http_buffer_size + greeting + 4096 {
            self.end(CloseReason::BufferFull);
        }
    }

    fn created(&mut self, packet: &Packet) {
        self.tell(Events::PACKET_CREATE, || Event::PacketCreate(packet.clone()));
    }

    fn tell(&mut self, kind: Events, event: impl FnOnce() -> Event) {
        if self.interest.contains(kind) {
            self.outputs.push_back(Output::Event(event()));
        }
    }
}
