// engine.io's "close: graceful close": a server that is told to end does so by itself, whatever its sessions are at,
// and tells them. There a script calls `engine.close()`; here `listen()` gets a SIGTERM.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { connect, handshake, open, websocket } from "./support/client.mjs";
import { once, within } from "./support/wait.mjs";

/** Long heartbeats: no timer of a session may hold the server. */
const config = { pingInterval: 25_000, pingTimeout: 20_000, upgradeTimeout: 10_000 };

const reason = (client) => within(client.closed, "the client's close").then(({ reason }) => reason);

describe("close: graceful close", () => {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    test(`should stop socket and timers (${signal})`, async (t) => {
      const server = await listen(t, { listen: true, config: { ...config, allowUpgrades: false } });
      const client = await open(t, server);
      assert.equal(await server.signal(signal), 0);
      assert.equal(await reason(client), "transport close");
      assert.equal(server.events("close")[0].reason, "server shutting down");
    });
  }

  test("should stop upgraded socket and timers", async (t) => {
    const server = await listen(t, { listen: true, config, events: ["upgrade"] });
    const client = await open(t, server);
    await server.waitFor("upgrade", { id: client.id });
    assert.equal(await server.signal("SIGTERM"), 0);
    assert.equal(await reason(client), "transport close");
  });

  test("should stop upgrading socket and timers", async (t) => {
    const server = await listen(t, { listen: true, config });
    const client = connect(t, server);
    await once(client, "upgrading");
    assert.equal(await server.signal("SIGTERM"), 0);
    await within(client.closed, "the client's close");
  });

  test("should stop upgrading socket and timers (a probe that goes no further)", async (t) => {
    const server = await listen(t, { listen: true, config, events: ["upgrading"] });
    const { sid } = await handshake(server);
    const probe = websocket(t, server, { sid });
    await within(probe.opened, "the WebSocket's open");
    probe.send("2probe");
    await server.waitFor("upgrading", { id: sid });
    assert.equal(await server.signal("SIGTERM"), 0);
    await within(probe.closed, "the probe's close");
  });
});
