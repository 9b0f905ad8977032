//! What page and arena say to each other. What is rare is JSON in text messages; what is frequent is binary,
//! little-endian, and may be dropped: each of these messages replaces the one before it.
//!
//! ```text
//! page -> arena, text
//!   {"type":"join","name":"Ada"}                 1 to 16 characters; before it one only watches
//! page -> arena, binary
//!   01  i8 x  i8 y  u8 dash                      steer: direction in 1/127, at most 1 long; dash 0 or 1
//!   02  u32 token                                ping: is echoed, to measure the way there and back
//!
//! arena -> page, text
//!   {"type":"arena","width":..,"height":..,"ticks":30,"bigPearls":12}   first of all
//!   {"type":"welcome","id":..}                   answers join: this is your blob
//!   {"type":"refused","reason":".."}             answers join: "name empty", "name too long", "already joined",
//!                                                "arena full"; or anything else: "not understood"
//!   {"type":"roster","players":[{"id":..,"name":"..","bot":false}]}     whenever it changes
//!   {"type":"swallowed","by":id,"who":id}
//! arena -> page, binary
//!   81  u32 tick
//!       u8 count   count x (u16 id, u16 x, u16 y, u16 radius, u8 flags)
//!       u8 pearls  pearls x (u16 x, u16 y)       snapshot, 30 a second; lengths in 1/16 of a unit
//!                                                flags: 1 dashing, 2 shielded. Who is not in it is away.
//!                                                A pearl that is somewhere else than before was eaten.
//!   82  u32 token                                pong
//! ```

use engineio::Data;
use serde::{Deserialize, Serialize};

use crate::blob::{Id, Steer};
use crate::geometry::Vec2;
use crate::world::World;

const STEER: u8 = 0x01;
const PING: u8 = 0x02;
const SNAPSHOT: u8 = 0x81;
const PONG: u8 = 0x82;

const FRACTIONS: f32 = 16.0;

/// What a page says.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    Join(String),
    Steer(Steer),
    Ping([u8; 4]),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Text {
    Join { name: String },
}

/// What the arena says in words.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Reply<'a> {
    Arena {
        width: f32,
        height: f32,
        ticks: u32,
        #[serde(rename = "bigPearls")]
        big_pearls: usize,
    },
    Welcome {
        id: Id,
    },
    Refused {
        reason: &'a str,
    },
    Roster {
        players: Vec<Player<'a>>,
    },
    Swallowed {
        by: Id,
        who: Id,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Player<'a> {
    pub(crate) id: Id,
    pub(crate) name: &'a str,
    pub(crate) bot: bool,
}

impl Reply<'_> {
    pub(crate) fn data(&self) -> Data {
        Data::from(serde_json::to_string(self).expect("a reply is plain strings and numbers"))
    }
}

/// Reads what a page said; `None` is not of this protocol.
pub(crate) fn decode(data: &Data) -> Option<Request> {
    match data {
        Data::Text(text) => {
            let Text::Join { name } = serde_json::from_str(text).ok()?;
            Some(Request::Join(name))
        }
        Data::Binary(bytes) => match **bytes {
            [STEER, x, y, dash] => Some(Request::Steer(Steer {
                direction: Vec2::new(axis(x), axis(y)).capped(),
                dash: dash == 1,
            })),
            [PING, a, b, c, d] => Some(Request::Ping([a, b, c, d])),
            _ => None,
        },
    }
}

fn axis(byte: u8) -> f32 {
    f32::from(byte as i8) / 127.0
}

pub(crate) fn pong(token: [u8; 4]) -> Data {
    let [a, b, c, d] = token;
    Data::from(vec![PONG, a, b, c, d])
}

/// The world as it is now. It says everything that one needs to draw it, so that none is missed if it is dropped.
pub(crate) fn snapshot(world: &World) -> Data {
    let mut bytes = vec![SNAPSHOT];
    bytes.extend(world.tick().to_le_bytes());
    let here: Vec<_> = world
        .blobs()
        .filter(|blob| blob.is_here())
        .take(usize::from(u8::MAX))
        .collect();
    bytes.push(here.len() as u8);
    for blob in here {
        let flags = u8::from(blob.is_dashing(world.tick())) | u8::from(blob.is_shielded(world.tick())) << 1;
        bytes.extend(blob.id.to_le_bytes());
        for length in [blob.at.x, blob.at.y, blob.radius()] {
            bytes.extend(fixed(length));
        }
        bytes.push(flags);
    }
    let pearls = world.pearls();
    bytes.push(pearls.len() as u8);
    for pearl in pearls {
        bytes.extend(fixed(pearl.x));
        bytes.extend(fixed(pearl.y));
    }
    Data::from(bytes)
}

fn fixed(length: f32) -> [u8; 2] {
    ((length * FRACTIONS).round() as u16).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::PEARLS;

    #[test]
    fn what_a_page_says_is_read() {
        let join = Data::from(r#"{"type":"join","name":"Ada"}"#);
        assert_eq!(decode(&join), Some(Request::Join("Ada".to_owned())));
        let steer = decode(&Data::from(vec![STEER, 127, 0, 1]));
        let right = Steer {
            direction: Vec2::new(1.0, 0.0),
            dash: true,
        };
        assert_eq!(steer, Some(Request::Steer(right)));
        assert_eq!(
            decode(&Data::from(vec![PING, 1, 2, 3, 4])),
            Some(Request::Ping([1, 2, 3, 4]))
        );
    }

    #[test]
    fn what_is_not_of_this_protocol_is_nothing() {
        for bytes in [
            vec![],
            vec![STEER],
            vec![STEER, 1, 2, 3, 4],
            vec![PING, 1],
            vec![0xff; 4],
        ] {
            assert_eq!(decode(&Data::from(bytes)), None);
        }
        for text in ["", "{}", "null", r#"{"type":"join"}"#, r#"{"type":"steer"}"#] {
            assert_eq!(decode(&Data::from(text)), None);
        }
    }

    #[test]
    fn no_direction_is_longer_than_one() {
        for x in 0..=u8::MAX {
            for y in [0, 127, 128, 255] {
                let Some(Request::Steer(steer)) = decode(&Data::from(vec![STEER, x, y, 0])) else {
                    panic!("a steer");
                };
                assert!(steer.direction.length() < 1.0001);
            }
        }
    }

    #[test]
    fn a_snapshot_is_as_the_table_says() {
        let mut world = World::new(1);
        let id = world.enter("Ada", false);
        world.step();
        let data = snapshot(&world);
        let bytes = data.as_bytes();
        assert_eq!(bytes.len(), 1 + 4 + 1 + 9 + 1 + 4 * PEARLS);
        assert_eq!(bytes[..8], [SNAPSHOT, 1, 0, 0, 0, 1, id as u8, 0]);
        let x = f32::from(u16::from_le_bytes([bytes[8], bytes[9]])) / FRACTIONS;
        let blob = world.blobs().next().expect("one is in");
        assert!((x - blob.at.x).abs() < 0.1);
        assert_eq!(bytes[14..16], [2, PEARLS as u8], "shielded; then the pearls");
    }
}
