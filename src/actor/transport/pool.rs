//! Queues that are empty most of the time give their memory to the thread's pool, and take it from there: an
//! idle WebSocket holds none, and a busy one allocates none.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::thread::LocalKey;

/// How many queues a thread keeps: about as many connections as one look at its IO finds ready (tokio's 61).
const MAX_QUEUES: usize = 64;

/// How many items a queue may have room for that is kept.
const MAX_CAPACITY: usize = 64;

/// The empty queues of a thread.
pub(super) type Pool<T> = RefCell<Vec<VecDeque<T>>>;

/// An empty queue, with memory if the pool has some.
pub(super) fn take<T>(pool: &'static LocalKey<Pool<T>>) -> VecDeque<T> {
    pool.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Gives the memory of a queue back. What is left in it is dropped.
pub(super) fn give<T>(pool: &'static LocalKey<Pool<T>>, mut queue: VecDeque<T>) {
    queue.clear();
    if (1..=MAX_CAPACITY).contains(&queue.capacity()) {
        pool.with_borrow_mut(|kept| {
            if kept.len() < MAX_QUEUES {
                kept.push(queue);
            }
        });
    }
}
