//! A request that is being answered: a future with a name, since it is what every parked poll is made of.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::ConnectionType;
use actix_web::dev::ServiceResponse;
use actix_web::http::{StatusCode, Version};
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};

use super::asked::Asked;
use super::door::{Door, LocalBoxFuture};
use super::headers::Upgrade;
use super::push::Incoming;
use crate::actor::transport::{PendingPoll, PendingPush};
use crate::proto::{Jsonp, Refusal};

/// How often actix polls a request that has just come in before anybody else has his turn: when it has read the
/// head, and when it has read what came with it.
const EAGER_POLLS: u8 = 2;

/// How far the answer is.
pub(super) enum Step {
    /// It is there.
    Done(HttpResponse),
    /// A GET waits for packets.
    Poll(PendingPoll, Option<Jsonp>),
    /// A POST of which its session has not heard: its body may have come with its head, and then one message
    /// says it all.
    Body(Incoming),
    /// A POST, all of it read, waits for its session.
    Push(PendingPush),
    /// Whatever takes longer.
    Later(LocalBoxFuture<HttpResponse>),
    /// It was given.
    Over,
}

/// A request on its way to its answer.
pub(super) struct Serving {
    door: Rc<Door>,
    asked: Asked,
    step: Step,
    /// How often it was polled in vain.
    turns: u8,
}

impl Serving {
    pub(super) fn new(door: Rc<Door>, mut asked: Asked, upgrade: Upgrade) -> Self {
        let payload = asked.take_payload();
        let step = door
            .begin(asked.request(), payload, upgrade)
            .unwrap_or_else(|refused| Step::Done(*refused));
        Serving {
            door,
            asked,
            step,
            turns: 0,
        }
    }

    /// An answer without a question to anybody.
    pub(super) fn done(door: Rc<Door>, asked: Asked, response: HttpResponse) -> Self {
        Serving {
            door,
            asked,
            step: Step::Done(response),
            turns: 0,
        }
    }
}

/// Whether a request waits longer than its neighbours' `turns`. If not it will be polled again.
fn is_late(turns: &mut u8, limit: u8, cx: &Context<'_>) -> bool {
    if *turns >= limit {
        return true;
    }
    *turns += 1;
    cx.waker().wake_by_ref();
    false
}

impl Future for Serving {
    type Output = HttpResponse;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HttpResponse> {
        let this = &mut *self;
        if let Step::Body(push) = &mut this.step {
            match push.poll_complete(cx) {
                Poll::Ready(Some(push)) => this.step = Step::Push(push),
                Poll::Pending if !is_late(&mut this.turns, EAGER_POLLS - 1, cx) => return Poll::Pending,
                Poll::Pending | Poll::Ready(None) => {
                    if let Step::Body(push) = std::mem::replace(&mut this.step, Step::Over) {
                        this.step = Step::Later(this.door.read_push(this.asked.request(), push));
                    }
                }
            }
        }
        let mut response = match &mut this.step {
            Step::Poll(poll, jsonp) => {
                let Poll::Ready(answer) = Pin::new(&mut *poll).poll(cx) else {
                    // A busy session answers within a turn, and then nothing need be put away.
                    if is_late(&mut this.turns, EAGER_POLLS, cx) && this.asked.pack() {
                        poll.rest();
                    }
                    return Poll::Pending;
                };
                this.asked.unpack();
                this.door
                    .answer_poll(this.asked.request(), poll.socket(), jsonp.as_ref(), answer)
            }
            Step::Push(push) => {
                let answer = ready!(Pin::new(&mut *push).poll(cx));
                this.door.answer_push(this.asked.request(), push.socket(), answer)
            }
            Step::Later(later) => ready!(later.as_mut().poll(cx)),
            Step::Done(_) | Step::Body(_) | Step::Over => {
                match std::mem::replace(&mut this.step, Step::Over) {
                    Step::Done(response) => response,
                    // Polled after its end: the caller's mistake, answered all the same.
                    _ => Refusal::Internal.error_response(),
                }
            }
        };
        this.step = Step::Over;
        announce_end(this.asked.request(), &mut response);
        Poll::Ready(response)
    }
}

/// Says that the connection ends if it does: actix's dispatcher keeps none whose request has `Connection: upgrade`, and
/// a proxy that is not told sends its next request on it.
pub(super) fn announce_end(req: &HttpRequest, response: &mut HttpResponse) {
    if req.version() == Version::HTTP_11
        && req.head().connection_type() == ConnectionType::Upgrade
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
    {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// The same as actix's services want it.
pub(super) struct ServingService(pub(super) Serving);

impl Future for ServingService {
    type Output = Result<ServiceResponse, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.0).poll(cx));
        let request = self.0.asked.request().clone();
        Poll::Ready(Ok(ServiceResponse::new(request, response)))
    }
}
