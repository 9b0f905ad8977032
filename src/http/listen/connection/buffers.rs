//! Two buffers for each thread, lent to whichever connection is at work: one that has nothing to keep has none.

use std::cell::RefCell;

use bytes::BytesMut;

use super::Connection;

/// Buffers that have grown larger are not kept.
const MAX_KEPT: usize = 64 * 1024;

thread_local! {
    static INPUT: RefCell<BytesMut> = RefCell::default();
    static OUTPUT: RefCell<BytesMut> = RefCell::default();
}

impl<F> Connection<F> {
    pub(super) fn borrow_buffers(&mut self) {
        if self.input.is_empty() {
            self.input = INPUT.take();
        }
        if self.output.is_empty() {
            self.output = OUTPUT.take();
        }
    }

    pub(super) fn return_buffers(&mut self) {
        for (buffer, place) in [(&mut self.input, &INPUT), (&mut self.output, &OUTPUT)] {
            if buffer.is_empty() {
                let buffer = std::mem::take(buffer);
                if buffer.capacity() <= MAX_KEPT {
                    place.set(buffer);
                }
            }
        }
    }
}
