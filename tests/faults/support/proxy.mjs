// A TCP proxy that does to connections what bad networks do: delays, fragments, stalls, cuts, duplicates.
//
// `faults` is an object, or a function from (number of the connection, its first bytes) to one:
//   delay: [low, high]    milliseconds before each piece is passed on, order kept, both directions
//   fragment: n           pieces of 1..n bytes, each a write of its own (1: byte by byte)
//   stripUpgrade: true    a WebSocket handshake goes on as a plain GET: no `Upgrade`, `Connection: keep-alive`
//   stallAfter101: true   the 101 is passed on, then nothing more in either direction
//   duplicateGet: true    each GET that names a sid is also sent on a connection of its own, its answer dropped
//   cut: {side, bytes, how}  after so many bytes of one side ("client" or "server") both ends are ended: "fin" or "rst"
import net from "node:net";
import { between, random } from "./random.mjs";

/** Starts a proxy on a port of the system's choice. */
export async function startProxy(target, faults = {}, seed = 1) {
  const links = new Set();
  const clients = new Set();
  const next = random(seed);
  let count = 0;
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const number = count++;
    client.on("error", () => {});
    clients.add(client);
    client.once("close", () => clients.delete(client));
    client.once("data", (first) => {
      const link = new Link(client, target, typeof faults === "function" ? faults(number, first.toString("latin1")) : faults, random(next() * 2 ** 32));
      link.number = number;
      links.add(link);
      link.server.once("close", () => links.delete(link));
      link.start(first);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    links,
    connections: () => count,
    /** Ends every connection and the proxy. */
    async stop() {
      for (const link of links) link.reset();
      for (const client of clients) reset(client);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class Link {
  constructor(client, target, faults, next) {
    this.client = client;
    this.target = target;
    this.server = net.connect({ port: target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    this.server.on("error", () => reset(this.client));
    this.client.on("error", () => reset(this.server));
    this.faults = faults ?? {};
    this.random = next;
    this.passed = { client: 0, server: 0 };
    this.stalled = false;
    this.head = "";
  }

  start(first) {
    const up = (this.up = new Pipe(this, "client", this.server));
    const down = (this.down = new Pipe(this, "server", this.client));
    this.title = first.toString("latin1").slice(0, 100).split("\r\n")[0];
    up.take(this.request(first));
    this.client.on("data", (bytes) => up.take(this.request(bytes)));
    this.client.on("end", () => up.take(null));
    this.server.on("data", (bytes) => down.take(bytes));
    this.server.on("end", () => down.take(null));
  }

  /** For a failed test's message: what has passed and what waits. */
  toString() {
    const { up, down } = this;
    return `${this.number}: up ${this.passed.client}+${up?.queue.length}${up?.busy ? "*" : ""}, down ${this.passed.server}+${down?.queue.length}${down?.busy ? "*" : ""}, ${this.title}`;
  }

  /** Request bytes on their way up: heads are small and come whole from our clients. */
  request(bytes) {
    const text = bytes.toString("latin1");
    if (this.faults.stripUpgrade && /^upgrade:/im.test(text) && text.startsWith("GET ")) {
      return Buffer.from(text.replace(/^upgrade:.*\r\n/im, "").replace(/^connection:.*\r\n/im, "Connection: keep-alive\r\n"), "latin1");
    }
    if (this.faults.duplicateGet && /^GET [^ ]*[?&]sid=/.test(text)) {
      const twin = net.connect({ port: this.target, host: "127.0.0.1" });
      twin.on("error", () => {});
      twin.on("data", () => twin.destroy());
      twin.write(bytes);
    }
    return bytes;
  }

  /** After a piece was passed on: is it time for the fault? */
  after(side, piece) {
    this.passed[side] += piece.length;
    const { cut, stallAfter101 } = this.faults;
    if (cut && cut.side === side && this.passed[side] >= cut.bytes) return cut.how === "rst" ? this.reset() : this.finish();
    if (stallAfter101 && side === "server" && !this.stalled) {
      this.head += piece.toString("latin1");
      if (this.head.startsWith("HTTP/1.1 101") && this.head.includes("\r\n\r\n")) this.stalled = true;
    }
  }

  /** FIN to both. */
  finish() {
    this.stalled = true;
    this.client.end();
    this.server.end();
  }

  /** RST to both. */
  reset() {
    this.stalled = true;
    reset(this.client);
    reset(this.server);
  }
}

/** RST; a FIN that is already on its way cannot be taken back (libuv refuses, and node would leak the handle). */
function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction: a queue of pieces, passed on one after the other. */
class Pipe {
  constructor(link, side, to) {
    Object.assign(this, { link, side, to, queue: [], busy: false });
  }

  /** `null` is the FIN, passed on in its turn. */
  take(bytes) {
    const { fragment, cut } = this.link.faults;
    if (!bytes) this.queue.push(null);
    else if (fragment) this.split(bytes, fragment);
    else if (cut?.side === this.side) this.split(bytes, cut.bytes);
    else this.queue.push(bytes);
    if (!this.busy) this.run();
  }

  split(bytes, most) {
    const { cut } = this.link.faults;
    for (let at = 0; at < bytes.length; ) {
      const size = cut?.side === this.side ? Math.max(1, Math.min(cut.bytes - this.link.passed[this.side], most)) : between(this.link.random, 1, most);
      this.queue.push(bytes.subarray(at, at + size));
      at += size;
    }
  }

  async run() {
    this.busy = true;
    const { delay } = this.link.faults;
    while (this.queue.length > 0) {
      const piece = this.queue.shift();
      const wait = delay ? between(this.link.random, delay[0], delay[1]) : 0;
      if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
      if (this.link.stalled || this.to.destroyed) continue;
      if (piece === null) this.to.end();
      else {
        // A turn of the event loop between two writes, so that they leave as segments of their own.
        await new Promise((resolve) => this.to.write(piece, () => setImmediate(resolve)));
        this.link.after(this.side, piece);
      }
    }
    this.busy = false;
  }
}
