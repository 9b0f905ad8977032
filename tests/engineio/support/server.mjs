// Starts the remote-controlled server of tests/server as a process of its own and talks to it; `listen()` is what
// engine.io's own tests call `listen(opts, cb)`. See tests/server/options.rs for all options, script.rs for commands.
//
//   const server = await listen(t, { config: { pingInterval: 50 }, events: ["flush"], script: {
//     connection: [{ do: "send", text: "hi" }],                    // inside the connection's handler
//     message: [{ do: "echo", unless: ["quiet"] }, { do: "close", when: ["quiet"], delay: 10 }],
//   }});
//   const { id } = await server.waitFor("connection");              // the first one that matches, past or to come
//   server.send({ do: "send", id, text: "a", tag: 1 });             // an awaited send ...
//   await server.waitFor("sent", { id, tag: 1, result: "ok" });     // ... and its end
//   server.on("message", (event) => { ... });                       // each one from now on
//   await server.untilClients(0)                                     // until that many sessions are alive
//   server.events("message")                                        // all so far
//   server.url, server.ws, server.port                              // http://127.0.0.1:PORT and ws://127.0.0.1:PORT
//
// The server ends with its test (`t.after`), and the test fails if it had panicked or died.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { createInterface } from "node:readline";
import { DEADLINE, within } from "./wait.mjs";

const BUILT = fileURLToPath(new URL("../../../target/debug/examples/test_server", import.meta.url));

const running = new Set();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/**
 * A server for the test `t`, with engine.io 6's own settings plus `allowEIO3`, as engine.io's tests have it, unless
 * `options.config` says otherwise. `config.preset: "default"` gives this library's own.
 */
export async function listen(t, options = {}) {
  // For a whole run: ENGINEIO_WS_ENGINE names the WebSocket engine, ENGINEIO_FLAGS may say --no-handover.
  const wsEngine = process.env.ENGINEIO_WS_ENGINE;
  const noHandover = process.env.ENGINEIO_FLAGS?.includes("--no-handover");
  const forced = { ...(wsEngine && { wsEngine }), ...(noHandover && { handover: false }) };
  const config = { preset: "engine_io_6", allowEIO3: true, ...forced, ...options.config };
  const server = await TestServer.start({ ...options, config });
  t.after(() => server.close());
  return server;
}

export class TestServer {
  #child;
  #exit;
  #stderr = "";
  #events = [];
  #listeners = new Set();
  #closing;

  static async start(options) {
    const path = process.env.ENGINEIO_TEST_SERVER ?? BUILT;
    if (!existsSync(path)) {
      throw new Error(`no test server at ${path}: "cargo build --example test_server" makes it, or set ENGINEIO_TEST_SERVER`);
    }
    const server = new TestServer(spawn(path, [JSON.stringify(options)], { stdio: "pipe" }));
    try {
      const { port } = await server.waitFor("listening");
      Object.assign(server, { port, url: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}` });
      return server;
    } catch (error) {
      server.#child.kill("SIGKILL");
      throw error;
    }
  }

  constructor(child) {
    this.#child = child;
    running.add(child);
    this.#exit = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
    this.#exit.then((code) => {
      running.delete(child);
      this.#take({ event: "exit", code });
    });
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", (text) => (this.#stderr += text));
    createInterface({ input: child.stdout }).on("line", (line) => this.#take(JSON.parse(line)));
  }

  #take(event) {
    this.#events.push(event);
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Calls `callback` with each event of this name from now on; the returned function ends that. */
  on(name, callback) {
    const listener = (event) => event.event === name && callback(event);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The first event of this name that matches, among those that have come and those to come within `ms`. `filter`
   * is a function, or an object whose fields the event must have. `after` counts from an event that is known.
   */
  async waitFor(name, filter = {}, { ms = DEADLINE, after } = {}) {
    const fits = typeof filter === "function" ? filter : (event) => includes(event, filter);
    const matches = (event) => event.event === name && fits(event);
    const found = this.#events.slice(after ? this.#events.indexOf(after) + 1 : 0).find(matches);
    if (found) return found;
    let listener;
    const coming = new Promise((resolve, reject) => {
      listener = (event) => {
        if (matches(event)) resolve(event);
        else if (event.event === "exit") reject(new Error(`the server ended (${event.code}): ${this.#stderr}`));
      };
      this.#listeners.add(listener);
      const exit = this.#events.find(({ event }) => event === "exit");
      if (exit) listener(exit);
    });
    try {
      return await within(coming, `"${name}" of the server ${JSON.stringify(filter)}`, ms);
    } catch (error) {
      error.message += `; so far: ${this.#events.map((event) => JSON.stringify(event).slice(0, 200)).join(" ")}`;
      throw error;
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** All events so far, or those of one name. */
  events(name) {
    return this.#events.filter(({ event }) => name === undefined || event === name);
  }

  /** Commands the application: `{do: "send", id, text}`, `{do: "close", id}`, `{do: "closeServer"}` ... */
  send(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** How it stands now: `{clientsCount, clients: [{id, readyState, transport, upgraded, protocol, request ..}]}`. */
  async stats() {
    const after = this.#events.at(-1);
    this.send({ do: "stats" });
    return this.waitFor("stats", {}, { after });
  }

  /** Waits until there are `count` sessions: the count follows a session's `close` event with a little delay. */
  async untilClients(count, ms = DEADLINE) {
    const end = performance.now() + ms;
    for (;;) {
      const stats = await this.stats();
      if (stats.clientsCount === count) return stats;
      if (performance.now() > end) throw new Error(`not ${count} sessions within ${ms} ms: ${JSON.stringify(stats)}`);
    }
  }

  /** Ends the server by a signal instead; its exit code, and that it goes without being killed. */
  signal(name) {
    this.#closing = (async () => {
      this.#child.kill(name);
      const code = await within(this.#exit, `the server's end after ${name}`, 5_000);
      if (/panicked at/.test(this.#stderr)) throw new Error(`the server panicked: ${this.#stderr}`);
      return code;
    })();
    return this.#closing;
  }

  /** Ends the server; fails if it had died, panicked, or does not go. */
  close() {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end() {
    const alive = this.#child.exitCode === null && this.#child.signalCode === null;
    this.#child.stdin.end();
    let code;
    try {
      code = await within(this.#exit, "the server's end", 5_000);
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw error;
    }
    if (!alive) throw new Error(`the server died on its own (${code}): ${this.#stderr}`);
    if (/panicked at/.test(this.#stderr)) throw new Error(`the server panicked: ${this.#stderr}`);
    if (code !== 0) throw new Error(`the server ended with ${code}: ${this.#stderr}`);
  }
}

function includes(event, fields) {
  return Object.entries(fields).every(([name, value]) => isDeepStrictEqual(event[name], value));
}
