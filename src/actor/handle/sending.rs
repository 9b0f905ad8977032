//! How messages leave a handle: on the short way if its own handler runs, else by the mail of its process. What holds
//! senders back is in `pressure`.

use std::sync::atomic::Ordering;

use super::Socket;
use crate::Data;
use crate::actor::current::{self, Command};
use crate::actor::messages::{Many, Send};
use crate::actor::{fanout, lane};
use crate::proto::{ReadyState, SendError};

impl Socket {
    /// Sends a message, unless there is no room for it: then its [policy](Self::set_full_policy) decides.
    ///
    /// Messages sent by this arrive in the order in which one thread sends them. In a handler of this socket it takes
    /// no mailbox, so it comes before a [`Send`] for [`addr`](Self::addr) that still lies there: of the two ways use
    /// one, where their order matters.
    ///
    /// # Errors
    /// [`SendError::Full`] if the write buffer has no room and none is made, [`SendError::TooLarge`] if it never will,
    /// both by [`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes); [`SendError::Closed`] once the
    /// session is closing.
    pub fn try_send(&self, data: impl Into<Data>) -> Result<(), SendError> {
        let data = data.into();
        self.check_open()?;
        match self.pass(&data, true, fanout::last()) {
            true => Ok(()),
            false => self.try_post(Send::new(data)),
        }
    }

    /// Like [`try_send`](Self::try_send), for a [`Send`] with options.
    ///
    /// # Errors
    /// Those of [`try_send`](Self::try_send).
    pub fn try_send_message(&self, mut send: Send) -> Result<(), SendError> {
        self.check_open()?;
        send.after = fanout::last();
        match self.pass(&send.data, send.compress, send.after) {
            true => Ok(()),
            false => self.try_post(send),
        }
    }

    /// Sends several messages, one behind the other, for less than by one [`try_send`](Self::try_send) each: all of them
    /// are taken, or none. Their order among others is as with `try_send`.
    ///
    /// # Errors
    /// Those of [`try_send`](Self::try_send), as for one message of their size together: [`SendError::TooLarge`] if there
    /// will never be room for all.
    pub fn try_send_all<D: Into<Data>>(
        &self,
        messages: impl IntoIterator<Item = D>,
    ) -> Result<(), SendError> {
        self.check_open()?;
        let messages: Vec<Data> = messages.into_iter().map(Into::into).collect();
        self.reserve_all(&messages)?;
        let after = fanout::last();
        let many = Many { messages, after };
        match self.is_running() {
            true => many.into_sends().map(Command::Send).for_each(current::queue),
            false => self
                .shared()
                .mail
                .post_all(many, |deliver| self.shared().addr.do_send(deliver)),
        }
        Ok(())
    }

    /// Sends on the short way, if it is open and nothing that came earlier lies in the mailbox still.
    #[inline]
    fn pass(&self, data: &Data, compress: bool, after: u64) -> bool {
        !self.shared().mail.is_any() && lane::send(self.key(), data, compress, after)
    }

    #[inline]
    fn try_post(&self, send: Send) -> Result<(), SendError> {
        self.reserve(&send)?;
        self.post(send);
        Ok(())
    }

    pub(super) fn check_open(&self) -> Result<(), SendError> {
        let is_ending = matches!(self.ready_state(), ReadyState::Closing | ReadyState::Closed);
        match is_ending || self.shared().closing.load(Ordering::Acquire) {
            true => Err(SendError::Closed),
            false => Ok(()),
        }
    }

    /// Hands over a message whose bytes are reserved.
    #[inline]
    pub(super) fn post(&self, send: Send) {
        match self.is_running() {
            true => current::queue(Command::Send(send)),
            false => self
                .shared()
                .mail
                .post(send, |deliver| self.shared().addr.do_send(deliver)),
        }
    }
}
