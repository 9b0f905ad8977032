//! The world around a session, for the fuzz target: a client, an application and a driver that note what they did
//! and hold everything that the session says against it.

mod client;
mod outcome;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engineio::proto::{
    Close, CloseReason, DecodeError, Events, Packet, PollId, ProbeId, PushId, ReadyState, Revision,
    SendError, Session, Sid, Transport, cost,
};
use engineio::{Config, Data};

use super::Seen;

/// Marks the client's own messages.
const MARK: char = '\u{1}';

pub(crate) struct Setup {
    pub(crate) config: Arc<Config>,
    pub(crate) revision: Revision,
    pub(crate) base64: bool,
    pub(crate) interest: Events,
    /// Where it opens.
    pub(crate) transport: Transport,
    /// Whether it opens before anything else happens.
    pub(crate) opens: bool,
    /// Whether the application answers each message while the session is drained.
    pub(crate) echoes: bool,
    /// Whether the WebSocket takes frames at first.
    pub(crate) room: bool,
}

/// A POST that was let in.
struct PushUnderWay {
    id: PushId,
    messages: Vec<Packet>,
    /// The number of the last of them.
    last: Option<u64>,
    deadline: Instant,
}

pub(crate) struct Driver<'a> {
    setup: Setup,
    seen: &'a mut Seen,
    session: Session,
    now: Instant,
    /// The last thing that was done, for what is noted of its outcome.
    action: &'static str,
    opened: bool,
    next_id: u32,

    /// Polls let in and not answered, with when they came.
    polls: HashMap<PollId, Instant>,
    answered: Vec<PollId>,
    pushes: Vec<PushUnderWay>,
    probes: HashSet<ProbeId>,
    last_probe: ProbeId,
    /// Whether the WebSocket takes frames.
    room: bool,
    websocket_open: bool,
    /// What the WebSocket brought and could not be handled yet, and whether it is no junk.
    held: VecDeque<(Result<Packet, DecodeError>, bool)>,

    /// What the application sent and no transport has taken: number and cost.
    sent: VecDeque<(u64, usize)>,
    last_sent: u64,
    /// Messages of the client: the last one made, the last one told.
    made: u64,
    told: u64,
    /// Whether what comes in now is the client's own, and no junk.
    real: bool,
    /// The last message that a `Flush` told of.
    flushed: u64,
    /// Whether `close` was asked for.
    closing: bool,
    close: Option<Close>,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(setup: Setup, seen: &'a mut Seen) -> Self {
        let now = Instant::now();
        let session = Session::new(
            Arc::clone(&setup.config),
            setup.revision,
            setup.base64,
            setup.interest,
            now,
        );
        let mut driver = Driver {
            seen,
            session,
            now,
            action: "new",
            opened: false,
            next_id: 0,
            polls: HashMap::new(),
            answered: Vec::new(),
            pushes: Vec::new(),
            probes: HashSet::new(),
            last_probe: ProbeId(0),
            room: setup.room,
            websocket_open: false,
            held: VecDeque::new(),
            sent: VecDeque::new(),
            last_sent: 0,
            made: 0,
            told: 0,
            real: true,
            flushed: 0,
            closing: false,
            close: None,
            setup,
        };
        if driver.setup.opens {
            driver.open();
            driver.drain();
        }
        driver
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    fn is_closed(&self) -> bool {
        self.session.ready_state() == ReadyState::Closed
    }

    pub(crate) fn open(&mut self) {
        self.action = "open";
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        let sid = Sid::parse("lv_VI97HAXpY6yYWAAAC").expect("a valid id");
        self.session.open(self.now, self.setup.transport, &sid);
        self.websocket_open = self.setup.transport == Transport::WebSocket && !self.is_closed();
    }

    pub(crate) fn send(&mut self, padding: usize, binary: bool) {
        self.action = "send";
        let text = format!("{}|{}", self.last_sent + 1, "x".repeat(padding));
        let data = if binary {
            Data::from(text.into_bytes())
        } else {
            Data::from(text)
        };
        // On the short way some of them, as the answers of a handler: they wait nowhere.
        if padding.is_multiple_of(3)
            && let Some(mut answering) = self.session.answer()
        {
            answering.put(&data, padding.is_multiple_of(2));
            self.session.answered(answering);
            self.last_sent += 1;
            self.sent.push_back((self.last_sent, 0));
            return;
        }
        let cost = cost(&data);
        let before = self.session.buffered_bytes();
        let max = self.setup.config.max_buffered_bytes;
        match self.session.send(data, padding.is_multiple_of(2)) {
            Ok(number) => {
                self.last_sent += 1;
                assert_eq!(number, self.last_sent);
                self.sent.push_back((number, cost));
                assert_eq!(self.session.buffered_bytes(), before + cost);
                assert!(self.outstanding() <= max);
            }
            Err(error) => {
                self.seen.note(error.to_string());
                let full = self.outstanding() + cost > max;
                assert_eq!(error == SendError::Closed, !full || !self.takes_messages());
                assert_eq!(self.session.buffered_bytes(), before);
            }
        }
    }

    /// The cost of what was sent and waits.
    fn outstanding(&self) -> usize {
        self.sent.iter().map(|(_, cost)| cost).sum()
    }

    fn takes_messages(&self) -> bool {
        let state = self.session.ready_state();
        state == ReadyState::Open || (state == ReadyState::Opening && !self.closing)
    }

    pub(crate) fn close(&mut self, reason: CloseReason) {
        self.action = "close";
        self.session.close(self.now, reason);
        self.closing = true;
        assert!(self.session.send(Data::from(""), false).is_err());
    }

    pub(crate) fn abort(&mut self, reason: CloseReason) {
        self.action = "abort";
        self.session.abort(reason);
        assert!(self.is_closed());
    }

    pub(crate) fn set_room(&mut self, room: bool) {
        self.action = "room";
        self.room = room;
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.action = "wait";
        self.now += time;
    }

    /// To the next deadline and so many nanoseconds beyond it, and back by one for 999,999,999.
    pub(crate) fn wait_for_timeout(&mut self, late: u64) {
        self.action = "wait for timeout";
        if let Some(due) = self.session.poll_timeout() {
            let due = match late {
                999_999_999 => due.checked_sub(Duration::from_nanos(1)).unwrap_or(due),
                late => due + Duration::from_nanos(late),
            };
            self.now = self.now.max(due);
        }
        self.timeout();
    }

    pub(crate) fn timeout(&mut self) {
        self.action = "timeout";
        // A deadline that stays behind `now` would make the driver spin.
        for _ in 0..4 {
            self.session.handle_timeout(self.now);
            self.drain();
            if self.session.poll_timeout().is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("a deadline of the past stays: {:?}", self.session);
    }
}
