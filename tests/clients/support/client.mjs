// The real clients, npm's engine.io-client 6 and 3, behind one small face: messages become a queue, closing a promise.

import { Socket as Socket6 } from "engine.io-client-6";
import Socket3 from "engine.io-client-3";
import { DEADLINE, Inbox, event, within } from "./wait.mjs";

/** The two generations: `eio` is the protocol revision that the client speaks. */
export const CLIENTS = [
  { name: "engine.io-client 6", eio: 4, create: (url, options) => new Socket6(url, options) },
  { name: "engine.io-client 3", eio: 3, create: (url, options) => new Socket3(url, options) },
];

/** How a client may travel. `arrived` is the transport that it has once `open` resolves. */
export const MODES = [
  { name: "polling", options: { transports: ["polling"], upgrade: false }, arrived: "polling" },
  { name: "websocket", options: { transports: ["websocket"] }, arrived: "websocket" },
  { name: "polling then upgrade", options: { transports: ["polling", "websocket"] }, arrived: "websocket" },
];

/** Every pair of client and mode, with a name for the test's title. */
export const PAIRS = CLIENTS.flatMap((client) =>
  MODES.map((mode) => ({ client, mode, name: `${client.name}, ${mode.name}` })),
);

/** One connection of a real client. `socket` is the client's own object, for what this face does not show. */
export class Client {
  inbox = new Inbox();

  constructor(kind, url, options) {
    this.kind = kind;
    this.socket = kind.create(url, { ...options });
    this.socket.on("handshake", (handshake) => { this.handshake = handshake; });
    // an empty text packet has no data at all in both parsers
    this.socket.on("message", (data) => this.inbox.push(normalise(data ?? "")));
    this.opened = new Promise((resolve) => this.socket.once("open", resolve));
    this.upgraded = new Promise((resolve) => this.socket.once("upgrade", resolve));
    this.closed = new Promise((resolve) => {
      this.socket.once("close", (reason, description) => {
        this.inbox.end(new Error(`the client closed: ${reason} (${this.failure ?? describe(description)})`));
        resolve(reason);
      });
    });
    this.socket.on("error", (error) => { this.failure = describe(error); });
    this.socket.on("upgradeError", (error) => { this.upgradeFailure = error; });
  }

  /** Connects in `mode` and waits until the transport that the mode ends on carries the session. */
  static async open(kind, mode, url, options = {}) {
    const client = new Client(kind, url, { ...mode.options, ...options });
    await client.when(client.opened, "the client's open");
    if (mode.name === "polling then upgrade") await client.when(client.upgraded, "the client's upgrade");
    if (client.transport !== mode.arrived) throw new Error(`on ${client.transport} instead of ${mode.arrived}`);
    return client;
  }

  /** `promise`, unless the client closes or the deadline passes first. */
  when(promise, what, ms = DEADLINE) {
    const ended = this.closed.then((reason) => {
      throw new Error(`${what}: the client closed instead: ${reason} (${this.failure ?? "no error"})`);
    });
    return within(Promise.race([promise, ended]), what, ms);
  }

  get sid() {
    return this.handshake?.sid;
  }

  get transport() {
    return this.socket.transport.name;
  }

  send(data) {
    this.socket.send(data);
  }

  next(what, ms) {
    return this.inbox.take(what, ms);
  }

  /** Sends and gives back what comes next. */
  async echo(data) {
    this.send(data);
    return this.next("the echo");
  }

  event(name, ms) {
    return this.when(event(this.socket, name, `"${name}" of the client`, ms), `"${name}" of the client`, ms);
  }

  /** Closes from this side, and waits until the client says that it is closed. */
  async close() {
    if (this.socket.readyState !== "closed") this.socket.close();
    return within(this.closed, "the client's own close");
  }
}

/** Whatever a client makes of binary (Buffer, ArrayBuffer, typed array) as a Buffer; text as it is. */
function normalise(data) {
  if (typeof data === "string" || Buffer.isBuffer(data)) return data;
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  throw new TypeError(`a message that is neither text nor binary: ${typeof data}`);
}

function describe(error) {
  const cause = error?.description ?? error?.context;
  return [error?.message ?? String(error), cause?.message ?? cause?.status ?? cause].filter(Boolean).join(": ");
}

/** `size` bytes that no transport can mistake for text, different at every position modulo 251. */
export function binary(size) {
  return Buffer.from(Uint8Array.from({ length: size }, (_, index) => (index % 251) ^ 0xff));
}

/** The texts that break codecs: name, and the text itself. */
export const TEXTS = [
  ["ascii", "hello"],
  ["multi-byte", "utf-8: Grüße, Ελλάς, 日本語, ﷽"],
  ["emoji", "🦀 👩‍👩‍👧‍👦 🇪🇺 \u{10FFFF}"],
  ["NUL", "\0a\0\0b\0"],
  ["empty", ""],
  // no \x1e among them: a text cannot hold EIO 4's record separator on polling, whoever serves it
  ["separators", "1:2\r\n4\\n\"'<\u2028>\u2029 \u007f"],
  ["100,000 characters", "äb🦀".repeat(25_000)],
];

/** Sizes on both sides of the WebSocket length forms, and near the default payload limit; in bytes. */
export const SIZES = [0, 1, 125, 126, 65_535, 65_536, 900_000];
