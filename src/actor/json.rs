//! Messages as JSON: types of the application instead of text. What a client sends that is no such message is left
//! to the application, and is never a panic.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned};

use super::handle::Socket;
use super::handler::SocketHandler;
use super::messages::Send;
use super::room::Room;
use crate::Data;
use crate::proto::{Close, CloseReason, Events, Packet, Transport};

impl Send {
    /// Text: this value as JSON.
    ///
    /// # Errors
    /// If the value has no form in JSON: a map whose keys are no strings, say.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Send::text)
    }
}

impl Data {
    /// The value that this is as JSON, be it text or binary.
    ///
    /// # Errors
    /// If it is no JSON, none of this type, or nested deeper than 128 levels.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.as_bytes())
    }
}

/// A [`SocketHandler`] whose messages are JSON. It becomes the behaviour of a session inside a [`Json`].
///
/// ```
/// use engineio::{Json, JsonHandler, Send, Server, Socket, SocketHandler};
///
/// #[derive(serde::Deserialize)]
/// struct Sum {
///     a: i64,
///     b: i64,
/// }
///
/// struct Adder;
///
/// impl SocketHandler for Adder {}
///
/// impl JsonHandler for Adder {
///     type Message = Sum;
///
///     fn on_json(&mut self, socket: &Socket, sum: Sum) {
///         if let Ok(answer) = Send::json(&sum.a.saturating_add(sum.b)) {
///             let _ = socket.try_send_message(answer);
///         }
///     }
/// }
///
/// # #[actix_web::main] async fn main() {
/// let server = Server::builder().behavior(|_, _| Json(Adder)).start();
/// # }
/// ```
pub trait JsonHandler: SocketHandler {
    /// What clients send.
    type Message: DeserializeOwned;

    /// A message came in. [`SocketHandler::on_message`] is not called.
    fn on_json(&mut self, socket: &Socket, message: Self::Message);

    /// Something came in that is no [`Message`](Self::Message): what shall become of the session? By default it is
    /// closed. Called with what a client made up, so it should neither trust it nor log it without bounds.
    ///
    /// An answer that is to arrive wants [`BadInput::Ignore`], since [`BadInput::Close`] drops what has not left. To
    /// end the session behind it, call [`Socket::close_with`] before:
    ///
    /// ```
    /// # use engineio::{Data, JsonHandler, Socket, SocketHandler};
    /// use engineio::{BadInput, Close, CloseReason};
    ///
    /// # struct Adder;
    /// # impl SocketHandler for Adder {}
    /// # impl JsonHandler for Adder {
    /// #     type Message = u32;
    /// #     fn on_json(&mut self, _: &Socket, _: u32) {}
    /// fn on_bad_input(&mut self, socket: &Socket, _: Data, error: serde_json::Error) -> BadInput {
    ///     let _ = socket.try_send(format!("that is no message: {error}"));
    ///     socket.close_with(Close::because(CloseReason::ParseError, "no message"));
    ///     BadInput::Ignore
    /// }
    /// # }
    /// ```
    fn on_bad_input(&mut self, socket: &Socket, data: Data, error: serde_json::Error) -> BadInput {
        let _ = (socket, data, error);
        BadInput::Close
    }
}

/// What becomes of a session whose client has sent what is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadInput {
    /// It goes on as if nothing had been sent, unless the handler has closed it.
    Ignore,
    /// It ends at once by [`CloseReason::ParseError`](crate::CloseReason::ParseError); what has not left yet is dropped.
    Close,
}

/// Makes the behaviour of a session out of a [`JsonHandler`]: decodes what comes in, and passes on all else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<H>(
    /// The handler.
    pub H,
);

impl<H: JsonHandler> SocketHandler for Json<H> {
    fn interest(&self) -> Events {
        self.0.interest()
    }

    fn on_message(&mut self, socket: &Socket, data: Data) {
        let error = match data.json() {
            Ok(message) => return self.0.on_json(socket, message),
            Err(error) => error,
        };
        match self.0.on_bad_input(socket, data, error) {
            BadInput::Ignore => {}
            BadInput::Close => {
                let why = "no message of this application";
                socket.discard_with(Close::because(CloseReason::ParseError, why));
            }
        }
    }

    fn on_close(&mut self, socket: &Socket, close: Close) {
        self.0.on_close(socket, close);
    }

    fn on_error(&mut self, socket: &Socket, close: Close) {
        self.0.on_error(socket, close);
    }

    fn on_flush(&mut self, socket: &Socket, packets: &[Packet]) {
        self.0.on_flush(socket, packets);
    }

    fn on_drain(&mut self, socket: &Socket) {
        self.0.on_drain(socket);
    }

    fn on_packet(&mut self, socket: &Socket, packet: &Packet) {
        self.0.on_packet(socket, packet);
    }

    fn on_packet_create(&mut self, socket: &Socket, packet: &Packet) {
        self.0.on_packet_create(socket, packet);
    }

    fn on_heartbeat(&mut self, socket: &Socket) {
        self.0.on_heartbeat(socket);
    }

    fn on_upgrading(&mut self, socket: &Socket, transport: Transport) {
        self.0.on_upgrading(socket, transport);
    }

    fn on_upgrade(&mut self, socket: &Socket, transport: Transport) {
        self.0.on_upgrade(socket, transport);
    }
}

/// A [`Room`] to which values of one type are sent, as JSON.
///
/// ```no_run
/// # fn example(server: &engineio::Server) -> Result<(), serde_json::Error> {
/// let scores = server.room("scores").json::<[u32; 2]>();
/// scores.broadcast(&[3, 1])?;
/// # Ok(())
/// # }
/// ```
pub struct JsonRoom<T: ?Sized> {
    room: Room,
    /// It takes values, and has none.
    takes: PhantomData<fn(&T)>,
}

impl Room {
    /// This room, for values of one type.
    pub fn json<T: Serialize + ?Sized>(&self) -> JsonRoom<T> {
        JsonRoom {
            room: self.clone(),
            takes: PhantomData,
        }
    }
}

impl<T: Serialize + ?Sized> JsonRoom<T> {
    /// The room, to join it say.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Sends a value to all who are in; see [`Room::broadcast`].
    ///
    /// # Errors
    /// Those of [`Send::json`]; then nothing is sent.
    pub fn broadcast(&self, value: &T) -> Result<(), serde_json::Error> {
        self.room.broadcast(Send::json(value)?);
        Ok(())
    }

    /// Sends a value to all who are in but these; see [`Room::broadcast_except`].
    ///
    /// # Errors
    /// Those of [`Send::json`]; then nothing is sent.
    pub fn broadcast_except<'a>(
        &self,
        except: impl IntoIterator<Item = &'a Socket>,
        value: &T,
    ) -> Result<(), serde_json::Error> {
        self.room.broadcast_except(except, Send::json(value)?);
        Ok(())
    }
}

impl<T: ?Sized> Clone for JsonRoom<T> {
    fn clone(&self) -> Self {
        JsonRoom {
            room: self.room.clone(),
            takes: PhantomData,
        }
    }
}

impl<T: ?Sized> std::fmt::Debug for JsonRoom<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JsonRoom").field(&self.room).finish()
    }
}
