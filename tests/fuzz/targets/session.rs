//! A session and everything around it: bytes become a sequence of what can happen to a session, in any order, with
//! time going forward. `model.rs` drives it and knows what must come out.

use std::sync::Arc;
use std::time::Duration;

use engineio::proto::{CloseReason, Events, Packet, PacketType, Refusal, Revision, Transport};
use engineio::{Config, Data};

use super::model::{Driver, Setup};
use super::{Input, Seen};

/// The most things that happen to one session.
const MAX_ACTIONS: usize = 600;

/// Seven bytes of settings, then one byte for each thing that happens, with its arguments behind it.
pub fn session(data: &[u8], seen: &mut Seen) {
    let mut input = Input(data);
    let setup = setup(&mut input);
    let mut driver = Driver::new(setup, seen);
    for _ in 0..MAX_ACTIONS {
        if input.0.is_empty() {
            break;
        }
        act(&mut driver, &mut input);
        driver.drain();
    }
    driver.finish();
}

fn setup(input: &mut Input<'_>) -> Setup {
    let ms = Duration::from_millis;
    let flags = input.byte();
    let more = input.byte();
    let mut config = Config::default();
    config.ping_interval = ms(input.pick(&[300, 25_000, 1, 0]));
    config.ping_timeout = ms(input.pick(&[200, 20_000, 5_000, 1]));
    config.upgrade_timeout = ms(input.pick(&[1000, 10_000, 60]));
    config.max_buffered_bytes = input.pick(&[16_000_000, 400, 65, 5_000]);
    config.max_http_buffer_size = input.pick(&[1_000_000, 500]);
    config.allow_upgrades = more & 7 != 7;
    config.initial_packet = (more & 8 != 0).then(|| Data::from("welcome"));
    Setup {
        config: Arc::new(config),
        revision: if flags & 1 == 0 {
            Revision::V4
        } else {
            Revision::V3
        },
        base64: flags & 2 != 0,
        interest: [Events::all(), Events::DEFAULT, Events::empty()][usize::from(flags >> 2 & 3).min(2)],
        transport: if flags & 16 == 0 {
            Transport::Polling
        } else {
            Transport::WebSocket
        },
        opens: flags & 32 == 0,
        echoes: flags & 64 != 0,
        room: flags & 128 == 0,
    }
}

fn act(driver: &mut Driver<'_>, input: &mut Input<'_>) {
    match input.byte() % 32 {
        0 | 1 => driver.poll(),
        2 => driver.poll_gone(input.byte()),
        3 => driver.push(usize::from(input.byte() % 5), false),
        4 => driver.push(1, true),
        5 => driver.push_begun(),
        6 | 7 => driver.payload(None),
        8 => {
            let junk = input.bytes().to_vec();
            driver.payload(Some(junk));
        }
        9 => driver.push_failed(input.pick(&[
            Refusal::PayloadTooLarge { size: 1 << 40 },
            Refusal::RequestTimeout,
            Refusal::Internal,
        ])),
        10 => driver.websocket(),
        11 => driver.probe(),
        12 | 13 => driver.upgrade(input.byte()),
        14 => driver.probe_lost(input.byte()),
        15 | 16 => driver.client_message(),
        17 => driver.client_frame(Ok(Packet::new(input.pick(&[
            PacketType::Pong,
            PacketType::Ping,
            PacketType::Noop,
            PacketType::Open,
            PacketType::Upgrade,
            PacketType::Close,
        ])))),
        18 => {
            let junk = input.bytes();
            driver.junk_frame(junk);
        }
        19 => driver.websocket_lost(),
        20..=22 => driver.send(usize::from(input.byte()), false),
        23 => driver.send(usize::from(input.byte()) * 37, true),
        24 => driver.close(input.pick(&[
            CloseReason::ForcedClose,
            CloseReason::ServerClosing,
            CloseReason::Panicked,
        ])),
        25 => driver.abort(input.pick(&[CloseReason::ForcedClose, CloseReason::BufferFull])),
        26 => driver.set_room(input.byte() & 1 == 0),
        27 => driver.wait(Duration::from_millis(
            input.pick(&[1, 49, 50, 51, 199, 1000, 1001, 30_000]),
        )),
        28 => driver.wait_for_timeout(input.pick(&[0, 1, 1_000_000, 999_999_999, 3_000_000_000])),
        29 => driver.timeout(),
        30 => driver.open(),
        _ => driver.heartbeat(),
    }
}
