//! A polling request as its socket sees it: a question with an id, and somebody who waits for the answer. A
//! request that goes away says so.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::actor::handle::Socket;
use crate::actor::messages;
use crate::proto::{PollId, PushBody, PushId, Refusal, Reply};

/// How often a poll lets others have their turn while its session is being upgraded. Twice, since actix polls a request
/// that has just come in twice in one turn.
const WAITS: u8 = 2;

/// A GET that waits for packets. Dropped between question and answer, it ends its session.
#[derive(Debug)]
pub(crate) struct PendingPoll {
    socket: Socket,
    id: PollId,
    answer: oneshot::Receiver<Result<Reply, Refusal>>,
    answered: bool,
    /// How the socket is to answer, as long as it is not asked.
    unasked: Option<oneshot::Sender<Result<Reply, Refusal>>>,
    /// How often it was polled since, for others to have their turn.
    waits: u8,
}

impl PendingPoll {
    /// Asks `socket` for packets; while it is being upgraded not at once: a `5` that came before this request may not have
    /// been read yet, since the set that watches its connection is behind the runtime, which watches this one.
    pub(crate) fn new(socket: Socket) -> Self {
        let id = PollId(socket.next_id());
        let (tell, answer) = oneshot::channel();
        let mut poll = PendingPoll {
            socket,
            id,
            answer,
            answered: false,
            unasked: Some(tell),
            waits: 0,
        };
        if !poll.socket.is_upgrading() {
            poll.ask();
        }
        poll
    }

    fn ask(&mut self) {
        if let Some(answer) = self.unasked.take() {
            self.socket
                .process()
                .do_send(messages::Poll { id: self.id, answer });
        }
    }

    /// It will take a while.
    pub(crate) fn rest(&self) {
        self.socket.process().do_send(messages::Rest);
    }

    /// Whom it asks.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl Future for PendingPoll {
    type Output = Result<Reply, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.unasked.is_some() {
            self.waits += 1;
            if self.waits <= WAITS {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.ask();
        }
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(cx));
        self.answered = true;
        // A socket that is gone without a word has no session any more.
        Poll::Ready(answer.unwrap_or(Err(Refusal::UnknownSid)))
    }
}

impl Drop for PendingPoll {
    fn drop(&mut self) {
        if !self.answered {
            log::debug!(target: "engineio::polling", "{:?}: the client of a poll left", self.socket.id());
            self.socket.process().do_send(messages::PollAborted(self.id));
        }
    }
}

/// A POST whose body may still be coming in. Dropped before its body was handed over, it ends its session.
#[derive(Debug)]
pub(crate) struct PendingPush {
    socket: Socket,
    id: PushId,
    answer: oneshot::Receiver<Result<(), Refusal>>,
    /// An answer that came before the body was complete.
    early: Option<Result<(), Refusal>>,
    complete: bool,
}

impl PendingPush {
    /// Announces a POST to `socket`; with its body, if that is there already.
    pub(crate) fn new(socket: Socket, binary: bool, body: Option<PushBody>) -> Self {
        let id = PushId(socket.next_id());
        let (tell, answer) = oneshot::channel();
        let complete = body.is_some();
        socket.process().do_send(messages::Push {
            id,
            binary,
            body,
            answer: tell,
        });
        PendingPush {
            socket,
            id,
            answer,
            early: None,
            complete,
        }
    }

    /// Whom it is for.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Whether the socket has answered already.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> bool {
        if self.early.is_none()
            && let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(cx)
        {
            self.complete = true;
            // A socket that is gone without a word has no session any more.
            self.early = Some(answer.unwrap_or(Err(Refusal::UnknownSid)));
        }
        self.early.is_some()
    }

    /// The first bytes of the body have come.
    pub(crate) fn begun(&self) {
        self.socket.process().do_send(messages::PushBegun(self.id));
    }

    /// The body is complete, or will never be.
    pub(crate) fn complete(&mut self, body: Result<PushBody, Refusal>) {
        self.complete = true;
        self.socket
            .process()
            .do_send(messages::Payload { id: self.id, body });
    }
}

impl Future for PendingPush {
    type Output = Result<(), Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_answer(cx) {
            true => Poll::Ready(self.early.take().unwrap_or(Err(Refusal::UnknownSid))),
            false => Poll::Pending,
        }
    }
}

impl Drop for PendingPush {
    fn drop(&mut self) {
        if !self.complete {
            log::debug!(target: "engineio::polling", "{:?}: the client of a POST left", self.socket.id());
            // The client left in the middle: nobody reads the refusal, the session reads what it means.
            let body = Err(Refusal::UnknownSid);
            self.socket
                .process()
                .do_send(messages::Payload { id: self.id, body });
        }
    }
}
