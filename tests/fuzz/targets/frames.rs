//! One frame's header, the payload of a close frame, and the opening handshake's headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engineio::ws::frame::{Header, MAX_CONTROL, MAX_HEADER};
use engineio::ws::handshake::{Handshake, accept_key};
use engineio::ws::{CloseFrame, MAX_REASON};

use super::{Input, Seen};

/// Two bytes of circumstances, then a frame.
pub fn frame(data: &[u8], seen: &mut Seen) {
    let mut input = Input(data);
    let max = input.pick(&[0, 1, 125, 126, 1000, 65_535, 65_536, 1_000_000, u64::MAX]);
    let compression = input.byte() & 1 != 0;
    let bytes = input.0;

    let whole = Header::decode(bytes, max, compression);
    match &whole {
        Ok(header) => seen.note(header.map(|header| (header.opcode, header.fin, header.size))),
        Err(error) => seen.note(std::mem::discriminant(error)),
    }
    // Every beginning says the same, or that it is too short to say.
    for end in 0..bytes.len().min(MAX_HEADER + 1) {
        let part = Header::decode(&bytes[..end], max, compression);
        assert!(
            part == Ok(None) || part == whole,
            "{part:?} at {end}, then {whole:?}"
        );
    }
    match whole {
        Ok(Some(header)) => {
            assert!(header.size <= bytes.len() && header.len <= max.max(MAX_CONTROL as u64));
            assert!(!header.opcode.is_control() || (header.fin && header.len <= MAX_CONTROL as u64));
            assert!(!header.compressed || compression);
            assert_eq!(header_bytes(&header), &bytes[..header.size]);
        }
        Ok(None) => assert!(bytes.len() < MAX_HEADER),
        Err(error) => assert!(error.close_code().number() >= 1002 && error.to_string().len() <= MAX_REASON),
    }

    match CloseFrame::decode(bytes) {
        Ok(CloseFrame {
            code: Some(code),
            reason,
        }) => {
            seen.note(("close", reason.len().min(MAX_REASON + 1)));
            let again = CloseFrame::encode(code, &reason);
            assert!(again.len() <= MAX_CONTROL && bytes.starts_with(&again));
            assert!(CloseFrame::decode(&again).is_ok());
        }
        Ok(CloseFrame { code: None, .. }) => assert!(bytes.is_empty()),
        Err(error) => seen.note(std::mem::discriminant(&error)),
    }
}

/// The one way to write a header.
fn header_bytes(header: &Header) -> Vec<u8> {
    let mut bytes = vec![
        u8::from(header.fin) << 7 | u8::from(header.compressed) << 6 | header.opcode as u8,
        0x80,
    ];
    match header.len {
        0..=125 => bytes[1] |= header.len as u8,
        126..=0xffff => {
            bytes[1] |= 126;
            bytes.extend((header.len as u16).to_be_bytes());
        }
        _ => {
            bytes[1] |= 127;
            bytes.extend(header.len.to_be_bytes());
        }
    }
    bytes.extend(header.mask);
    bytes
}

/// Header lines: the first byte chooses the header, the rest of the line is its value.
pub fn handshake(data: &[u8], seen: &mut Seen) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let (mut forward, mut backward) = (Handshake::new(), Handshake::new());
    for line in &lines {
        put(&mut forward, line);
    }
    for line in lines.iter().rev() {
        put(&mut backward, line);
    }
    let result = forward.accept();
    seen.note(format!("{:?}", result.as_ref().err()));
    // Their order means nothing, the value of a header that may stand once only included: two are none.
    assert_eq!(result, backward.accept());
    assert_eq!(forward.is_requested(), backward.is_requested());
    if let Ok(accept) = result {
        assert!(forward.is_requested());
        assert_eq!(STANDARD.decode(accept.key).expect("base64").len(), 20);
        for kind in [2, 3] {
            assert_eq!(lines.iter().filter(|line| kind_of(line) == Some(kind)).count(), 1);
        }
    }
    if let Ok(key) = accept_key(data) {
        assert_eq!(data.len(), 24);
        assert_eq!(STANDARD.decode(key).expect("base64").len(), 20);
    }
}

fn kind_of(line: &[u8]) -> Option<u8> {
    line.first().map(|byte| byte % 4)
}

fn put(handshake: &mut Handshake, line: &[u8]) {
    let value = line.get(1..).unwrap_or_default();
    match kind_of(line) {
        Some(0) => handshake.connection(value),
        Some(1) => handshake.upgrade(value),
        Some(2) => handshake.version(value),
        Some(_) => handshake.key(value),
        None => {}
    }
}
