//! A request that is being answered: a future with a name, since it is what every parked poll is made of.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::dev::{Payload, ServiceResponse};
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};

use super::door::{Door, LocalBoxFuture};
use super::headers::Upgrade;
use super::push::Incoming;
use crate::actor::transport::{PendingPoll, PendingPush};
use crate::proto::{Jsonp, Refusal};

/// How far the answer is.
pub(super) enum Step {
    /// It is there.
    Done(HttpResponse),
    /// A GET waits for packets.
    Poll(PendingPoll, Option<Jsonp>),
    /// A POST whose session has not heard of it. Its body may have come with its head: actix reads it when it has
    /// polled us once (which is the flag), and then one message says it all.
    Body(Incoming, bool),
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
    req: HttpRequest,
    step: Step,
}

impl Serving {
    pub(super) fn new(door: Rc<Door>, req: HttpRequest, payload: Payload, upgrade: Upgrade) -> Self {
        let step = door
            .begin(&req, payload, upgrade)
            .unwrap_or_else(|refused| Step::Done(*refused));
        Serving { door, req, step }
    }

    /// An answer without a question to anybody.
    pub(super) fn done(door: Rc<Door>, req: HttpRequest, response: HttpResponse) -> Self {
        Serving {
            door,
            req,
            step: Step::Done(response),
        }
    }
}

impl Future for Serving {
    type Output = HttpResponse;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HttpResponse> {
        let this = &mut *self;
        if let Step::Body(push, polled) = &mut this.step {
            match push.poll_complete(cx) {
                Poll::Pending if !std::mem::replace(polled, true) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(push)) => this.step = Step::Push(push),
                Poll::Pending | Poll::Ready(None) => {
                    if let Step::Body(push, _) = std::mem::replace(&mut this.step, Step::Over) {
                        this.step = Step::Later(this.door.read_push(&this.req, push));
                    }
                }
            }
        }
        let response = match &mut this.step {
            Step::Poll(poll, jsonp) => {
                let answer = ready!(Pin::new(&mut *poll).poll(cx));
                this.door
                    .answer_poll(&this.req, poll.socket(), jsonp.as_ref(), answer)
            }
            Step::Push(push) => {
                let answer = ready!(Pin::new(&mut *push).poll(cx));
                this.door.answer_push(&this.req, push.socket(), answer)
            }
            Step::Later(later) => ready!(later.as_mut().poll(cx)),
            Step::Done(_) | Step::Body(..) | Step::Over => {
                match std::mem::replace(&mut this.step, Step::Over) {
                    Step::Done(response) => response,
                    // Polled after its end: the caller's mistake, answered all the same.
                    _ => Refusal::Internal.error_response(),
                }
            }
        };
        this.step = Step::Over;
        Poll::Ready(response)
    }
}

/// The same as actix's services want it.
pub(super) struct ServingService(pub(super) Serving);

impl Future for ServingService {
    type Output = Result<ServiceResponse, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(Ok(ServiceResponse::new(self.0.req.clone(), response)))
    }
}
