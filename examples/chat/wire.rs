//! What page and hub say to each other: every message is one text message that holds one JSON object.
//!
//! ```text
//! page -> hub
//!   {"type":"join","room":"lobby","name":"Ada"}   first of all, and to go to another room
//!   {"type":"say","text":"hi"}                    once joined
//!   {"type":"typing"}                             once joined; every two seconds while it goes on
//! hub -> page
//!   {"type":"rooms","rooms":[{"name":"lobby","people":2}]}
//!                                    first of all, and whenever it changes: the fullest twenty
//!   {"type":"welcome","id":"..","room":"lobby","name":"Ada","people":[PERSON],"lines":[LINE]}
//!                                    answers join; people includes the one who joined
//!   {"type":"joined","name":".."}    to everybody else in the room
//!   {"type":"left","name":".."}      to everybody else in the room
//!   {"type":"said","line":LINE}      to everybody in the room, the speaker included
//!   {"type":"typing","name":".."}    to everybody else in the room who reads along
//!   {"type":"slow","name":"..","slow":true}
//!                                    this one does not read; false once it does again
//!   {"type":"caughtup","missed":3,"people":[PERSON],"lines":[LINE]}
//!                                    to one who was slow: how many messages were left out, and what can be had
//!                                    of them again
//!   {"type":"refused","reason":".."} answers the join or say that was refused, and changes nothing
//!
//! PERSON  {"name":"Ada","slow":false}
//! LINE    {"id":1700000000000,"name":"Ada","text":"hi","at":1700000000000}
//!         at is in ms since the epoch; ids grow, also when the server was restarted
//! ```
//!
//! A name is 1 to 24 characters and nobody else's in the room, upper and lower case being the same; a text is 1 to
//! 2000 characters; a room is 1 to 24 of a-z, 0-9 and `-`. The reasons: "name taken", "name empty", "name too long",
//! "room unknown", "room full", "too many rooms", "already joined", "not joined", "text empty", "text too long",
//! "not understood". One page's messages are answered in order.

use engineio::Data;
use serde::{Deserialize, Serialize};

/// What a page says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Request {
    Join { room: String, name: String },
    Say { text: String },
    Typing,
}

/// What the hub says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Reply<'a> {
    Rooms {
        rooms: Vec<RoomSummary<'a>>,
    },
    Welcome {
        id: String,
        room: &'a str,
        name: &'a str,
        #[serde(flatten)]
        contents: Contents<'a>,
    },
    Joined {
        name: &'a str,
    },
    Left {
        name: &'a str,
    },
    Said {
        line: &'a Line,
    },
    Typing {
        name: &'a str,
    },
    Slow {
        name: &'a str,
        slow: bool,
    },
    CaughtUp {
        missed: usize,
        #[serde(flatten)]
        contents: Contents<'a>,
    },
    Refused {
        reason: &'a str,
    },
}

#[derive(Serialize)]
pub(crate) struct RoomSummary<'a> {
    pub(crate) name: &'a str,
    pub(crate) people: usize,
}

/// Who is in a room, and what was said last.
#[derive(Serialize)]
pub(crate) struct Contents<'a> {
    pub(crate) people: Vec<Person<'a>>,
    pub(crate) lines: Vec<&'a Line>,
}

#[derive(Serialize)]
pub(crate) struct Person<'a> {
    pub(crate) name: &'a str,
    pub(crate) slow: bool,
}

#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) at: u64,
}

impl Reply<'_> {
    pub(crate) fn data(&self) -> Data {
        Data::from(serde_json::to_string(self).expect("a reply is plain strings and numbers"))
    }
}
