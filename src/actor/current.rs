//! What a handler sends and closes while it runs inside its own socket's actor: no mailbox lies between.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::messages::{CloseSession, Send};

/// How many commands a thread keeps room for.
const MAX_KEPT: usize = 1024;

/// What a handler wants of the socket in whose actor it runs.
#[derive(Debug)]
pub(super) enum Command {
    Send(Send),
    Close(CloseSession),
}

thread_local! {
    /// Whose handler runs on this thread: the address of its shared part, which lives as long as it runs.
    static RUNNING: Cell<usize> = const { Cell::new(0) };
    static COMMANDS: RefCell<VecDeque<Command>> = const { RefCell::new(VecDeque::new()) };
    /// Whether there are any. A look at the queue costs more, and mostly there are none.
    static ANY: Cell<bool> = const { Cell::new(false) };
}

/// Runs `handler` as the handler of `socket`. What it wants is queued for [`next`].
#[inline]
pub(super) fn run<R>(socket: usize, handler: impl FnOnce() -> R) -> R {
    struct Reset(usize);
    impl Drop for Reset {
        fn drop(&mut self) {
            RUNNING.set(self.0);
        }
    }
    let _reset = Reset(RUNNING.replace(socket));
    handler()
}

/// Whether the handler of this socket runs on this thread.
#[inline]
pub(super) fn runs(socket: usize) -> bool {
    RUNNING.get() == socket
}

/// Queues a command for the socket whose handler runs.
#[inline]
pub(super) fn queue(command: Command) {
    COMMANDS.with_borrow_mut(|commands| commands.push_back(command));
    ANY.set(true);
}

/// Whether a command is queued.
#[inline]
pub(super) fn is_wanted() -> bool {
    ANY.get()
}

/// The next command that was queued.
#[inline]
pub(super) fn next() -> Option<Command> {
    if !is_wanted() {
        return None;
    }
    COMMANDS.with_borrow_mut(|commands| {
        let command = commands.pop_front();
        if commands.is_empty() {
            ANY.set(false);
            if commands.capacity() > MAX_KEPT {
                *commands = VecDeque::new();
            }
        }
        command
    })
}

/// Forgets what was queued.
pub(super) fn clear() {
    while let Some(command) = next() {
        // What a message holds is dropped here, not under the borrow.
        drop(command);
    }
}
