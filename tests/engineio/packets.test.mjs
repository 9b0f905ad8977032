// engine.io's "packet" and "packetCreate": what the application may watch of packets in and out.

import assert from "node:assert/strict";
import { connect, open } from "./support/client.mjs";
import { both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const SHORT = { allowUpgrades: false, pingInterval: 4 };

both("packet: should emit when socket receives packet", async (t, eio) => {
  const server = await listen(t, { config: { allowUpgrades: false }, events: ["packet"] });
  const client = await open(t, server, { eio });
  client.send("a");
  const { type, text, id } = await server.waitFor("packet");
  assert.deepEqual({ type, text, id }, { type: "message", text: "a", id: client.id });
});

both("packet: should emit when receives pong", async (t, eio) => {
  // the heartbeat of revision 3 goes the other way round
  const server = await listen(t, {
    config: SHORT,
    events: ["packet"],
    script: { packet: [{ do: "close" }] },
  });
  const client = connect(t, server, { eio });
  const { type } = await server.waitFor("packet");
  assert.equal(type, eio === 4 ? "pong" : "ping");
  await within(client.closed, "the client's close");
});

both("packetCreate: should emit before socket send message", async (t, eio) => {
  const server = await listen(t, {
    config: { allowUpgrades: false },
    events: ["packetCreate", "flush"],
    script: { connection: [{ do: "send", text: "a" }] },
  });
  connect(t, server, { eio });
  const created = await server.waitFor("packetCreate", { type: "message", text: "a" });
  const holds = ({ packets }) => packets.some(({ text }) => text === "a");
  const flushed = await server.waitFor("flush", holds);
  const events = server.events();
  assert.ok(events.indexOf(created) < events.indexOf(flushed), "it was told after it was flushed");
});

both("packetCreate: should emit before send pong", async (t, eio) => {
  const type = eio === 4 ? "ping" : "pong";
  const server = await listen(t, {
    config: SHORT,
    events: ["packetCreate"],
    script: { packetCreate: [{ do: "close", when: ["ping", "pong"] }] },
  });
  const client = connect(t, server, { eio });
  await server.waitFor("packetCreate", { type });
  await within(client.closed, "the client's close");
  const other = server.events("packetCreate").map((created) => created.type).filter((name) => name !== type);
  assert.ok(!other.includes("ping") && !other.includes("pong"), other.join());
});
