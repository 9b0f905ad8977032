// The servers under test: starts the echo example or the feeder with flags, knows its port, stops it by its pid.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "./deadline.mjs";

const built = (name) => fileURLToPath(new URL(`../../../target/debug/examples/${name}`, import.meta.url));

/** Flags of every server of a whole run: ENGINEIO_WS_ENGINE names the WebSocket engine, ENGINEIO_FLAGS has any others. */
const ENGINE = process.env.ENGINEIO_WS_ENGINE ? ["--ws-engine", process.env.ENGINEIO_WS_ENGINE] : [];
const FLAGS = [...ENGINE, ...(process.env.ENGINEIO_FLAGS ?? "").split(" ").filter(Boolean)];

/** What `listen` answers to all that is not Engine.IO. In an App that is for others to say. */
const NOT_IMPLEMENTED = FLAGS.includes("--own-listener") ? 501 : undefined;
export const elsewhere = { path: NOT_IMPLEMENTED ?? 404, upgrade: NOT_IMPLEMENTED ?? 400 };

/** The program: ENGINEIO_ECHO, or what `cargo build --example echo` leaves. A `.mjs` file is run by node. */
function command() {
  const program = process.env.ENGINEIO_ECHO || built("echo");
  return /\.m?js$/.test(program) ? [process.execPath, [program]] : [program, []];
}

/** Starts the echo server; `flags` are its command line. Fails when it does not listen within 10 s. */
export async function startServer(flags = []) {
  const [program, first] = command();
  // Some flags may not be given twice.
  const whole = FLAGS.filter((flag) => !flags.includes(flag));
  return start(program, [...first, "--port", "0", ...whole, ...flags.map(String)]);
}

/** Starts the feeder, ENGINEIO_FEEDER, or what `cargo build --example feeder` leaves. */
export async function startFeeder(flags = []) {
  return start(process.env.ENGINEIO_FEEDER || built("feeder"), flags.map(String));
}

async function start(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk) => (log = (log + chunk).slice(-20000)));
  const exited = new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => resolve({ error }));
  });
  let said;
  const line = new Promise((resolve) => (said = resolve));
  const port = await within(
    new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const match = /listening on http:\/\/[^\s]*:(\d+)/.exec(line);
        if (match) resolve(Number(match[1]));
        else said(line);
      });
      exited.then((end) => reject(new Error(`${program} ended before it listened: ${end.error ?? end.code}\n${log}`)));
    }),
    10000,
    "the server listens",
  ).catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });
  return {
    port,
    exited,
    pid: child.pid,
    log: () => log,
    /** The first line that it writes behind its address. */
    line: () => within(line, 5000, "a line of the server"),
    signal: (name) => process.kill(child.pid, name),
    /** Whether the process still runs: a panic that aborts it would show here. */
    alive: () => child.exitCode === null && child.signalCode === null,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await within(exited, 5000, "the server is gone");
    },
  };
}
