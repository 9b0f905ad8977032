//! What a handler sends and closes while it runs inside its own socket's actor: no mailbox lies between.

use std::cell::{Cell, RefCell};

use super::messages::{CloseSession, Send};

/// What a handler wants of the socket in whose actor it runs.
#[derive(Debug)]
pub(super) enum Command {
    Send(Send),
    Close(CloseSession),
}

thread_local! {
    /// Whose handler runs on this thread: the address of its shared part, which lives as long as it runs.
    static RUNNING: Cell<usize> = const { Cell::new(0) };
    static COMMANDS: RefCell<Vec<Command>> = const { RefCell::new(Vec::new()) };
}

/// Runs `handler` as the handler of `socket`. What it wants is queued for [`take`].
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

/// Queues a command if it is for the socket whose handler runs, else gives it back.
pub(super) fn offer(socket: usize, command: Command) -> Result<(), Command> {
    if RUNNING.get() != socket {
        return Err(command);
    }
    COMMANDS.with_borrow_mut(|commands| commands.push(command));
    Ok(())
}

/// Takes what was queued. Give the vector back by [`give_back`] once it is empty.
pub(super) fn take() -> Vec<Command> {
    COMMANDS.take()
}

/// Keeps the memory for the next handler, unless it grew large.
pub(super) fn give_back(commands: Vec<Command>) {
    if commands.capacity() <= 1024 && commands.is_empty() {
        COMMANDS.replace(commands);
    }
}
