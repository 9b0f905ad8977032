//! The alternative WebSocket engine: an actor of actix-web-actors owns the WebSocket from its 101 on, its codec reads
//! and writes the frames. What that codec leaves to others is here: limits of whole messages, the closing handshake,
//! back-pressure. What the WebSocket is to its socket is the same as with the built-in engine, and is not here.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix::prelude::*;
use actix_http::ws::Codec;
use actix_web::body::{BodyStream, BoxBody};
use actix_web::dev::Payload;
use actix_web_actors::ws;
use actix_web_actors::ws::WebsocketContext;
use bytes::{BufMut, BytesMut};

use self::fragments::Fragments;
use self::intake::{End, Gate, Intake};
use crate::Data;
use crate::actor::transport::{Alarm, Attachment, CHUNK, Failed, LINGER, Outbound};
use crate::proto::Frame;

use crate::ws::{CLOSE_TIMEOUT, CloseCode, Message, ProtocolError};

mod fragments;
mod intake;

/// The longest payload of a control frame (RFC 6455 section 5.5). actix's codec has one limit for all frames.
const MAX_CONTROL: usize = 125;

/// The body of a 101 whose WebSocket is `attachment`'s.
pub(super) fn body(payload: Payload, attachment: Attachment) -> BoxBody {
    let limits = attachment.limits();
    let intake = Rc::new(Intake::new(payload, limits.max_message));
    let engine = Engine {
        attachment,
        intake: intake.clone(),
        fragments: Fragments::new(limits),
        state: State::Open,
        alarm: Alarm::default(),
    };
    let codec = Codec::new().max_size(limits.max_message.max(MAX_CONTROL));
    let stream = WebsocketContext::with_codec(engine, Gate(intake), codec);
    BoxBody::new(BodyStream::new(stream))
}

/// One WebSocket.
struct Engine {
    attachment: Attachment,
    intake: Rc<Intake>,
    fragments: Fragments,
    state: State,
    alarm: Alarm,
}

/// Where the closing handshake is (RFC 6455 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Open,
    /// We have closed. Data is discarded; the peer's close frame is awaited until then.
    Closing {
        until: Instant,
    },
    /// The peer broke the protocol. What it sends is read and thrown away until then.
    Failed {
        until: Instant,
    },
    Closed,
}

impl State {
    /// Starts the closing handshake, if nobody has.
    fn close(&mut self, code: CloseCode, reason: &str, ctx: &mut WebsocketContext<Engine>) {
        if *self == State::Open {
            let until = Instant::now() + CLOSE_TIMEOUT;
            *self = State::Closing { until };
            ctx.close(Some((code.number().into(), reason).into()));
        }
    }
}

impl Actor for Engine {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Pump);
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Engine {
    fn handle(&mut self, item: Result<ws::Message, ws::ProtocolError>, ctx: &mut Self::Context) {
        self.intake.frame_was_read();
        match (self.state, item) {
            (State::Open, Ok(message)) => self.handle_message(message, ctx),
            (State::Open, Err(error)) => self.fail(translate(&error), ctx),
            (State::Closing { .. }, Ok(ws::Message::Close(_)) | Err(_)) => self.stop(ctx),
            (State::Closing { .. } | State::Failed { .. } | State::Closed, _) => {}
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        match self.intake.end() {
            Some(End::TooBig) if self.state == State::Open => {
                self.fail(ProtocolError::MessageTooBig { size: None }, ctx)
            }
            _ => self.stop(ctx),
        }
    }
}

impl Engine {
    fn handle_message(&mut self, message: ws::Message, ctx: &mut WebsocketContext<Self>) {
        let message = match message {
            ws::Message::Text(text) => self.fragments.whole(Message::Text(text)).map(Some),
            ws::Message::Binary(bytes) => self.fragments.whole(Message::Binary(bytes)).map(Some),
            ws::Message::Continuation(item) => self.fragments.add(item),
            ws::Message::Ping(payload) => return ctx.pong(&payload),
            ws::Message::Pong(_) | ws::Message::Nop => return,
            ws::Message::Close(reason) => {
                self.state = State::Closed;
                ctx.close(reason.map(|reason| reason.code.into()));
                return self.stop(ctx);
            }
        };
        self.intake.expect(self.fragments.room());
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(error) => return self.fail(error, ctx),
        };
        let mut batch = Attachment::batch();
        if let Err(Failed(reason)) = self.attachment.handle_message((None, message), &mut batch) {
            self.state.close(CloseCode::PROTOCOL_ERROR, reason, ctx);
        }
        self.attachment.push(batch);
    }

    /// Nothing more will come. What is written already still leaves, which may take its time.
    fn stop(&mut self, ctx: &mut WebsocketContext<Self>) {
        self.attachment.lost(None);
        ctx.stop();
    }

    /// The peer broke the protocol. To be called by its stream of messages, which goes: it would bring the same error
    /// again and again.
    fn fail(&mut self, error: ProtocolError, ctx: &mut WebsocketContext<Self>) {
        let code = ws::CloseCode::from(error.close_code().number());
        ctx.close(Some(code.into()));
        ctx.cancel_future(ctx.handle());
        self.state = State::Failed {
            until: Instant::now() + LINGER,
        };
        self.attachment.broken(error);
    }

    /// Turns what the socket wants sent into messages, and acts on deadlines.
    fn poll(&mut self, ctx: &mut WebsocketContext<Self>, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.state, State::Failed { .. }) && self.intake.poll_discard(cx).is_ready() {
            self.state = State::Closed;
        }
        self.intake.pause(!self.attachment.wants_input(cx.waker()), cx);
        loop {
            self.take_outbound(ctx, cx);
            let deadline = match self.state {
                State::Open => self.attachment.deadline(),
                State::Closing { until } | State::Failed { until } => Some(until),
                State::Closed => {
                    ctx.stop();
                    return Poll::Ready(());
                }
            };
            if self.alarm.poll(deadline, cx).is_pending() {
                return Poll::Pending;
            }
            if self.state != State::Open {
                self.state = State::Closed;
            } else if let Err(Failed(reason)) = self.attachment.handle_timeout() {
                self.state.close(CloseCode::PROTOCOL_ERROR, reason, ctx);
            }
        }
    }

    /// No more than the connection takes at once: it asks for more when that is written.
    fn take_outbound(&mut self, ctx: &mut WebsocketContext<Self>, cx: &Context<'_>) {
        let state = &mut self.state;
        self.attachment
            .take_outbound(CHUNK, cx.waker(), |item, _| match item {
                Outbound::Frame { frame, .. } if *state == State::Open => ctx.write_raw(outgoing(frame)),
                // Encoded frames are not asked for.
                Outbound::Frame { .. } | Outbound::Encoded(_) => {}
                Outbound::Close(code, reason) => state.close(code, &reason, ctx),
            });
    }
}

/// Polls the engine with its context, whenever that is polled.
struct Pump;

impl ActorFuture<Engine> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        engine: &mut Engine,
        ctx: &mut WebsocketContext<Engine>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        engine.poll(ctx, cx)
    }
}

/// A frame as actix-web-actors takes it.
fn outgoing(frame: Frame) -> ws::Message {
    match (frame.prefix, frame.data) {
        (None, Data::Text(text)) => ws::Message::Text(text),
        (None, Data::Binary(bytes)) => ws::Message::Binary(bytes),
        (Some(prefix), Data::Text(text)) => {
            let mut whole = String::with_capacity(1 + text.len());
            whole.push(char::from(prefix));
            whole.push_str(&text);
            ws::Message::Text(whole.into())
        }
        (Some(prefix), Data::Binary(bytes)) => {
            let mut whole = BytesMut::with_capacity(1 + bytes.len());
            whole.put_u8(prefix);
            whole.put_slice(&bytes);
            ws::Message::Binary(whole.freeze())
        }
    }
}

/// What actix's codec says of a broken frame, in our words. It tells less: what is wrong with a close frame has one
/// name, and reserved bits and text that is not UTF-8 come as errors of the connection.
fn translate(error: &ws::ProtocolError) -> ProtocolError {
    match error {
        ws::ProtocolError::UnmaskedFrame | ws::ProtocolError::MaskedFrame => ProtocolError::Unmasked,
        ws::ProtocolError::InvalidOpcode(opcode) => ProtocolError::ReservedOpCode(*opcode),
        ws::ProtocolError::InvalidLength(_) => ProtocolError::OversizeControl,
        ws::ProtocolError::BadOpCode => ProtocolError::InvalidClose,
        ws::ProtocolError::Overflow => ProtocolError::MessageTooBig { size: None },
        ws::ProtocolError::ContinuationNotStarted => ProtocolError::UnexpectedContinuation,
        ws::ProtocolError::ContinuationStarted => ProtocolError::UnexpectedMessage,
        ws::ProtocolError::ContinuationFragment(_) => ProtocolError::FragmentedControl,
        ws::ProtocolError::Io(error) => match error.kind() {
            std::io::ErrorKind::InvalidData => ProtocolError::ReservedBit,
            _ => ProtocolError::InvalidUtf8,
        },
    }
}
