//! The cases of the micro-benchmarks: what one message, payload, frame or request costs in the rules alone.
//!
//! `rules.rs` takes their time, `instructions.rs` has their instructions counted. A case runs again and again on the
//! same input and leaves nothing behind.

mod deflate;
mod frame;
mod packet;
mod payload;
mod session;

use std::hint::black_box;

/// One benchmark.
pub(crate) struct Case {
    /// Its group: what it exercises.
    pub(crate) group: &'static str,
    /// Its name, unique in the group.
    pub(crate) name: &'static str,
    /// Does it once.
    pub(crate) run: Box<dyn FnMut()>,
}

impl Case {
    fn new<T>(group: &'static str, name: &'static str, mut run: impl FnMut() -> T + 'static) -> Self {
        let run = Box::new(move || drop(black_box(run())));
        Case { group, name, run }
    }
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    [
        packet::cases(),
        payload::cases(),
        frame::cases(),
        deflate::cases(),
        session::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Text of `size` bytes, as an application might send it.
fn text(size: usize) -> String {
    let words = r#"{"event":"position","id":4711,"x":12.75,"y":-3.5,"name":"the quick brown fox"},"#;
    words.chars().cycle().take(size).collect()
}
