//! Points and directions on the plane.

use std::ops::{Add, AddAssign, Mul, Sub};

/// A point or a direction; x goes right, y goes down, as on a screen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Vec2 {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

impl Vec2 {
    pub(crate) const ZERO: Vec2 = Vec2 { x: 0.0, y: 0.0 };

    pub(crate) fn new(x: f32, y: f32) -> Self {
        Vec2 { x, y }
    }

    pub(crate) fn length(self) -> f32 {
        self.x.hypot(self.y)
    }

    pub(crate) fn distance(self, other: Vec2) -> f32 {
        (self - other).length()
    }

    /// The same direction with the length 1, or zero.
    pub(crate) fn unit(self) -> Self {
        let length = self.length();
        if length > 0.0 {
            self * (1.0 / length)
        } else {
            Vec2::ZERO
        }
    }

    /// The same direction, no longer than 1.
    pub(crate) fn capped(self) -> Self {
        if self.length() > 1.0 { self.unit() } else { self }
    }
}

impl Add for Vec2 {
    type Output = Vec2;

    fn add(self, other: Vec2) -> Vec2 {
        Vec2::new(self.x + other.x, self.y + other.y)
    }
}

impl AddAssign for Vec2 {
    fn add_assign(&mut self, other: Vec2) {
        *self = *self + other;
    }
}

impl Sub for Vec2 {
    type Output = Vec2;

    fn sub(self, other: Vec2) -> Vec2 {
        Vec2::new(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Vec2 {
    type Output = Vec2;

    fn mul(self, factor: f32) -> Vec2 {
        Vec2::new(self.x * factor, self.y * factor)
    }
}
