// Hand-written WebSocket frames over a raw connection: a client that may break every rule of RFC 6455.
import { createHash, randomBytes } from "node:crypto";
import { Connection, PATIENCE, head } from "./raw.mjs";

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The headers of an opening handshake; pass `undefined` values to leave one out. */
export function upgradeHeaders(more = {}) {
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    ...more,
  };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

/** The bytes of one client frame; `length` lies about the payload's length. */
export function frame(opcode, payload = "", { fin = true, rsv = 0, masked = true, length } = {}) {
  const data = Buffer.from(payload);
  const said = length ?? data.length;
  const bytes = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (said < 126) bytes.push(mask | said);
  else if (said < 65536) bytes.push(mask | 126, said >> 8, said & 255);
  else bytes.push(mask | 127, ...bigEndian(BigInt(said)));
  if (!masked) return Buffer.concat([Buffer.from(bytes), data]);
  const key = randomBytes(4);
  return Buffer.concat([Buffer.from(bytes), key, data.map((byte, at) => byte ^ key[at & 3])]);
}

function bigEndian(value) {
  const eight = Buffer.alloc(8);
  eight.writeBigUInt64BE(value);
  return eight;
}

/** The body of a close frame. */
export function closeBody(code, reason = "") {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

/** A WebSocket by hand. */
export class WebSocket {
  /** Asks for a WebSocket; the answer has `response` (whatever it is), and `ok` when it is a right 101. */
  static async request(port, params, headers = upgradeHeaders()) {
    const connection = await Connection.open(port);
    connection.write(head({ params: { transport: "websocket", ...params }, headers }));
    const response = await connection.response("the answer to a WebSocket handshake");
    return new WebSocket(connection, response, headers["Sec-WebSocket-Key"]);
  }

  /** A WebSocket that must be let in. Without `sid`, its open packet is read and gives `sid`. */
  static async open(port, params) {
    const websocket = await WebSocket.request(port, params);
    if (!websocket.ok) throw new Error(`no WebSocket: ${websocket.response.status} ${websocket.response.body}`);
    websocket.port = port;
    websocket.eio = params.EIO;
    websocket.sid = params.sid;
    if (!params.sid) {
      const open = await websocket.text();
      websocket.sid = JSON.parse(open.slice(1)).sid;
    }
    return websocket;
  }

  constructor(connection, response, key) {
    this.connection = connection;
    this.response = response;
    const accept = createHash("sha1").update(`${key}${GUID}`).digest("base64");
    this.ok = response.status === 101 && response.headers["sec-websocket-accept"] === accept;
  }

  frame(opcode, payload, options) {
    return this.connection.write(frame(opcode, payload, options));
  }

  send(text) {
    return this.frame(TEXT, text);
  }

  /** The next frame of the server: opcode, payload. A masked or reserved-bit frame of the server's is an error. */
  next(what = "a frame", ms = PATIENCE) {
    return this.connection.read(() => this.#take(), what, ms);
  }

  #take() {
    const { buffer } = this.connection;
    if (buffer.length < 2) return undefined;
    if (buffer[0] & 0x70 || buffer[1] & 0x80) throw new Error(`a wrong frame of the server's: ${buffer.subarray(0, 2).toString("hex")}`);
    let length = buffer[1] & 127;
    let start = 2;
    if (length === 126) {
      if (buffer.length < 4) return undefined;
      length = buffer.readUInt16BE(2);
      start = 4;
    } else if (length === 127) {
      if (buffer.length < 10) return undefined;
      length = Number(buffer.readBigUInt64BE(2));
      start = 10;
    }
    if (buffer.length < start + length) return undefined;
    this.connection.buffer = buffer.subarray(start + length);
    return { opcode: buffer[0] & 15, fin: (buffer[0] & 0x80) !== 0, payload: buffer.subarray(start, start + length) };
  }

  /** The next text message; anything else is an error. */
  async text(what = "a text message", ms) {
    const { opcode, payload } = await this.next(what, ms);
    if (opcode !== TEXT) throw new Error(`${what}: got opcode ${opcode} ${payload.toString("hex")}`);
    return payload.toString();
  }

  /** Sends texts as messages and asserts their echo. */
  async echoes(...texts) {
    for (const one of texts) this.send(`4${one}`);
    for (const one of texts) {
      const back = await this.text(`the echo of ${one}`);
      if (back !== `4${one}`) throw new Error(`echo: sent 4${one}, got ${back}`);
    }
  }

  /** Reads up to the server's close frame: its code (1005: none given), its reason, and the texts before it. */
  async closing(ms = PATIENCE) {
    const before = [];
    for (;;) {
      const { opcode, payload } = await this.next("a close frame", ms);
      if (opcode !== CLOSE) {
        before.push(payload.toString());
        continue;
      }
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      return { code, reason: payload.subarray(2).toString(), before };
    }
  }

  /** Reads up to the close frame, answers it, and waits for the end of the connection. */
  async ended(ms = PATIENCE) {
    const close = await this.closing(ms);
    this.frame(CLOSE, close.code === 1005 ? "" : closeBody(close.code));
    await this.connection.closed(ms);
    return close;
  }

  destroy() {
    this.connection.destroy();
  }
}
