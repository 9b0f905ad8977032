//! The open packet: what a client is told about its new session. Knows the JSON, not who asked.

use std::fmt::Write as _;
use std::time::Duration;

use super::packet::{Packet, PacketType};
use super::sid::Sid;
use super::transport::Transport;
use crate::Data;

/// The packet that answers a handshake (protocol, "Handshake"). Both revisions get `maxPayload`, as from engine.io 6.
///
/// `upgrades` are the transports that the client may swap to, `max_payload` is the most bytes of a payload that the
/// server takes. The durations go out in whole milliseconds.
pub fn open_packet(
    sid: &Sid,
    upgrades: impl IntoIterator<Item = Transport>,
    ping_interval: Duration,
    ping_timeout: Duration,
    max_payload: usize,
) -> Packet {
    let mut json = String::with_capacity(160);
    // Neither a sid nor a transport's name holds a character that JSON escapes.
    json.push_str(r#"{"sid":""#);
    json.push_str(sid.as_str());
    json.push_str(r#"","upgrades":["#);
    for (index, transport) in upgrades.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(json, r#"{comma}"{transport}""#);
    }
    let (interval, timeout) = (ping_interval.as_millis(), ping_timeout.as_millis());
    let _ = write!(
        json,
        r#"],"pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":{max_payload}}}"#
    );
    Packet {
        kind: PacketType::Open,
        data: Data::from(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(upgrades: &[Transport]) -> String {
        let sid = Sid::parse("lv_VI97HAXpY6yYWAAAC").unwrap();
        let (interval, timeout) = (Duration::from_secs(25), Duration::from_millis(20_000));
        let packet = open_packet(&sid, upgrades.iter().copied(), interval, timeout, 1_000_000);
        assert_eq!(packet.kind, PacketType::Open);
        packet.data.as_text().unwrap().to_owned()
    }

    /// The example of the protocol's document.
    #[test]
    fn the_documents_example() {
        assert_eq!(
            text(&[Transport::WebSocket]),
            r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
    }

    #[test]
    fn it_is_json_with_any_number_of_upgrades() {
        for upgrades in [
            &[][..],
            &[Transport::WebSocket],
            &[Transport::Polling, Transport::WebSocket],
        ] {
            let json: serde_json::Value = serde_json::from_str(&text(upgrades)).unwrap();
            let names: Vec<_> = json["upgrades"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap())
                .collect();
            assert_eq!(
                names,
                upgrades
                    .iter()
                    .map(|transport| transport.as_str())
                    .collect::<Vec<_>>()
            );
        }
    }
}
