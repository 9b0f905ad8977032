//! A queue that is mostly empty, and then takes no more room than a pointer: there are two of them in each session.

use std::collections::VecDeque;

/// First in, first out.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
#[allow(clippy::box_collection)] // 8 bytes instead of 32, for a session that has nothing in it
pub(super) struct Queue<T>(Option<Box<VecDeque<T>>>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue(None)
    }
}

impl<T> Queue<T> {
    fn items(&mut self) -> &mut VecDeque<T> {
        self.0.get_or_insert_default()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|items| items.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |items| items.len())
    }

    pub(super) fn push_back(&mut self, item: T) {
        self.items().push_back(item);
    }

    pub(super) fn push_front(&mut self, item: T) {
        self.items().push_front(item);
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_front()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.0.iter().flat_map(|items| items.iter())
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.0.as_ref()?.get(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.0.as_mut()?.get_mut(at)
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<T> {
        self.0.as_mut()?.remove(at)
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.back_mut()
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        if let Some(items) = &mut self.0 {
            items.retain(keep);
        }
    }

    /// Gives back its memory, if nothing is in it.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            self.0 = None;
        }
    }
}
