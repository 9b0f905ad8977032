// The binary messages, as wire.rs describes them. All numbers are little-endian.

const STEER = 0x01;
const PING = 0x02;
const SNAPSHOT = 0x81;
const PONG = 0x82;
const FRACTIONS = 16;

/** `x` and `y`: a direction, at most 1 long. */
export function steer({ x, y, dash }) {
  return new Uint8Array([STEER, Math.round(x * 127), Math.round(y * 127), dash ? 1 : 0]).buffer;
}

export function ping(token) {
  const view = new DataView(new ArrayBuffer(5));
  view.setUint8(0, PING);
  view.setUint32(1, token, true);
  return view.buffer;
}

/** What the arena said: a snapshot {type, tick, blobs: Map of id, pearls}, a pong {type, token}, or null. */
export function read(buffer) {
  const view = new DataView(buffer);
  let at = 0;
  const u8 = () => view.getUint8(at++);
  const u16 = () => view.getUint16((at += 2) - 2, true);
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const length = () => u16() / FRACTIONS;
  switch (u8()) {
    case PONG: return { type: "pong", token: u32() };
    case SNAPSHOT: {
      const tick = u32();
      const blobs = new Map();
      for (let left = u8(); left > 0; left--) {
        const blob = { id: u16(), x: length(), y: length(), radius: length() };
        const flags = u8();
        blobs.set(blob.id, { ...blob, dashing: Boolean(flags & 1), shielded: Boolean(flags & 2) });
      }
      const pearls = Array.from({ length: u8() }, () => ({ x: length(), y: length() }));
      return { type: "snapshot", tick, blobs, pearls };
    }
    default: return null;
  }
}
