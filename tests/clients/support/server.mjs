// Starts the echo example as a process of its own, on a port that the system picks, and stops it by its pid.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { within } from "./wait.mjs";

const BUILT = fileURLToPath(new URL("../../../target/debug/examples/echo", import.meta.url));

/** Flags of every server of a whole run: ENGINEIO_WS_ENGINE names the WebSocket engine, ENGINEIO_FLAGS has any others. */
const ENGINE = process.env.ENGINEIO_WS_ENGINE ? ["--ws-engine", process.env.ENGINEIO_WS_ENGINE] : [];
const FLAGS = [...ENGINE, ...(process.env.ENGINEIO_FLAGS ?? "").split(" ").filter(Boolean)];

const running = new Set();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));
process.once("SIGTERM", () => process.exit(1));

/** A running echo server: `url` is `http://127.0.0.1:PORT`, `ws` the same with `ws:`. */
export class EchoServer {
  #child;
  #stderr = "";
  #exit;

  constructor(child) {
    this.#child = child;
    this.#exit = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
    child.stderr.setEncoding("utf8").on("data", (text) => (this.#stderr += text));
    // a test file that fails half-way still ends, and takes its servers along
    running.add(child);
    child.once("exit", () => running.delete(child));
    for (const handle of [child, child.stdout, child.stderr]) handle.unref();
  }

  /** Starts `echo ...flags`, on a port of the system's choice unless they name one, and waits for the line that names its address. */
  static async start(...flags) {
    const path = process.env.ENGINEIO_ECHO ?? BUILT;
    if (!existsSync(path)) {
      throw new Error(`no echo server at ${path}: "cargo build --example echo" makes it, or set ENGINEIO_ECHO`);
    }
    const port = flags.includes("--port") ? [] : ["--port", "0"];
    // Some flags may not be given twice.
    const whole = FLAGS.filter((flag) => !flags.includes(flag));
    const child = spawn(path, [...port, ...whole, ...flags.map(String)], { stdio: ["ignore", "pipe", "pipe"] });
    const server = new EchoServer(child);
    try {
      await within(server.#address(), `"listening on" from ${path} ${flags.join(" ")}`);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    return server;
  }

  get pid() {
    return this.#child.pid;
  }

  async #address() {
    const listening = new Promise((resolve, reject) => {
      let text = "";
      this.#child.once("error", reject);
      this.#child.stdout.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
        const found = /^listening on (http:\/\/127\.0\.0\.1:\d+)\s*$/m.exec(text);
        if (found) resolve(found[1]);
      });
    });
    const ended = this.#exit.then(({ code, signal }) => {
      throw new Error(`the echo server ended (${code ?? signal}) before it listened: ${this.#stderr}`);
    });
    this.url = await Promise.race([listening, ended]);
    this.ws = this.url.replace("http:", "ws:");
  }

  /** Ends the server; fails if it had died, if it panicked, or if it does not go within five seconds with code 0. */
  async stop() {
    const alive = this.#child.exitCode === null && this.#child.signalCode === null;
    if (alive) this.#child.kill("SIGTERM");
    let end;
    try {
      end = await within(this.#exit, "the echo server's end after SIGTERM", 5_000);
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw error;
    }
    if (!alive) throw new Error(`the echo server died on its own (${end.code ?? end.signal}): ${this.#stderr}`);
    if (/panicked at/.test(this.#stderr)) throw new Error(`the echo server panicked: ${this.#stderr}`);
    if (end.code !== 0) throw new Error(`the echo server ended with ${end.code ?? end.signal}: ${this.#stderr}`);
  }
}

/** For a `describe` block: a server that `before` starts and `after` stops; the returned object has its `url` then. */
export function echoServer({ before, after }, ...flags) {
  const server = { get url() { return this.it.url; }, get ws() { return this.it.ws; } };
  before(async () => { server.it = await EchoServer.start(...flags); });
  after(() => server.it?.stop());
  return server;
}
