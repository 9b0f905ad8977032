//! How requests progress and break, at both of their ends.

use super::Violation;
use super::client::Effect;
use super::network::{Get, Post, Stage};
use super::world::World;
use crate::proto::Refusal;

impl World {
    pub(super) fn get_moves(&mut self, fx: &mut Vec<Effect>) -> Result<(), Violation> {
        match std::mem::replace(&mut self.get, Get::None) {
            Get::Sent(poll) => {
                self.get = match self.server.session.handle_poll(self.now, poll) {
                    Ok(()) => Get::Parked(poll),
                    Err(_) => Get::Refused,
                };
            }
            Get::Answered(packets) => self.client.poll_answered(self.now, packets, fx)?,
            Get::Refused | Get::ClientUnaware => self.client.request_failed(fx),
            Get::ServerUnaware(poll) => self.server.poll_gone(poll),
            Get::None | Get::Parked(_) => {}
        }
        Ok(())
    }

    pub(super) fn get_breaks(&mut self, server_first: bool, fx: &mut Vec<Effect>) {
        self.excuse = true;
        let get = std::mem::replace(&mut self.get, Get::None);
        match get {
            Get::Parked(poll) if server_first => {
                self.get = Get::ClientUnaware;
                self.server.poll_gone(poll);
            }
            Get::Parked(poll) => {
                self.get = Get::ServerUnaware(poll);
                self.client.request_failed(fx);
            }
            _ => self.client.request_failed(fx),
        }
    }

    pub(super) fn post_moves(&mut self, index: usize, fx: &mut Vec<Effect>) {
        let Post { id, packets, stage } = self.posts[index].clone();
        let session = &mut self.server.session;
        let next = match stage {
            Stage::Sent => match session.handle_push(self.now, id, false) {
                Ok(()) => {
                    self.client.post_announced(fx);
                    Stage::Announced
                }
                Err(_) => Stage::Refused,
            },
            Stage::Announced => {
                session.handle_push_begun(id);
                Stage::Begun
            }
            Stage::Begun => {
                self.server.payload(self.now, id, &packets);
                Stage::Complete
            }
            Stage::ServerUnaware => {
                // Removed by the answer that nobody waits for.
                session.handle_push_failed(id, Refusal::UnknownSid);
                return;
            }
            Stage::Complete => return,
            Stage::Answered | Stage::Refused | Stage::ClientUnaware => {
                self.posts.remove(index);
                match stage {
                    Stage::Answered => self.client.post_answered(fx),
                    _ => self.client.request_failed(fx),
                }
                return;
            }
        };
        self.posts[index].stage = next;
    }

    pub(super) fn post_breaks(&mut self, index: usize, server_first: bool, fx: &mut Vec<Effect>) {
        self.excuse = true;
        match self.posts[index].stage {
            Stage::Announced | Stage::Begun if server_first => {
                let id = self.posts[index].id;
                self.posts[index].stage = Stage::ClientUnaware;
                self.server.session.handle_push_failed(id, Refusal::UnknownSid);
            }
            Stage::Announced | Stage::Begun => {
                self.posts[index].stage = Stage::ServerUnaware;
                self.client.request_failed(fx);
            }
            _ => {
                self.posts.remove(index);
                self.client.request_failed(fx);
            }
        }
    }
}
