//! The clock of the processes: the one that timers go by, so that a test may stop both.

use std::time::Instant;

/// Now. As cheap as the system's clock, which it is unless tokio is built with `test-util`.
#[inline]
pub(crate) fn now() -> Instant {
    actix_rt::time::Instant::now().into_std()
}
