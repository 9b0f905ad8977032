//! The far side of a session: what its client has in hand, and the tasks that poll, push and keep the heartbeat.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

use actix_rt::task::JoinHandle;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::Data;
use crate::actor::Socket;
use crate::actor::transport::{PendingPoll, PendingPush};
use crate::proto::payload::{self, Body};
use crate::proto::{Packet, PacketType, PushBody, Refusal, Revision};

/// What the tasks of a client share with it. Whoever waits is woken by each change and looks again.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) socket: Socket,
    state: RefCell<State>,
    changed: Arc<Changed>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// What came in and nobody has expected yet.
    pub(super) inbox: VecDeque<Data>,
    /// What has not left.
    pub(super) outgoing: Vec<Packet>,
    /// The open packet has come.
    pub(super) opened: bool,
    /// Nothing is read.
    pub(super) stalled: bool,
    /// No more requests begin, since an upgrade waits for those under way.
    pub(super) paused: bool,
    /// A GET is under way.
    pub(super) polling: bool,
    /// A POST is under way.
    pub(super) pushing: bool,
    /// Nothing more comes in.
    pub(super) over: bool,
}

/// A waker, too, for what the server wakes.
#[derive(Debug, Default)]
struct Changed(Notify);

impl Wake for Changed {
    fn wake(self: Arc<Self>) {
        self.0.notify_waiters();
    }
}

impl Peer {
    pub(super) fn new(socket: Socket) -> Rc<Self> {
        Rc::new(Peer {
            socket,
            state: RefCell::default(),
            changed: Arc::default(),
        })
    }

    pub(super) fn waker(&self) -> Waker {
        self.changed.clone().into()
    }

    /// Comes with each change from here on.
    pub(super) fn change(&self) -> Notified<'_> {
        self.changed.0.notified()
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.borrow_mut())
    }

    pub(super) fn update<T>(&self, update: impl FnOnce(&mut State) -> T) -> T {
        let updated = self.look(update);
        self.changed.0.notify_waiters();
        updated
    }

    /// Waits for what `look` looks for.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let change = self.change();
            if let Some(found) = self.look(&mut look) {
                return found;
            }
            change.await;
        }
    }

    /// A packet came in.
    pub(super) fn handle(&self, packet: Packet) {
        self.update(|state| match packet.kind {
            PacketType::Open => state.opened = true,
            PacketType::Ping => state.outgoing.push(Packet {
                kind: PacketType::Pong,
                ..packet
            }),
            PacketType::Message => state.inbox.push_back(packet.data),
            PacketType::Close => state.over = true,
            PacketType::Pong | PacketType::Upgrade | PacketType::Noop => {}
        });
    }

    /// The answer to a poll came in.
    pub(super) fn handle_payload(&self, Body { bytes, binary }: Body) {
        for packet in payload::decode(bytes, self.socket.protocol(), binary) {
            self.handle(packet.expect("the server encodes what can be decoded"));
        }
    }

    /// Polls, again and again.
    pub(super) async fn poll(self: Rc<Self>) {
        let mut over = false;
        while !over {
            self.until(|state| (!state.stalled && !state.paused).then_some(()))
                .await;
            self.update(|state| state.polling = true);
            let answer = PendingPoll::new(self.socket.clone()).await;
            self.until(|state| (!state.stalled).then_some(())).await;
            match answer {
                Ok(reply) => self.handle_payload(reply.body),
                Err(_) => self.look(|state| state.over = true),
            }
            over = self.update(|state| {
                state.polling = false;
                state.over
            });
        }
    }

    /// Sends what is to be sent by one POST after the other, as much by each as engine.io-client would.
    pub(super) async fn push(self: Rc<Self>) {
        let mut result = Ok(());
        while result.is_ok() {
            self.until(|state| (!state.paused && !state.outgoing.is_empty()).then_some(()))
                .await;
            let packets = self.update(|state| {
                state.pushing = true;
                let count = self.fitting(&state.outgoing);
                state.outgoing.drain(..count).collect::<Vec<_>>()
            });
            result = self.push_packets(&packets).await;
            self.update(|state| state.pushing = false);
        }
    }

    /// How many of the packets go into one POST: in revision 4, whose handshake tells the limit, as many as it lets
    /// in, and always one.
    fn fitting(&self, packets: &[Packet]) -> usize {
        let revision = self.socket.protocol();
        if revision == Revision::V3 {
            return packets.len();
        }
        let limit = self.socket.server().config().max_http_buffer_size;
        // One more for the separator, which the last packet does without.
        let ends = packets.iter().scan(0, |end, packet| {
            *end += payload::encoded_len([packet], revision, true) + 1;
            Some(*end - 1)
        });
        ends.take_while(|end| *end <= limit).count().max(1)
    }

    async fn push_packets(&self, packets: &[Packet]) -> Result<(), Refusal> {
        let Body { bytes, binary } = payload::encode(packets, self.socket.protocol(), true);
        let size = bytes.len();
        let mut push = PendingPush::new(self.socket.clone(), binary, None);
        push.complete(match size <= self.socket.server().config().max_http_buffer_size {
            true => Ok(PushBody { bytes, binary }),
            false => Err(Refusal::PayloadTooLarge { size: size as u64 }),
        });
        push.await
    }

    /// The heartbeat of revision 3, where the client sends the pings.
    pub(super) async fn ping(self: Rc<Self>) {
        loop {
            actix_rt::time::sleep(self.socket.server().config().ping_interval).await;
            self.until(|state| (!state.stalled).then_some(())).await;
            self.update(|state| state.outgoing.push(Packet::new(PacketType::Ping)));
        }
    }
}

/// A task that ends with its holder.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn spawn(task: impl Future<Output = ()> + 'static) -> Self {
        Task(actix_rt::spawn(task))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
