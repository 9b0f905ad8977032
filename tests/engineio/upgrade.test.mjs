// engine.io's "upgrade": fifty messages each way, two milliseconds apart, while the transport is swapped under them.

import assert from "node:assert/strict";
import { connect } from "./support/client.mjs";
import { both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const COUNT = 50;
const NUMBERS = Array.from({ length: COUNT }, (_, index) => String(index + 1));

/** Calls `step` every two milliseconds until it says false. */
function every2ms(step) {
  return new Promise((resolve) => {
    const interval = setInterval(() => {
      if (step()) return;
      clearInterval(interval);
      resolve();
    }, 2);
  });
}

both("upgrade: should upgrade", async (t, eio) => {
  const server = await listen(t, { events: ["upgrading", "upgrade"] });
  const client = connect(t, server, { eio });
  const upgrades = [];
  let sent = 0;
  client.on("upgrading", ({ name }) => {
    upgrades.push(`upgrading ${name}`);
    // something lies in the client's buffer while the transports change places
    client.send(String(++sent));
    client.send(String(++sent));
    assert.ok(client.writeBuffer.length > 0);
  });
  client.on("upgrade", ({ name }) => upgrades.push(`upgrade ${name}`));
  await within(client.opened, "the client's open");

  const { id, transport, query } = await server.waitFor("connection");
  assert.equal(transport, "polling");
  assert.equal(query.transport, "polling");
  let told = 0;
  await within(
    Promise.all([
      every2ms(() => sent < COUNT && (client.send(String(++sent)), true)),
      every2ms(() => told < COUNT && (server.send({ do: "send", id, text: String(++told) }), true)),
    ]),
    "all sends",
  );

  await server.waitFor("message", { text: String(COUNT) });
  const upgrade = await server.waitFor("upgrade", { id });
  assert.equal(upgrade.transport, "websocket");
  await within(client.upgraded, "the client's upgrade");
  const { clients } = await server.stats();
  assert.deepEqual([clients[0].transport, clients[0].upgraded], ["websocket", true]);
  // the request that began the session stays what it was
  assert.equal(clients[0].request.query.transport, "polling");
  if (client.messages.length < COUNT) {
    await within(
      new Promise((resolve) => client.on("message", () => client.messages.length >= COUNT && resolve())),
      `the client's ${COUNT} messages`,
    );
  }

  client.close();
  const { reason } = await server.waitFor("close", { id });
  assert.equal(reason, "transport close");
  assert.equal((await within(client.closed, "the client's close")).reason, "forced close");
  assert.deepEqual(server.events("message").map(({ text }) => text), NUMBERS);
  assert.deepEqual(client.messages, NUMBERS);
  assert.deepEqual(upgrades, ["upgrading websocket", "upgrade websocket"]);
});
