// Nothing is lost in the swap: 200 real clients number their messages both ways while they upgrade behind a proxy that
// delays and fragments bytes. Each sequence must come back exact: none lost, none twice, none out of order.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect, event } from "./support/client.mjs";
import { until, within } from "./support/deadline.mjs";
import { startProxy } from "./support/proxy.mjs";
import { SEED, between, random } from "./support/random.mjs";
import { startServer } from "./support/server.mjs";

const CLIENTS = 200;
const MESSAGES = 80;
const ROUND_MS = 40000;

let server;
// The upgrade timeout is no part of this test: a loaded machine must not run into it.
before(async () => (server = await startServer(["--upgrade-timeout", 60000])));
after(() => server?.stop());

/** Every connection gets weather of its own: some byte by byte, some slow, some fine. */
function weather(next) {
  return () => {
    const dice = next();
    if (dice < 0.1) return { fragment: 1 };
    if (dice < 0.5) return { fragment: between(next, 2, 60), delay: [0, 2] };
    if (dice < 0.8) return { fragment: 200, delay: [0, 12] };
    return { delay: [0, 40] };
  };
}

/** Sends `b0`, `b1`, ... to everybody: numbers that the server sends unasked. */
async function broadcaster(port) {
  const client = connect(port, 4, { transports: ["websocket"] });
  await event(client, "open");
  const state = { sent: 0, timer: setInterval(() => client.send(`b${state.sent++}`), 25) };
  state.stop = async () => {
    clearInterval(state.timer);
    client.send("own");
    await until(() => client.writeBuffer.length === 0, 5000, "the broadcaster has sent");
    return client;
  };
  return state;
}

/** One client's life: numbered messages before, while and after it upgrades. Text and binary mixed. */
function numbered(port, eio, next, broadcasts) {
  const client = connect(port, eio, { rememberUpgrade: false });
  const run = { client, eio, echoed: [], heard: [], sent: 0, due: 0, upgraded: false, polled: 0, error: null };
  client.binaryType = "arraybuffer";
  client.on("message", (data) => {
    const text = typeof data === "string" ? data : Buffer.from(data).toString();
    if (client.transport.name === "polling") run.polled += 1;
    if (text[0] === "b") run.heard.push(Number(text.slice(1)));
    else run.echoed.push(text);
    run.look?.();
  });
  client.on("upgrade", () => (run.upgraded = true));
  run.done = new Promise((resolve, reject) => {
    run.look = () => run.echoed.length >= MESSAGES && run.upgraded && resolve();
    client.once("upgrade", run.look);
    client.once("close", (reason) => reject(new Error(`client closed: ${reason}`)));
    client.once("error", (error) => reject(new Error(`client error: ${error.message ?? error} ${error.description ?? ""}`)));
  });
  run.done.catch(() => {});
  client.once("open", () => {
    run.due = broadcasts.sent;
    const step = () => {
      for (let many = between(next, 1, 4); many > 0 && run.sent < MESSAGES; many--, run.sent++) {
        const text = `m${run.sent}`;
        client.send(run.sent % 7 === 3 ? Buffer.from(text) : text);
      }
      // Some messages wait for the upgrade's end, so that every client also talks after it.
      if (run.sent < MESSAGES - 10) setTimeout(step, between(next, 0, 25));
      else if (run.sent < MESSAGES) run.upgraded ? setTimeout(step, 5) : client.once("upgrade", step);
    };
    step();
  });
  return run;
}

function assertExact(run, number, last) {
  const who = `client ${number} (EIO ${run.eio})`;
  const sent = Array.from({ length: MESSAGES }, (_, at) => `m${at}`);
  assert.deepEqual(run.echoed, sent, `${who}: the echoes`);
  const first = run.heard[0];
  assert.ok(first <= run.due, `${who}: hears broadcasts from its open on (first ${first}, due ${run.due})`);
  const expected = Array.from({ length: last - first }, (_, at) => first + at);
  assert.deepEqual(run.heard, expected, `${who}: the broadcasts`);
}

test("200 clients number their messages both ways while they upgrade behind a bad network", { timeout: 60000 }, async () => {
  console.log(`seed ${SEED} (FAULTS_SEED)`);
  const next = random(SEED);
  const proxy = await startProxy(server.port, weather(random(SEED + 1)), SEED);
  const broadcasts = await broadcaster(server.port);
  const runs = [];
  try {
    for (let number = 0; number < CLIENTS; number++) {
      runs.push(numbered(proxy.port, number % 4 === 3 ? 3 : 4, random(SEED + 2 + number), broadcasts));
      await new Promise((resolve) => setTimeout(resolve, between(next, 0, 20)));
    }
    await within(
      Promise.all(runs.map((run, at) => run.done.catch((error) => Promise.reject(new Error(`client ${at} (EIO ${run.eio}): ${error.message}; ${run.echoed.length} echoes`))))),
      ROUND_MS,
      "all clients have upgraded and their echoes",
    ).catch((error) => {
      const open = runs.filter((run) => run.echoed.length < MESSAGES || !run.upgraded);
      const states = open.slice(0, 5).map(({ client, eio, sent, echoed }) => `\n  EIO ${eio} ${client.id}: ${client.readyState} ${client.transport?.name} ${client.transport?.readyState}, upgrading ${client.upgrading}, sent ${sent}, back ${echoed.length}, waiting ${client.writeBuffer.length}`);
      throw new Error(`${error.message}; ${open.length} clients not done${states.join("")}\n${[...proxy.links].filter((link) => open.some((run) => link.title.includes(run.client.id))).join("\n")}`);
    });
    await broadcasts.stop();
    await until(() => runs.every((run) => run.heard.at(-1) >= broadcasts.sent - 1), 10000, "everybody heard the last broadcast");
    runs.forEach((run, at) => assertExact(run, at, broadcasts.sent));
    assert.ok(runs.every((run) => run.client.transport.name === "websocket"));
    const polled = runs.filter((run) => run.polled > 0).length;
    assert.ok(polled > CLIENTS / 4, `messages went over polling too, before the swap (${polled} clients)`);
  } finally {
    const ends = runs.map((run) => {
      run.client.close();
    });
    await Promise.all(ends);
    clearInterval(broadcasts.timer);
    (await broadcasts.stop()).close();
    await proxy.stop();
  }
});
