// The connection of a page: an engine.io-client Socket that is made again whenever it is lost.
//
// engine.io-client itself does not reconnect. A new Socket is a new session for the server, so whoever uses
// this class introduces itself again in `on.open`. States, as `on.state(state, seconds)` reports them:
//
//   connecting -> polling -> websocket       (or straight to websocket, or never there, as `transports` says)
//   any of them -> waiting -> connecting     `seconds` counts down to the next attempt
//   waiting is called offline while the browser says that there is no network
//   stopped                                  after stop(), until start()

import { Socket } from "./node_modules/engine.io-client/dist/engine.io.esm.min.js";

const FIRST_DELAY = 1000; // ms, doubled by every attempt that failed
const LONGEST_DELAY = 15000; // ms
const STABLE_AFTER = 5000; // ms open before the delays start from the beginning again

export class Connection {
  #socket = null;
  #transports;
  #on;
  #attempt = 0;
  #openedAt = 0;
  #retryAt = 0;
  #timer = 0;

  constructor(transports, on) {
    this.#transports = transports;
    this.#on = on;
    addEventListener("online", () => this.retryNow());
    addEventListener("offline", () => this.#timer && this.#tick());
    // Long-polling has no connection whose end the server would see at once, hence a last word.
    addEventListener("pagehide", () => this.stop(true));
    addEventListener("pageshow", (event) => event.persisted && this.start());
  }

  start() {
    if (this.#socket || this.#timer) return;
    this.#connect();
  }

  /** Goes on with these transports: ends the session, begins another one. */
  use(transports) {
    this.#transports = transports;
    const wasOpen = Boolean(this.#socket);
    this.stop();
    if (wasOpen) this.#on.lost({ reason: "transports changed", wasOpen });
    this.start();
  }

  /** Ends the session. `leaving`: the page is going away, and an ordinary request would die with it. */
  stop(leaving = false) {
    this.#clearTimer();
    this.#attempt = 0;
    const socket = this.#socket;
    this.#socket = null;
    if (leaving && socket?.id && socket.transport.name === "polling") {
      const query = new URLSearchParams({ EIO: "4", transport: "polling", sid: socket.id });
      navigator.sendBeacon(`/engine.io/?${query}`, "1"); // the close packet
    } else {
      socket?.close();
    }
    if (leaving && socket) this.#on.lost({ reason: "page left", wasOpen: true });
    this.#on.state("stopped");
  }

  /** Attempts at once instead of waiting. */
  retryNow() {
    if (!this.#timer) return;
    this.#clearTimer();
    this.#connect();
  }

  /** Sends text or bytes. */
  send(data) {
    this.#socket?.send(data);
  }

  /** How many packets wait for the transport. */
  get waiting() {
    return this.#socket?.writeBuffer.length ?? 0;
  }

  #connect() {
    const socket = new Socket({ path: "/engine.io/", transports: this.#transports });
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#openedAt = 0;
    const mine = (handler) => (...args) => { if (this.#socket === socket) handler(...args); };

    this.#on.state("connecting");
    socket.on("open", mine(() => {
      this.#openedAt = performance.now();
      this.#on.state(socket.transport.name);
      this.#on.open({ transport: socket.transport.name });
    }));
    socket.on("handshake", mine((open) => this.#on.handshake(open)));
    socket.on("upgrade", mine((transport) => {
      this.#on.state(transport.name);
      this.#on.upgrade({ transport: transport.name, after: Math.round(performance.now() - this.#openedAt) });
    }));
    socket.on("message", mine((data) => this.#on.message(data)));
    socket.on("close", mine((reason) => this.#lost(reason)));
  }

  #lost(reason) {
    const lasted = this.#openedAt ? performance.now() - this.#openedAt : 0;
    this.#socket = null;
    if (lasted > STABLE_AFTER) this.#attempt = 0;
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempt++);
    // Half of the delay is random: a server that comes back is not met by everybody in the same moment.
    this.#retryAt = performance.now() + longest / 2 + (Math.random() * longest) / 2;
    this.#on.lost({ reason, wasOpen: lasted > 0 });
    this.#tick();
  }

  #tick() {
    this.#clearTimer();
    const left = this.#retryAt - performance.now();
    if (left <= 0) return this.#connect();
    this.#on.state(navigator.onLine ? "waiting" : "offline", Math.ceil(left / 1000));
    this.#timer = setTimeout(() => this.#tick(), left % 1000 || 1000);
  }

  #clearTimer() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }
}
