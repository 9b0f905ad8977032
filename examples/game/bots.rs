//! What a player without a human does: flee the larger, hunt the smaller, else the nearest pearl.

use crate::blob::{Blob, Id, Steer};
use crate::geometry::Vec2;
use crate::world::{BIG_PEARLS, HEIGHT, WIDTH, World};

const NAMES: [&str; 24] = [
    "Pip", "Moss", "Juno", "Fig", "Otto", "Wren", "Biscuit", "Lux", "Plum", "Kiki", "Rollo", "Sol", "Bean",
    "Tilly", "Nori", "Gus", "Olive", "Zuzu", "Dot", "Pogo", "Ivy", "Momo", "Tofu", "Una",
];
const FEAR: f32 = 190.0; // units between the edges
const APPETITE: f32 = 210.0;
const DASH_WITHIN: f32 = 70.0;

/// A name that nobody in the arena has, while there is one.
pub(crate) fn name(world: &World) -> &'static str {
    let is_free = |name: &&str| world.blobs().all(|blob| blob.name != **name);
    NAMES.into_iter().find(is_free).unwrap_or(NAMES[0])
}

/// What the bot `id` wants now.
pub(crate) fn steer(world: &World, id: Id) -> Steer {
    let Some(me) = world.blob(id) else {
        return Steer::default();
    };
    if let Some((direction, gap)) = flight(world, me) {
        return Steer {
            direction,
            dash: gap < DASH_WITHIN / 2.0,
        };
    }
    if let Some((direction, gap)) = hunt(world, me) {
        return Steer {
            direction,
            dash: gap < DASH_WITHIN,
        };
    }
    Steer {
        direction: graze(world, me),
        dash: false,
    }
}

fn gap(one: &Blob, other: &Blob) -> f32 {
    one.at.distance(other.at) - one.radius() - other.radius()
}

/// Away from everybody who is a danger, the nearest counting most, and away from the walls.
fn flight(world: &World, me: &Blob) -> Option<(Vec2, f32)> {
    let mut away = Vec2::ZERO;
    let mut nearest = f32::MAX;
    for other in world.blobs().filter(|other| world.can_swallow(other, me)) {
        let gap = gap(other, me).max(1.0);
        if gap < FEAR {
            away += (me.at - other.at).unit() * (1.0 / gap);
            nearest = nearest.min(gap);
        }
    }
    if nearest == f32::MAX {
        return None;
    }
    let middle = Vec2::new(WIDTH / 2.0 - me.at.x, HEIGHT / 2.0 - me.at.y);
    let wall = me.at.x.min(me.at.y).min(WIDTH - me.at.x).min(HEIGHT - me.at.y);
    let direction = away.unit() + middle.unit() * (60.0 / wall.max(1.0));
    Some((direction.unit(), nearest))
}

fn hunt(world: &World, me: &Blob) -> Option<(Vec2, f32)> {
    let prey = world.blobs().filter(|other| world.can_swallow(me, other));
    let (prey, gap) = prey
        .map(|other| (other, gap(other, me)))
        .filter(|(_, gap)| *gap < APPETITE)
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    // Where it will be in a third of a second.
    Some(((prey.at + prey.velocity * 0.33 - me.at).unit(), gap))
}

fn graze(world: &World, me: &Blob) -> Vec2 {
    let cost = |index: usize, at: Vec2| at.distance(me.at) * if index < BIG_PEARLS { 0.4 } else { 1.0 };
    let pearls = world.pearls().iter().enumerate();
    let best = pearls.min_by(|a, b| cost(a.0, *a.1).total_cmp(&cost(b.0, *b.1)));
    // A little to the side, by who one is: else they all go the same way.
    let side = f32::from(me.id % 7) - 3.0;
    let direction = best.map_or(Vec2::ZERO, |(_, at)| *at - me.at).unit();
    (direction + Vec2::new(-direction.y, direction.x) * (side * 0.06)).unit() * 0.85
}
