//! One player of the arena: how it moves, grows and waits. Knows nothing of the others.

use crate::geometry::Vec2;
use crate::world::{HEIGHT, TICKS_PER_SECOND, WIDTH};

/// Names a blob; not used twice while somebody may still draw the old one.
pub(crate) type Id = u16;

pub(crate) const FIRST_SIZE: f32 = 20.0;
/// In ticks: how long a swallowed blob is away, and how long nobody can swallow it once it is back.
pub(crate) const AWAY: u32 = 2 * TICKS_PER_SECOND;
pub(crate) const SHIELD: u32 = 2 * TICKS_PER_SECOND;

const DASH: u32 = TICKS_PER_SECOND / 4;
const DASH_EVERY: u32 = TICKS_PER_SECOND * 5 / 4;
const DASH_COST: f32 = 0.06; // of the size
const DASH_SPEED: f32 = 2.3;
const TOP_SPEED: f32 = 330.0; // units a second, of a blob without weight
const GRIP: f32 = 6.0; // how fast the velocity follows the wish, per second
const HUNGER: f32 = 0.012; // of the size above the first one, lost per second
const SECONDS: f32 = 1.0 / TICKS_PER_SECOND as f32;

/// What a player wants: a direction, no longer than 1, and whether to dash.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Steer {
    pub(crate) direction: Vec2,
    pub(crate) dash: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) bot: bool,
    pub(crate) at: Vec2,
    pub(crate) velocity: Vec2,
    pub(crate) size: f32,
    pub(crate) steer: Steer,
    dashing_until: u32,
    may_dash_from: u32,
    shielded_until: u32,
    back_at: Option<u32>,
}

impl Blob {
    pub(crate) fn new(id: Id, name: &str, bot: bool, at: Vec2, now: u32) -> Self {
        Blob {
            id,
            name: name.to_owned(),
            bot,
            at,
            velocity: Vec2::ZERO,
            size: FIRST_SIZE,
            steer: Steer::default(),
            dashing_until: 0,
            may_dash_from: 0,
            shielded_until: now + SHIELD,
            back_at: None,
        }
    }

    /// In units: the area grows with the size.
    pub(crate) fn radius(&self) -> f32 {
        5.0 * self.size.sqrt()
    }

    /// Whether it is in the arena, not waiting to come back.
    pub(crate) fn is_here(&self) -> bool {
        self.back_at.is_none()
    }

    pub(crate) fn is_dashing(&self, now: u32) -> bool {
        now < self.dashing_until
    }

    pub(crate) fn is_shielded(&self, now: u32) -> bool {
        now < self.shielded_until
    }

    /// Whether its time to come back has come.
    pub(crate) fn is_due(&self, now: u32) -> bool {
        self.back_at.is_some_and(|at| at <= now)
    }

    /// A tick of moving and losing weight.
    pub(crate) fn step(&mut self, now: u32) {
        if self.steer.dash && now >= self.may_dash_from {
            self.dashing_until = now + DASH;
            self.may_dash_from = now + DASH_EVERY;
            self.size = (self.size * (1.0 - DASH_COST)).max(FIRST_SIZE);
        }
        let speed = TOP_SPEED / (1.0 + self.size / 150.0).sqrt();
        let (speed, grip) = if self.is_dashing(now) {
            (speed * DASH_SPEED, GRIP * 3.0)
        } else {
            (speed, GRIP)
        };
        let wish = self.steer.direction * speed;
        self.velocity += (wish - self.velocity) * (grip * SECONDS).min(1.0);
        self.at += self.velocity * SECONDS;
        self.stay_inside();
        self.size -= (self.size - FIRST_SIZE) * HUNGER * SECONDS;
    }

    fn stay_inside(&mut self) {
        let radius = self.radius();
        let inside = Vec2::new(
            self.at.x.clamp(radius, WIDTH - radius),
            self.at.y.clamp(radius, HEIGHT - radius),
        );
        if inside.x != self.at.x {
            self.velocity.x *= -0.4;
        }
        if inside.y != self.at.y {
            self.velocity.y *= -0.4;
        }
        self.at = inside;
    }

    /// Takes part of what the other one was.
    pub(crate) fn swallow(&mut self, size: f32) {
        self.size += size * 0.6;
    }

    pub(crate) fn go_away(&mut self, now: u32) {
        self.back_at = Some(now + AWAY);
    }

    pub(crate) fn come_back(&mut self, at: Vec2, now: u32) {
        *self = Blob {
            steer: self.steer,
            ..Blob::new(self.id, &self.name, self.bot, at, now)
        };
    }
}
