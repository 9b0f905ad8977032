// engine.io-client 6 behind a small face: messages are awaited one by one, in order.

import { Socket } from "engine.io-client";
import { once, within } from "../../engineio/support/wait.mjs";

/** One session. `socket` is the client's own object. */
export class Client {
  #messages = [];
  #wake = () => {};

  /** Opens a session. */
  static async open(url, options) {
    const client = new Client(new Socket(url, options));
    await client.#orClose(once(client.socket, "open"));
    client.id = client.socket.id;
    return client;
  }

  constructor(socket) {
    this.socket = socket;
    socket.binaryType = "nodebuffer";
    socket.on("message", (data) => {
      this.#messages.push(data);
      this.#wake();
    });
    this.upgraded = new Promise((resolve) => socket.once("upgrade", resolve));
    this.closed = new Promise((resolve) => socket.once("close", (reason, cause) => resolve(`${reason} ${cause?.message ?? ""} ${cause?.description ?? ""}`)));
  }

  get transport() {
    return this.socket.transport.name;
  }

  /** Waits until the session has moved to WebSocket. */
  async toWebSocket() {
    await this.#orClose(within(this.upgraded, "the upgrade"));
  }

  /** The next message. */
  async next() {
    const coming = new Promise((resolve) => (this.#wake = resolve));
    if (this.#messages.length === 0) await this.#orClose(within(coming, "a message"));
    return this.#messages.shift();
  }

  /** Sends these, which are to come back in their order. */
  async echoes(...messages) {
    messages.forEach((message) => this.socket.send(message));
    for (const message of messages) {
      const back = await this.next();
      if (Buffer.compare(Buffer.from(back), Buffer.from(message)) !== 0 || typeof back !== typeof message) {
        throw new Error(`${String(back).slice(0, 50)} came back for ${String(message).slice(0, 50)}`);
      }
    }
  }

  /** `count` pings of the server. */
  async pings(count) {
    for (let at = 0; at < count; at++) await this.#orClose(once(this.socket, "ping"));
  }

  async close() {
    this.socket.close();
    await within(this.closed, "the close");
  }

  #orClose(promise) {
    const closed = this.closed.then((reason) => {
      throw new Error(`the client closed: ${reason}`);
    });
    return Promise.race([promise, closed]);
  }
}

