// Hand-written HTTP over node:net: bytes out as the test says, responses in as the server wrote them.
import net from "node:net";
import { within } from "./deadline.mjs";

/** Milliseconds within which any answer must have come, unless a test says otherwise. */
export const PATIENCE = 5000;

/** One TCP connection whose bytes the test writes itself. */
export class Connection {
  buffer = Buffer.alloc(0);
  /** `null` while open, then `fin` or the code of the socket's error (`ECONNRESET`). */
  end = null;
  #waiting = new Set();

  static async open(port) {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const connection = new Connection(socket);
    await within(new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject)), PATIENCE, "a TCP connection");
    return connection;
  }

  constructor(socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.buffer = Buffer.concat([this.buffer, chunk]);
      this.#wake();
    });
    socket.on("end", () => this.#ended("fin"));
    socket.on("error", (error) => this.#ended(error.code));
    socket.on("close", () => this.#ended("closed"));
  }

  #ended(how) {
    this.end ??= how;
    this.#wake();
  }

  #wake() {
    for (const look of [...this.#waiting]) look();
  }

  /** Writes bytes; resolves once the kernel has taken them (or the connection is over). */
  write(bytes) {
    if (this.end && this.end !== "fin") return Promise.resolve();
    return new Promise((resolve) => {
      this.socket.write(bytes, () => resolve());
      this.socket.once("close", resolve);
    });
  }

  /** Our FIN: nothing more comes from us, we still read. */
  finish() {
    this.socket.end();
  }

  /** RST. */
  reset() {
    this.socket.resetAndDestroy();
  }

  destroy() {
    this.socket.destroy();
  }

  /** What `take` makes of the bytes so far; it answers `undefined` while it needs more. */
  read(take, what, ms = PATIENCE) {
    return within(
      new Promise((resolve, reject) => {
        const look = () => {
          let taken;
          try {
            taken = take();
            if (taken === undefined && this.end) throw new Error(`${what}: the connection ended (${this.end}) with ${JSON.stringify(this.buffer.subarray(0, 200).toString("latin1"))}`);
          } catch (error) {
            this.#waiting.delete(look);
            return reject(error);
          }
          if (taken === undefined) return;
          this.#waiting.delete(look);
          resolve(taken);
        };
        this.#waiting.add(look);
        look();
      }),
      ms,
      what,
    );
  }

  /** Resolves when the peer has ended the connection, in whatever way. */
  closed(ms = PATIENCE, what = "the server ends the connection") {
    return within(
      new Promise((resolve) => {
        const look = () => {
          if (!this.end) return;
          this.#waiting.delete(look);
          resolve(this.end);
        };
        this.#waiting.add(look);
        look();
      }),
      ms,
      what,
    );
  }

  /** The next HTTP response: status, headers (lower case), body as text. */
  response(what = "a response", ms = PATIENCE) {
    return this.read(() => this.#takeResponse(), what, ms);
  }

  #takeResponse() {
    const gap = this.buffer.indexOf("\r\n\r\n");
    if (gap < 0) return undefined;
    const [first, ...lines] = this.buffer.subarray(0, gap).toString("latin1").split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
    if (!status) throw new Error(`not a response: ${JSON.stringify(first)}`);
    const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
    const rest = this.buffer.subarray(gap + 4);
    if (status === 101 || status === 204) return this.#taken(status, headers, rest, 0);
    if (headers["content-length"] !== undefined) {
      const length = Number(headers["content-length"]);
      return rest.length < length ? undefined : this.#taken(status, headers, rest, length);
    }
    if (/chunked/i.test(headers["transfer-encoding"] ?? "")) return this.#takeChunked(status, headers, rest);
    return this.end ? this.#taken(status, headers, rest, rest.length) : undefined;
  }

  #taken(status, headers, rest, length) {
    this.buffer = rest.subarray(length);
    return reply(status, headers, rest.subarray(0, length));
  }

  #takeChunked(status, headers, rest) {
    const chunks = [];
    for (let at = 0; ; ) {
      const eol = rest.indexOf("\r\n", at);
      if (eol < 0) return undefined;
      const size = parseInt(rest.subarray(at, eol).toString("latin1"), 16);
      if (rest.length < eol + 4 + size) return undefined;
      chunks.push(rest.subarray(eol + 2, eol + 2 + size));
      at = eol + 4 + size;
      if (size === 0) {
        this.buffer = rest.subarray(at);
        return reply(status, headers, Buffer.concat(chunks));
      }
    }
  }
}

function reply(status, headers, bytes) {
  const body = bytes.toString("utf8");
  return { status, headers, bytes, body, json: () => JSON.parse(body) };
}

/** A query string; arrays repeat their key; values are sent as they are (percent-encode them yourself). */
export function query(params) {
  return Object.entries(params)
    .filter(([, value]) => value !== undefined)
    .flatMap(([key, value]) => [value].flat().map((one) => `${key}=${one}`))
    .join("&");
}

/** The bytes of one request; `body` adds Content-Length. `params` is the query, `path` defaults to `/engine.io/`. */
export function head({ method = "GET", path = "/engine.io/", params, headers = {}, body }) {
  const target = params ? `${path}?${query(params)}` : path;
  const lines = [`${method} ${target} HTTP/1.1`, "Host: 127.0.0.1"];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.concat([Buffer.from(lines.join("\r\n") + "\r\n\r\n", "latin1"), Buffer.from(body ?? "")]);
}

/** One request on a connection of its own, and its response. */
export async function request(port, options) {
  const connection = await Connection.open(port);
  try {
    connection.write(head(options));
    return await connection.response(`${options.method ?? "GET"} ${query(options.params ?? {})}`, options.ms);
  } finally {
    connection.destroy();
  }
}

/** A session over polling, by hand. */
export class Polling {
  static async open(port, eio = 4, extra = {}) {
    const answer = await request(port, { params: { EIO: eio, transport: "polling", b64: eio === 3 ? 1 : undefined, ...extra } });
    if (answer.status !== 200) throw new Error(`handshake: ${answer.status} ${answer.body}`);
    return new Polling(port, eio, JSON.parse(answer.body.slice(answer.body.indexOf("{"), answer.body.indexOf("}") + 1)));
  }

  constructor(port, eio, handshake) {
    Object.assign(this, { port, eio, handshake, sid: handshake.sid });
  }

  params(more = {}) {
    return { EIO: this.eio, transport: "polling", b64: this.eio === 3 ? 1 : undefined, sid: this.sid, ...more };
  }

  poll(ms) {
    return request(this.port, { params: this.params(), ms });
  }

  /** A poll that is left open; its connection is the answer. Resolves once the request is written. */
  async park() {
    const connection = await Connection.open(this.port);
    await connection.write(head({ params: this.params() }));
    return connection;
  }

  post(body, headers = { "Content-Type": "text/plain;charset=UTF-8" }) {
    return request(this.port, { method: "POST", params: this.params(), headers, body });
  }

  /** Text messages as a payload of the session's revision. */
  payload(...texts) {
    return encode(this.eio, texts.map((text) => `4${text}`));
  }

  /** Sends text messages. */
  async send(...texts) {
    const answer = await this.post(this.payload(...texts));
    if (answer.status !== 200 || answer.body !== "ok") throw new Error(`POST: ${answer.status} ${answer.body}`);
  }

  /** Polls until `count` messages have come, at most 5 s per poll; answers heartbeats of revision 4. */
  async receive(count) {
    const messages = [];
    while (messages.length < count) {
      const answer = await this.poll();
      if (answer.status !== 200) throw new Error(`poll: ${answer.status} ${answer.body}`);
      for (const packet of decode(this.eio, answer.body)) {
        if (packet[0] === "4") messages.push(packet.slice(1));
        else if (packet[0] === "2") await this.post("3");
        else if (packet[0] === "1") throw new Error("the server closed the session");
      }
    }
    return messages;
  }

  /** Sends texts and asserts that they come back in order: the session works and owes nothing else. */
  async echoes(...texts) {
    await this.send(...texts);
    const back = await this.receive(texts.length);
    if (back.join() !== texts.join()) throw new Error(`echo: sent ${texts}, got ${back}`);
  }
}

/** A payload of text packets. */
export function encode(eio, packets) {
  return eio === 4 ? packets.join("\x1e") : packets.map((packet) => `${packet.length}:${packet}`).join("");
}

/** The text packets of a payload. */
export function decode(eio, body) {
  if (eio === 4) return body.split("\x1e");
  const packets = [];
  for (let at = 0; at < body.length; ) {
    const colon = body.indexOf(":", at);
    const length = Number(body.slice(at, colon));
    packets.push(body.slice(colon + 1, colon + 1 + length));
    at = colon + 1 + length;
  }
  return packets;
}

/**
 * Whether the server knows a session, without touching it: a request in the other revision is refused with code 3
 * while the session lives, with code 1 once it is gone.
 */
export async function isKnown(session) {
  const { port, sid, eio } = session;
  const answer = await request(port, { params: { EIO: eio === 4 ? 3 : 4, transport: "polling", sid } });
  const { code } = answer.json();
  if (answer.status !== 400 || (code !== 1 && code !== 3)) throw new Error(`a request in another revision: ${answer.status} ${answer.body}`);
  return code === 3;
}
