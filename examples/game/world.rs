//! The rules of the arena: who is where and who eats what. No socket, no clock, no actor.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::blob::{Blob, Id, Steer};
use crate::geometry::Vec2;

pub(crate) const WIDTH: f32 = 2000.0;
pub(crate) const HEIGHT: f32 = 1400.0;
pub(crate) const TICKS_PER_SECOND: u32 = 30;
/// How many pearls there are; one that is eaten appears somewhere else.
pub(crate) const PEARLS: usize = 120;
/// The first of them are worth more.
pub(crate) const BIG_PEARLS: usize = 12;
/// How much larger one must be, in size, to swallow another.
pub(crate) const LARGER: f32 = 1.15;

/// One blob has swallowed another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Swallowed {
    pub(crate) by: Id,
    pub(crate) who: Id,
}

#[derive(Debug)]
pub(crate) struct World {
    tick: u32,
    blobs: BTreeMap<Id, Blob>,
    pearls: [Vec2; PEARLS],
    next_id: Id,
    chance: StdRng,
}

impl World {
    /// An arena without players. The same seed and the same inputs make the same game.
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        World {
            tick: 0,
            blobs: BTreeMap::new(),
            pearls: std::array::from_fn(|_| somewhere(&mut chance)),
            next_id: 1,
            chance,
        }
    }

    pub(crate) fn tick(&self) -> u32 {
        self.tick
    }

    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.blobs.values()
    }

    pub(crate) fn blob(&self, id: Id) -> Option<&Blob> {
        self.blobs.get(&id)
    }

    pub(crate) fn pearls(&self) -> &[Vec2] {
        &self.pearls
    }

    pub(crate) fn enter(&mut self, name: &str, bot: bool) -> Id {
        let id = self.free_id();
        let at = self.quiet_place();
        self.blobs.insert(id, Blob::new(id, name, bot, at, self.tick));
        id
    }

    pub(crate) fn leave(&mut self, id: Id) {
        self.blobs.remove(&id);
    }

    /// What a player wants from now on; the newest word counts.
    pub(crate) fn steer(&mut self, id: Id, steer: Steer) {
        if let Some(blob) = self.blobs.get_mut(&id) {
            blob.steer = Steer {
                direction: steer.direction.capped(),
                ..steer
            };
        }
    }

    /// A thirtieth of a second.
    pub(crate) fn step(&mut self) -> Vec<Swallowed> {
        self.tick += 1;
        for blob in self.blobs.values_mut().filter(|blob| blob.is_here()) {
            blob.step(self.tick);
        }
        self.eat_pearls();
        let swallowed = self.swallow();
        self.bring_back();
        swallowed
    }

    fn eat_pearls(&mut self) {
        for (index, pearl) in self.pearls.iter_mut().enumerate() {
            let reaches = |blob: &&mut Blob| blob.is_here() && blob.at.distance(*pearl) < blob.radius();
            if let Some(blob) = self.blobs.values_mut().find(reaches) {
                blob.size += if index < BIG_PEARLS { 6.0 } else { 1.5 };
                *pearl = somewhere(&mut self.chance);
            }
        }
    }

    /// The larger one swallows the smaller one whose middle it covers; the largest eats first.
    fn swallow(&mut self) -> Vec<Swallowed> {
        let mut ids: Vec<Id> = self
            .blobs
            .values()
            .filter(|blob| blob.is_here())
            .map(|blob| blob.id)
            .collect();
        ids.sort_by(|a, b| self.blobs[b].size.total_cmp(&self.blobs[a].size));
        let mut swallowed = Vec::new();
        for (index, by) in ids.iter().enumerate() {
            for who in &ids[index + 1..] {
                let (eater, prey) = (&self.blobs[by], &self.blobs[who]);
                if !self.can_swallow(eater, prey) || eater.at.distance(prey.at) > eater.radius() {
                    continue;
                }
                let size = prey.size;
                if let Some(eater) = self.blobs.get_mut(by) {
                    eater.swallow(size);
                }
                if let Some(prey) = self.blobs.get_mut(who) {
                    prey.go_away(self.tick);
                }
                swallowed.push(Swallowed { by: *by, who: *who });
            }
        }
        swallowed
    }

    /// Whether the one is a danger for the other.
    pub(crate) fn can_swallow(&self, eater: &Blob, prey: &Blob) -> bool {
        let both_here = eater.is_here() && prey.is_here();
        let unshielded = !prey.is_shielded(self.tick) && !eater.is_shielded(self.tick);
        both_here && unshielded && eater.size >= prey.size * LARGER
    }

    fn bring_back(&mut self) {
        let due: Vec<Id> = self
            .blobs
            .values()
            .filter(|blob| blob.is_due(self.tick))
            .map(|blob| blob.id)
            .collect();
        for id in due {
            let at = self.quiet_place();
            if let Some(blob) = self.blobs.get_mut(&id) {
                blob.come_back(at, self.tick);
            }
        }
    }

    /// The one of a few random places that is farthest from everybody.
    fn quiet_place(&mut self) -> Vec2 {
        let places: [Vec2; 6] = std::array::from_fn(|_| somewhere(&mut self.chance));
        let nearest = |place: &Vec2| {
            let others = self.blobs.values().filter(|blob| blob.is_here());
            others
                .map(|blob| blob.at.distance(*place) - blob.radius())
                .fold(f32::MAX, f32::min)
        };
        places
            .into_iter()
            .max_by(|a, b| nearest(a).total_cmp(&nearest(b)))
            .unwrap_or_default()
    }

    fn free_id(&mut self) -> Id {
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            if !self.blobs.contains_key(&id) {
                return id;
            }
        }
    }
}

fn somewhere(chance: &mut StdRng) -> Vec2 {
    let margin = 40.0;
    Vec2::new(
        chance.random_range(margin..WIDTH - margin),
        chance.random_range(margin..HEIGHT - margin),
    )
}

#[cfg(test)]
mod tests;
