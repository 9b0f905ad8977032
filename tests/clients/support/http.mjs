// Raw requests and raw WebSockets, for what a client library hides: statuses, headers, bodies, single packets.

import http from "node:http";
import WebSocket from "ws";
import { DEADLINE, Inbox, event, until, within } from "./wait.mjs";

export const RS = "\x1e";

/** `{status, headers, text, json()}` of a request to `/engine.io/?query`; `query` is an object. */
export async function request(server, query, init = {}) {
  const url = `${server.url}/engine.io/?${new URLSearchParams(query)}`;
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(init.deadline ?? DEADLINE) });
  const bytes = Buffer.from(await response.arrayBuffer());
  const text = bytes.toString("utf8");
  return { status: response.status, headers: response.headers, bytes, text, json: () => JSON.parse(text) };
}

/** The JSON of the open packet at the start of a polling body of either revision. */
export function openPacket(text) {
  const start = /^(?:\d+:)?0(?=\{)/.exec(text);
  if (!start) throw new Error(`not an open packet: ${JSON.stringify(text)}`);
  return JSON.parse(text.slice(start[0].length));
}

/** A polling session driven by hand. */
export class PollingSession {
  constructor(server, eio, handshake, query) {
    Object.assign(this, { server, eio, handshake, sid: handshake.sid });
    this.query = { EIO: eio, transport: "polling", ...query, sid: handshake.sid };
  }

  /** Takes a handshake; `query` goes along with every request of the session. */
  static async open(server, eio, query = {}) {
    const response = await request(server, { EIO: eio, transport: "polling", ...query });
    if (response.status !== 200) throw new Error(`handshake: ${response.status} ${response.text}`);
    return new PollingSession(server, eio, openPacket(response.text), query);
  }

  poll(init) {
    return request(this.server, this.query, init);
  }

  /**
   * Sends a poll on a connection that the server already knows, and resolves once its bytes have left, to a function
   * that waits for its answer: what is sent afterwards finds the poll parked.
   */
  async park() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const get = async (query) => {
      const url = `${this.server.url}/engine.io/?${new URLSearchParams(query)}`;
      const sent = http.request(url, { agent, signal: AbortSignal.timeout(DEADLINE) });
      const answer = event(sent, "response").then(async ([response]) => {
        const text = (await response.setEncoding("utf8").toArray()).join("");
        return { status: response.statusCode, text };
      });
      const [socket] = await event(sent, "socket");
      if (socket.connecting) await event(socket, "connect");
      await within(new Promise((left) => sent.end(left)), "the poll's departure");
      return () => answer;
    };
    // some other session's handshake opens the connection
    await (await get({ EIO: this.query.EIO, transport: "polling" }))();
    const answer = await get(this.query);
    return async () => {
      const parked = await answer();
      agent.destroy();
      return parked;
    };
  }

  post(body, init = {}) {
    return request(this.server, this.query, { method: "POST", body, ...init });
  }

  /** Polls without ever answering until the session is refused; the bodies that came until then. */
  async pollToTheEnd(ms = DEADLINE) {
    const bodies = [];
    const end = Date.now() + ms;
    for (;;) {
      const response = await this.poll();
      if (response.status === 400) return bodies;
      bodies.push(response.text);
      if (Date.now() > end) throw new Error(`the session still answers: ${JSON.stringify(bodies)}`);
    }
  }
}

/** A WebSocket driven by hand: `frames` is the queue of what arrives, text as string and binary as Buffer. */
export class RawSocket {
  frames = new Inbox();

  constructor(server, query, options = {}) {
    this.ws = new WebSocket(`${server.ws}/engine.io/?${new URLSearchParams(query)}`, options);
    this.opened = new Promise((resolve) => this.ws.once("open", resolve));
    this.closed = new Promise((resolve) => this.ws.once("close", (code) => resolve(code)));
    this.refused = new Promise((resolve) => {
      this.ws.once("unexpected-response", (_, response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => {
          resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
          this.ws.terminate();
        });
      });
    });
    this.ws.on("error", () => {});
    this.ws.on("message", (data, isBinary) => this.frames.push(isBinary ? data : data.toString("utf8")));
    this.closed.then((code) => this.frames.end(new Error(`the WebSocket closed with ${code}`)));
  }

  /** A new session straight over WebSocket; its open packet is in `handshake`. */
  static async open(server, eio, query = {}, options) {
    const socket = new RawSocket(server, { EIO: eio, transport: "websocket", ...query }, options);
    socket.handshake = openPacket(await socket.next("the open packet"));
    return socket;
  }

  /** A WebSocket for a session that began with polling. */
  static async join(session) {
    const socket = new RawSocket(session.server, { ...session.query, transport: "websocket" });
    await within(socket.opened, "the WebSocket's open");
    return socket;
  }

  send(data) {
    this.ws.send(data);
  }

  next(what = "a frame", ms) {
    return this.frames.take(what, ms);
  }

  /** The close code once it is closed. */
  end(ms) {
    return within(this.closed, "the WebSocket's close", ms);
  }

  async close() {
    this.ws.close();
    return this.end();
  }
}

/**
 * Waits until the server no longer knows `sid`. The question is one that harms nobody: with the other revision's EIO
 * a living session is a bad request (code 3), a session that is gone an unknown sid (code 1). Needs EIO 3 enabled.
 */
export async function untilGone(server, eio, sid, ms = DEADLINE) {
  await until(async () => {
    const response = await request(server, { EIO: eio === 4 ? 3 : 4, transport: "polling", sid });
    const { code } = response.json();
    if (response.status !== 400 || (code !== 1 && code !== 3)) throw new Error(`asked for a sid: ${response.text}`);
    return code === 1;
  }, `the server's forgetting of a session`, ms);
}
