//! The rules of the arena, played without a clock.

use super::*;
use crate::blob::{AWAY, FIRST_SIZE, SHIELD};

const RIGHT: Steer = Steer {
    direction: Vec2 { x: 1.0, y: 0.0 },
    dash: false,
};

/// A world without pearls in the way, where `names` stand side by side in the middle, out of reach of each other.
fn world(names: &[&str]) -> (World, Vec<Id>) {
    let mut world = World::new(7);
    world.pearls = [Vec2::new(40.0, 40.0); PEARLS];
    let ids: Vec<Id> = names.iter().map(|name| world.enter(name, false)).collect();
    for (index, id) in ids.iter().enumerate() {
        put(
            &mut world,
            *id,
            Vec2::new(400.0 + 300.0 * index as f32, 700.0),
            FIRST_SIZE,
        );
    }
    (world, ids)
}

fn put(world: &mut World, id: Id, at: Vec2, size: f32) {
    let blob = world.blobs.get_mut(&id).expect("it is in the world");
    (blob.at, blob.velocity, blob.size) = (at, Vec2::ZERO, size);
}

fn steps(world: &mut World, count: u32) -> Vec<Swallowed> {
    (0..count).flat_map(|_| world.step()).collect()
}

#[test]
fn a_blob_goes_where_it_is_steered_and_stops_at_the_wall() {
    let (mut world, ids) = world(&["Ada"]);
    world.steer(ids[0], RIGHT);
    steps(&mut world, TICKS_PER_SECOND);
    let blob = world.blob(ids[0]).expect("still here");
    assert!(blob.at.x > 550.0 && blob.at.y == 700.0, "{blob:?}");
    steps(&mut world, 20 * TICKS_PER_SECOND);
    let blob = world.blob(ids[0]).expect("still here");
    assert!(
        blob.at.x > 1900.0 && blob.at.x <= WIDTH - blob.radius(),
        "{blob:?}"
    );
}

#[test]
fn nobody_steers_faster_than_the_others() {
    let (mut world, ids) = world(&["Ada", "Bob"]);
    let cheating = Steer {
        direction: Vec2::new(900.0, 0.0),
        dash: false,
    };
    world.steer(ids[0], cheating);
    world.steer(ids[1], RIGHT);
    steps(&mut world, 10);
    let moved: Vec<f32> = world.blobs().map(|blob| blob.velocity.length()).collect();
    assert_eq!(moved[0], moved[1]);
}

#[test]
fn the_heavy_are_slow() {
    let (mut world, ids) = world(&["Ada", "Bob"]);
    put(&mut world, ids[0], Vec2::new(400.0, 300.0), 20.0 * FIRST_SIZE);
    for id in &ids {
        world.steer(*id, RIGHT);
    }
    steps(&mut world, TICKS_PER_SECOND);
    let speeds: Vec<f32> = world.blobs().map(|blob| blob.velocity.length()).collect();
    assert!(speeds[0] < 0.7 * speeds[1], "{speeds:?}");
}

#[test]
fn a_dash_is_fast_costs_size_and_takes_a_rest() {
    let (mut world, ids) = world(&["Ada"]);
    put(&mut world, ids[0], Vec2::new(400.0, 700.0), 100.0);
    world.steer(ids[0], Steer { dash: true, ..RIGHT });
    steps(&mut world, 5);
    let blob = world.blob(ids[0]).expect("still here");
    let (fast, size) = (blob.velocity.length(), blob.size);
    assert!(
        blob.is_dashing(world.tick()) && fast > 400.0 && size < 95.0,
        "{blob:?}"
    );
    steps(&mut world, TICKS_PER_SECOND / 2);
    let blob = world.blob(ids[0]).expect("still here");
    assert!(
        !blob.is_dashing(world.tick()) && blob.velocity.length() < fast && blob.size > 90.0,
        "{blob:?}"
    );
}

#[test]
fn pearls_feed_and_appear_elsewhere() {
    let (mut world, ids) = world(&["Ada"]);
    world.pearls[0] = Vec2::new(405.0, 700.0);
    world.pearls[BIG_PEARLS] = Vec2::new(395.0, 700.0);
    world.step();
    let blob = world.blob(ids[0]).expect("still here");
    assert!((blob.size - FIRST_SIZE - 7.5).abs() < 0.1, "{blob:?}");
    assert!(world.pearls[0].distance(blob.at) > 1.0 && world.pearls[BIG_PEARLS].distance(blob.at) > 1.0);
}

#[test]
fn the_larger_swallows_the_smaller_who_comes_back() {
    let (mut world, ids) = world(&["Ada", "Bob"]);
    steps(&mut world, SHIELD + 1);
    put(&mut world, ids[0], Vec2::new(700.0, 700.0), 100.0);
    let swallowed = world.step();
    assert_eq!(
        swallowed,
        [Swallowed {
            by: ids[0],
            who: ids[1]
        }]
    );
    let (ada, bob) = (
        world.blob(ids[0]).expect("here"),
        world.blob(ids[1]).expect("known"),
    );
    assert!(
        (ada.size - 112.0).abs() < 0.5 && !bob.is_here(),
        "{ada:?} {bob:?}"
    );

    steps(&mut world, AWAY);
    let bob = world.blob(ids[1]).expect("known");
    assert!(
        bob.is_here() && bob.size == FIRST_SIZE && bob.is_shielded(world.tick()),
        "{bob:?}"
    );
    let ada = world.blob(ids[0]).expect("here");
    assert!(
        ada.at.distance(bob.at) > ada.radius(),
        "it does not come back into a mouth"
    );
}

#[test]
fn equals_and_the_shielded_are_not_swallowed() {
    let (mut world, ids) = world(&["Ada", "Bob"]);
    put(&mut world, ids[0], Vec2::new(700.0, 700.0), 100.0);
    assert_eq!(steps(&mut world, SHIELD - 2), [], "new ones are shielded");
    steps(&mut world, 2);
    put(&mut world, ids[0], Vec2::new(700.0, 700.0), FIRST_SIZE * 1.1);
    put(&mut world, ids[1], Vec2::new(700.0, 700.0), FIRST_SIZE);
    assert_eq!(world.step(), [], "about as large is not larger");
}

#[test]
fn one_mouthful_at_a_time_is_not_a_chain() {
    let (mut world, ids) = world(&["Ada", "Bob", "Cem"]);
    steps(&mut world, SHIELD + 1);
    for (id, size) in ids.iter().zip([200.0, 100.0, 50.0]) {
        put(&mut world, *id, Vec2::new(700.0, 700.0), size);
    }
    let swallowed = world.step();
    assert_eq!(
        swallowed.len(),
        2,
        "Bob is gone before he can swallow Cem: {swallowed:?}"
    );
    assert!(swallowed.iter().all(|one| one.by == ids[0]));
}

#[test]
fn a_name_leaves_and_its_id_is_not_the_next_ones() {
    let (mut world, ids) = world(&["Ada"]);
    world.leave(ids[0]);
    let next = world.enter("Bob", false);
    assert_ne!(next, ids[0]);
    world.steer(ids[0], RIGHT); // too late, and harmless
    assert_eq!(world.blobs().count(), 1);
    world.next_id = Id::MAX;
    let (last, first) = (world.enter("Cem", false), world.enter("Dot", false));
    assert_eq!(
        (last, first),
        (Id::MAX, 1),
        "ids go round, past those that are taken"
    );
}

#[test]
fn the_same_seed_makes_the_same_game() {
    let play = || {
        let mut world = World::new(3);
        for index in 0..8 {
            world.enter("Bot", index % 2 == 0);
        }
        for tick in 0..600 {
            let ids: Vec<Id> = world.blobs().map(|blob| blob.id).collect();
            for id in ids {
                let steer = crate::bots::steer(&world, id);
                world.steer(id, steer);
            }
            world.step();
            assert!(
                world
                    .blobs()
                    .all(|blob| blob.size >= FIRST_SIZE && blob.at.x.is_finite()),
                "tick {tick}"
            );
        }
        world.blobs().map(|blob| (blob.at, blob.size)).collect::<Vec<_>>()
    };
    let sizes = play();
    assert_eq!(sizes, play());
    assert!(
        sizes.iter().any(|(_, size)| *size > 2.0 * FIRST_SIZE),
        "bots find their food: {sizes:?}"
    );
}
