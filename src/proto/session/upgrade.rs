//! The swap from polling to WebSocket, without losing, doubling or reordering a message.

use std::time::{Duration, Instant};

use super::Session;
use crate::proto::event::{Event, Events, Output, ProbeId};
use crate::proto::state::{Link, Probing, Push};
use crate::proto::{BadRequest, PacketType, Refusal, Transport};

/// How long WebSocket input waits after the swap for a POST that was on its way before it.
const HELD_TIMEOUT: Duration = Duration::from_secs(1);

impl Session {
    /// A WebSocket with this session's id was opened.
    ///
    /// # Errors
    /// A [`Refusal`] when the session has nothing to do with another WebSocket. That one is to be closed; the
    /// session goes on.
    pub fn handle_websocket(&mut self, now: Instant) -> Result<(), Refusal> {
        self.handle_timeout(now);
        match self.state.link() {
            None => Err(Refusal::UnknownSid),
            Some(Link::Polling(_)) if self.config.allow_upgrades => Ok(()),
            Some(_) => Err(BadRequest::UpgradeConflict.into()),
        }
    }

    /// `2probe` came in on a WebSocket with this session's id. If it is accepted, the WebSocket answers
    /// `3probe`, and what waits leaves by polling at once.
    ///
    /// # Errors
    /// A [`Refusal`] when there is nothing to upgrade or another attempt is on. That WebSocket is to be
    /// closed; the session and the other attempt go on.
    pub fn handle_probe(&mut self, now: Instant, probe: ProbeId) -> Result<(), Refusal> {
        self.handle_websocket(now)?;
        let deadline = now + self.config.upgrade_timeout;
        match self.state.polling() {
            Some(polling) if polling.probe.is_none() => {
                polling.probe = Some(Probing::new(probe, deadline));
            }
            _ => return Err(BadRequest::UpgradeConflict.into()),
        }
        self.tally.upgrade_tried();
        self.tell(Events::UPGRADING, || Event::Upgrading(Transport::WebSocket));
        if self.buffer.is_empty() {
            self.noop(now);
        }
        Ok(())
    }

    /// Whether a WebSocket was probed, so that its `5` may come.
    pub fn is_upgrading(&self) -> bool {
        matches!(self.state.link(), Some(Link::Polling(polling)) if polling.probe.is_some())
    }

    /// `5` came in: the client has stopped polling, and this WebSocket is the transport from here on.
    ///
    /// # Errors
    /// A [`Refusal`] when no such probe is on (any more). That WebSocket is to be closed.
    pub fn handle_upgrade(&mut self, now: Instant, probe: ProbeId) -> Result<(), Refusal> {
        self.handle_timeout(now);
        let Some(left) = self.state.upgrade(probe) else {
            return Err(BadRequest::UpgradeConflict.into());
        };
        if let Some(poll) = left.parked {
            self.reply_alone(poll, PacketType::Noop);
        }
        if let Some(push) = left.push
            && let Some(websocket) = self.state.websocket()
        {
            websocket.held = Some(Box::new(Push {
                deadline: push.deadline.min(now + HELD_TIMEOUT),
                ..push
            }));
        }
        self.tally.upgrade_done();
        self.tell(Events::UPGRADE, || Event::Upgrade(Transport::WebSocket));
        Ok(())
    }

    /// The WebSocket of an upgrade attempt is gone, or it broke the rules: polling goes on.
    pub fn handle_probe_lost(&mut self, probe: ProbeId) {
        if let Some(polling) = self.state.polling()
            && polling.probe.as_ref().is_some_and(|probing| probing.id == probe)
        {
            polling.probe = None;
            self.tally.upgrade_failed();
        }
    }

    pub(super) fn expire_probe(&mut self, now: Instant) {
        let Some(polling) = self.state.polling() else {
            return;
        };
        let Some(probe) = &polling.probe else { return };
        if probe.deadline <= now {
            let id = probe.id;
            polling.probe = None;
            self.tally.upgrade_failed();
            self.outputs.push_back(Output::DropProbe(id));
        } else if probe.noop_at.is_some_and(|at| at <= now) {
            self.noop(now);
        }
    }
}
