//! Which coding is chosen, what `Vary` says, and that what comes out can be read.

use std::io::Read as _;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use flate2::read::{GzDecoder, ZlibDecoder};

use super::{Coding, choose, parse_weight, vary};

const GZIP: Option<Coding> = Some(Coding::Gzip);
const DEFLATE: Option<Coding> = Some(Coding::Deflate);

#[test]
fn the_coding_that_the_client_likes_best() {
    for (accept, coding) in [
        // What clients send: Chromium and Firefox over TLS, without, requests, aiohttp, curl, .NET, nobody.
        ("gzip, deflate, br, zstd", GZIP),
        ("gzip, deflate", GZIP),
        ("gzip, deflate, br", GZIP),
        ("gzip,deflate", GZIP),
        ("deflate, gzip, br, zstd", GZIP),
        ("*", GZIP),
        ("identity", None),
        ("", None),
        // Weights.
        ("gzip;q=0.5, deflate;q=0.9", DEFLATE),
        ("gzip;q=0.9, deflate;q=0.5", GZIP),
        ("deflate;q=0.5, gzip;q=0.5", GZIP),
        ("deflate;q=0.501, gzip;q=0.5", DEFLATE),
        ("gzip;q=0.001", GZIP),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", GZIP),
        ("deflate", DEFLATE),
        ("br, deflate;q=0.1", DEFLATE),
        // Refusals.
        ("gzip;q=0", None),
        ("gzip;q=0.000, deflate;q=0.0", None),
        ("gzip;q=0, deflate", DEFLATE),
        ("*;q=0", None),
        ("*;q=0, gzip", GZIP),
        ("*;q=0, deflate", DEFLATE),
        ("gzip;q=0, *", DEFLATE),
        ("gzip;q=0, *;q=0.1", DEFLATE),
        ("gzip;q=0, deflate;q=0, *", None),
        // `*` is for those that are not listed.
        ("gzip;q=0.5, *", DEFLATE),
        ("gzip, *;q=0.5", GZIP),
        // As it is.
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", GZIP),
        ("identity;q=0.5, *;q=0.4", None),
        ("identity;q=0", None),
        ("identity;q=0, br", None),
        ("identity;q=0, gzip;q=0.1", GZIP),
        ("identity;q=0, *", GZIP),
        ("br, zstd", None),
        // How it is written.
        ("GZip", GZIP),
        ("x-gzip", GZIP),
        (" ,, gzip ;  Q=0.2 ,deflate ; q = 0.1,", GZIP),
        ("gzip\t;q=0\t,\tdeflate", DEFLATE),
        ("gzip;q=1.", GZIP),
        // A name that comes twice counts once, and what is malformed does not count.
        ("gzip;q=0, gzip", None),
        ("gzip;q=1.1, deflate", DEFLATE),
        ("gzip;q=0.0001, deflate", DEFLATE),
        ("gzip;q=-1, deflate", DEFLATE),
        ("gzip;q=, deflate", DEFLATE),
        ("gzip;q, deflate", DEFLATE),
        ("gzip;level=9, deflate", DEFLATE),
        ("gzipp, ;q=1, =, ;", None),
    ] {
        assert_eq!(choose([accept].into_iter()), coding, "{accept:?}");
    }
    assert_eq!(choose([].into_iter()), None);
    assert_eq!(choose(["br", "gzip;q=0.1, deflate"].into_iter()), DEFLATE);
}

#[test]
fn weights_are_thousandths() {
    for (text, weight) in [
        ("0", Some(0)),
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("0.5", Some(500)),
        ("0.05", Some(50)),
        ("0.005", Some(5)),
        ("1.001", None),
        ("2", None),
        (".5", None),
        ("0.+5", None),
        ("0.1.1", None),
        ("0.5e1", None),
        ("0.٥", None),
        ("", None),
    ] {
        assert_eq!(parse_weight(text), weight, "{text:?}");
    }
}

#[test]
fn vary_keeps_what_is_there() {
    for (before, after) in [
        (&[][..], "Accept-Encoding"),
        (&["Origin"], "Origin, Accept-Encoding"),
        (&["Origin, X-A", "X-B"], "Origin, X-A, X-B, Accept-Encoding"),
        (&["accept-encoding"], "accept-encoding"),
        (&["Origin,Accept-Encoding"], "Origin,Accept-Encoding"),
        (&["*"], "*"),
        (&["X-Accept-Encoding"], "X-Accept-Encoding, Accept-Encoding"),
    ] {
        let mut headers = HeaderMap::new();
        for value in before {
            headers.append(header::VARY, HeaderValue::from_static(value));
        }
        vary(&mut headers);
        let values: Vec<_> = headers.get_all(header::VARY).collect();
        assert_eq!(values, [after], "{before:?}");
    }
}

fn plain_of(coding: Coding, packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        Coding::Gzip => GzDecoder::new(packed).read_to_end(&mut plain),
        Coding::Deflate => ZlibDecoder::new(packed).read_to_end(&mut plain),
    }
    .expect("a whole stream");
    plain
}

#[test]
fn what_goes_in_comes_out_and_nothing_stays() {
    let noise = |len: usize| {
        let mut state = 1_u32;
        let next = std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        next.take(len).collect::<Vec<u8>>()
    };
    let bodies = [
        vec![],
        b"4".to_vec(),
        "4é🦀\u{1e}".repeat(5000).into_bytes(),
        vec![0; 1_000_000],
        noise(1023),
        noise(200_000),
    ];
    // Twice, so that each stream comes after every other, large after small and back.
    for body in bodies.iter().chain(bodies.iter().rev()) {
        for coding in [Coding::Gzip, Coding::Deflate] {
            let packed = coding.encode(body, 4).expect("a stream");
            assert!(
                plain_of(coding, &packed) == *body,
                "{coding:?} of {} bytes",
                body.len()
            );
            assert!(
                packed.len() <= body.len() + body.len() / 1000 + 64,
                "{}",
                packed.len()
            );
            assert_eq!(coding.encode(body, 4), Some(packed), "what was before it shows");
        }
    }
}

#[test]
fn levels() {
    let text: String = (0..5000).map(|index| format!("{{\"id\":{index}}},")).collect();
    let len = |level| {
        let packed = Coding::Gzip.encode(text.as_bytes(), level).expect("a stream");
        assert!(plain_of(Coding::Gzip, &packed) == text.as_bytes(), "{level}");
        packed.len()
    };
    assert!(len(1) > len(4) && len(4) > len(9));
    assert_eq!((len(0), len(255)), (len(1), len(9)));
}

#[test]
fn deflate_is_the_zlib_format() {
    let packed = Coding::Deflate.encode(&[b'a'; 2000], 4).expect("a stream");
    let header = u16::from_be_bytes([packed[0], packed[1]]);
    assert_eq!((packed[0] & 0x0f, header % 31), (8, 0), "RFC 1950, section 2.2");
    let packed = Coding::Gzip.encode(&[b'a'; 2000], 4).expect("a stream");
    assert_eq!(packed[..3], [0x1f, 0x8b, 8], "RFC 1952, section 2.3");
}

#[test]
fn every_thread_has_streams_of_its_own() {
    let threads = [1_usize, 2, 3, 4].map(|number| {
        std::thread::spawn(move || {
            let body = number.to_string().repeat(20_000);
            for _ in 0..20 {
                let packed = Coding::Gzip.encode(body.as_bytes(), 4).expect("a stream");
                assert!(plain_of(Coding::Gzip, &packed) == body.as_bytes());
            }
        })
    });
    for thread in threads {
        thread.join().expect("no panic");
    }
}
