//! A timer that exists only while something is awaited: most transports wait for nothing most of the time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_rt::time::{Sleep, sleep_until};

/// Wakes a task at a deadline.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// The deadline, if it is there; else `cx` is woken then. Forgets the one of before.
    pub(crate) fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(deadline) = deadline else {
            self.0 = None;
            return Poll::Pending;
        };
        let at = deadline.into();
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        let rung = sleep.as_mut().poll(cx);
        if rung.is_ready() {
            self.0 = None;
        }
        rung.map(|()| deadline)
    }
}
