//! The ceiling of the benchmark: a WebSocket echo on bare tokio, without Engine.IO.
//!
//! One thread, one task per connection, one read and one write per wake. It answers the upgrade properly, sends an
//! open packet so that an Engine.IO client goes on, and from then on returns every frame unmasked. No heartbeat, no
//! session, no checks beyond the length of a frame: what is missing here is what the servers beside it do.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Bytes read at once, in a buffer that the thread's connections share.
const SCRATCH: usize = 64 * 1024;
/// Largest payload of a frame, in bytes.
const MAX_PAYLOAD: usize = 1_000_000;

const OPEN: &str = r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

const _: () = assert!(OPEN.len() < 126, "the open packet fits a short frame");

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
    static WRITE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(SCRATCH));
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    let _ = serve(stream).await;
                });
            }
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    if !upgrade(&mut stream).await? {
        return Ok(());
    }
    // Bytes of a frame whose end has not come yet; empty, and without memory, most of the time.
    let mut partial = Vec::new();
    loop {
        let (mut out, open) = read_and_echo(&mut stream, &mut partial).await?;
        write_all(&mut stream, &out).await?;
        out.clear();
        WRITE.set(out);
        if !open {
            return Ok(());
        }
    }
}

/// Waits for bytes; returns the echo of all whole frames in the thread's buffer, and false at the stream's end.
async fn read_and_echo(stream: &mut TcpStream, partial: &mut Vec<u8>) -> io::Result<(Vec<u8>, bool)> {
    std::future::poll_fn(|cx| {
        READ.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            // Not `try_read`: it leaves the readiness set after a short read, and costs a second call per wake.
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let bytes = buffer.filled_mut();
            let mut out = WRITE.take();
            let mut open = !bytes.is_empty();
            if partial.is_empty() {
                let used = echo(bytes, &mut out, &mut open)?;
                if used < bytes.len() {
                    partial.extend_from_slice(&bytes[used..]);
                }
            } else {
                partial.extend_from_slice(bytes);
                let used = echo(partial, &mut out, &mut open)?;
                partial.drain(..used);
                if partial.is_empty() {
                    *partial = Vec::new();
                }
            }
            Poll::Ready(Ok((out, open)))
        })
    })
    .await
}

/// Most writes are taken whole by the kernel at once: no await point then.
async fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let written = match stream.try_write(bytes) {
        Ok(written) => written,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if written < bytes.len() {
        stream.write_all(&bytes[written..]).await
    } else {
        Ok(())
    }
}

/// Unmasks whole frames and appends them to `out`. Returns the bytes used; a close frame clears `open`.
fn echo(bytes: &mut [u8], out: &mut Vec<u8>, open: &mut bool) -> io::Result<usize> {
    let mut at = 0;
    while bytes.len() - at >= 6 {
        let frame = &mut bytes[at..];
        let (start, length) = match frame[1] & 0x7f {
            126 if frame.len() < 8 => break,
            126 => (4, u16::from_be_bytes([frame[2], frame[3]]) as usize),
            127 if frame.len() < 14 => break,
            127 => (
                10,
                frame[2..10].iter().fold(0, |sum, &byte| sum << 8 | byte as usize),
            ),
            short => (2, short as usize),
        };
        if frame[1] & 0x80 == 0 || frame[0] & 0x70 != 0 || length > MAX_PAYLOAD {
            return Err(ErrorKind::InvalidData.into());
        }
        let end = start + 4 + length;
        if frame.len() < end {
            break;
        }
        let mask = [frame[start], frame[start + 1], frame[start + 2], frame[start + 3]];
        let payload = &mut frame[start + 4..end];
        unmask(payload, mask);
        // A ping is answered by a pong; everything else, a close frame included, goes back as it came.
        let opcode = frame[0] & 0x0f;
        out.push(if opcode == 9 { 0x8a } else { frame[0] });
        out.push(frame[1] & 0x7f);
        out.extend_from_slice(&frame[2..start]);
        out.extend_from_slice(&frame[start + 4..end]);
        at += end;
        if opcode == 8 {
            *open = false;
            break;
        }
    }
    Ok(at)
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from(u32::from_ne_bytes(mask));
    let wide = wide | wide << 32;
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Reads the request's head and answers it: true after a 101 and the open packet.
async fn upgrade(stream: &mut TcpStream) -> io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 8192 || stream.read_buf(&mut head).await? == 0 {
            return Ok(false);
        }
    }
    let text = String::from_utf8_lossy(&head);
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim())
    });
    let Some(key) = key else {
        stream
            .write_all(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
            .await?;
        return Ok(false);
    };
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let accept = STANDARD.encode(digest);
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes();
    answer.extend_from_slice(&[0x81, OPEN.len() as u8]);
    answer.extend_from_slice(OPEN.as_bytes());
    stream.write_all(&answer).await?;
    Ok(true)
}
