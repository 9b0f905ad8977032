//! Packets and payloads: what decodes is encoded again and decodes to the same, in bounded memory.

use bytes::Bytes;
use bytestring::ByteString;
use engineio::Data;
use engineio::proto::{DecodeError, Packet, Probe, Revision, payload};

use super::{Input, Seen};
use crate::memory;

/// One byte: the body is binary, the encoder may use binary. Then the body.
pub fn payload_v3(data: &[u8], seen: &mut Seen) {
    payload(data, Revision::V3, seen);
}

/// One byte: the body is binary. Then the body.
pub fn payload_v4(data: &[u8], seen: &mut Seen) {
    payload(data, Revision::V4, seen);
}

fn payload(data: &[u8], revision: Revision, seen: &mut Seen) {
    let mut input = Input(data);
    let flags = input.byte();
    let (binary, supports_binary) = (flags & 1 != 0, flags & 2 != 0);
    let body = Bytes::copy_from_slice(input.0);

    let (packets, error) = decode(&body, revision, binary);
    seen.note((binary, packets.len().min(4), error));
    for packet in packets.iter().take(8) {
        seen.note((packet.kind, packet.data.is_text(), packet.data.len().min(3)));
    }
    // A packet has a byte at least, and no decoding makes more of it.
    assert!(packets.len() <= body.len());
    assert!(packets.iter().map(|packet| packet.data.len()).sum::<usize>() <= body.len());

    let (_, most) = memory::peak(|| payload::decode(body.clone(), revision, binary).count());
    assert!(
        most <= 2 * body.len() as isize + 256,
        "{most} bytes for {}",
        body.len()
    );

    let again = payload::encode(&packets, revision, supports_binary);
    assert_eq!(
        again.bytes.len(),
        payload::encoded_len(&packets, revision, supports_binary)
    );
    assert!(!again.binary || revision == Revision::V3);
    if !packets.is_empty() {
        assert_eq!(decode(&again.bytes, revision, again.binary), (packets, None));
    }
}

fn decode(body: &Bytes, revision: Revision, binary: bool) -> (Vec<Packet>, Option<DecodeError>) {
    let mut decoder = payload::decode(body.clone(), revision, binary);
    let (mut packets, mut error) = (Vec::new(), None);
    for item in &mut decoder {
        assert_eq!(error, None, "something follows an error");
        match item {
            Ok(packet) => packets.push(packet),
            Err(found) => error = Some(found),
        }
    }
    assert!(decoder.next().is_none());
    (packets, error)
}

/// One byte: revision, text or binary, base64. Then a WebSocket message.
pub fn packet(data: &[u8], seen: &mut Seen) {
    let mut input = Input(data);
    let flags = input.byte();
    let revision = if flags & 1 == 0 {
        Revision::V4
    } else {
        Revision::V3
    };
    let content = match flags & 2 {
        0 => Data::Text(String::from_utf8_lossy(input.0).as_ref().into()),
        _ => Data::Binary(Bytes::copy_from_slice(input.0)),
    };
    let decoded = from_frame(content, revision);
    let packet = match decoded {
        Ok(packet) => packet,
        Err(error) => return seen.note(error),
    };
    seen.note((
        revision,
        packet.kind,
        packet.data.is_text(),
        packet.data.len().min(3),
    ));

    let mut probe = Probe::default();
    seen.note(format!("{:?}", probe.handle_packet(&packet)));
    let frame = packet.clone().into_frame(revision, flags & 4 != 0);
    let mut bytes: Vec<u8> = frame.prefix.into_iter().collect();
    bytes.extend_from_slice(frame.data.as_bytes());
    let content = match frame.data {
        Data::Text(_) => Data::Text(ByteString::try_from(bytes).expect("text stays text")),
        Data::Binary(_) => Data::Binary(bytes.into()),
    };
    assert!(flags & 4 == 0 || content.is_text());
    assert_eq!(from_frame(content, revision), Ok(packet));
}

fn from_frame(content: Data, revision: Revision) -> Result<Packet, DecodeError> {
    match content {
        Data::Text(text) => Packet::from_text(text, revision),
        Data::Binary(bytes) => Packet::from_binary(bytes, revision),
    }
}
