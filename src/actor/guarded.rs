//! Code of the application's that a handshake waits for: a panic in it is an error here and nothing else.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::handle::Server;
use super::handshake::Handshake;
use crate::proto::{BadRequest, Refusal, Sid};

impl Server {
    /// The id of a new session: the application's, or one of ours.
    pub(crate) async fn generate_id(&self, handshake: &Handshake) -> Result<Sid, Refusal> {
        let Some(generate) = self.id_generator() else {
            return Ok(Sid::generate());
        };
        match guarded(async { generate(handshake).await }).await {
            Ok(Ok(id)) => Sid::parse(&id).map_err(|error| {
                log::error!(target: "engineio::server", "generate_id made an unusable id: {error}");
                Refusal::Internal
            }),
            Ok(Err(error)) => {
                log::warn!(target: "engineio::server", "{error}");
                Err(BadRequest::IdGeneration.into())
            }
            Err(_) => {
                log::error!(target: "engineio::server", "generate_id panicked");
                Err(Refusal::Internal)
            }
        }
    }
}

/// Runs a future of the application's.
pub(crate) async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}
