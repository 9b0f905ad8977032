// engine.io's "close", its cases about heartbeats and timeouts. Times are wide: what must happen is waited for, and
// what must not happen early is measured against the time that must have passed.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { connect, deafen, frame, handshake, mute, open, request, websocket } from "./support/client.mjs";
import { once, pass, within } from "./support/wait.mjs";

const POLLING = { allowUpgrades: false };
/** Ends a silent session after 2 s, and not after one: what lies between tells a sum from one of its parts. */
const WIDE = { ...POLLING, pingInterval: 1_000, pingTimeout: 1_000 };
const EIOS = [4, 3];

const reason = (client) => within(client.closed, "the client's close").then(({ reason }) => reason);

describe("close: timeouts", { concurrency: 4 }, () => {
  for (const eio of EIOS) {
    test(`should trigger on server if the client does not pong (EIO ${eio})`, async (t) => {
      const server = await listen(t, { config: { ...POLLING, pingInterval: 5, pingTimeout: 5 } });
      mute(connect(t, server, { eio }));
      await server.waitFor("close", { reason: "ping timeout" });
      await server.untilClients(0);
    });

    test(`should trigger on client if server does not meet ping timeout (EIO ${eio})`, async (t) => {
      const server = await listen(t, { config: { ...POLLING, pingInterval: 50, pingTimeout: 30 } });
      const client = await open(t, server, { eio });
      deafen(client);
      assert.equal(await reason(client), "ping timeout");
    });

    test(`should trigger on both ends upon ping timeout (EIO ${eio})`, async (t) => {
      const server = await listen(t, { config: { ...POLLING, pingInterval: 50, pingTimeout: 50 } });
      const client = await open(t, server, { eio });
      const { id } = client;
      mute(client);
      deafen(client);
      const [closed] = await Promise.all([
        reason(client),
        server.waitFor("close", { id, reason: "ping timeout" }),
      ]);
      assert.equal(closed, "ping timeout");
    });

    test(`should trigger with connection \`ping timeout\` after \`pingInterval + pingTimeout\` (EIO ${eio})`, async (t) => {
      const server = await listen(t, { config: WIDE, events: ["heartbeat"] });
      const client = await open(t, server, { eio });
      await server.waitFor("heartbeat");
      const start = performance.now();
      deafen(client);
      assert.equal(await reason(client), "ping timeout");
      // revision 4 counts from the ping that came, revision 3 from the one that the client sends next
      const least = eio === 4 ? 1_500 : 750;
      assert.ok(performance.now() - start > least, `after ${performance.now() - start} ms`);
    });

    test(`should not trigger early with connection \`ping timeout\` after post handshake timeout (EIO ${eio})`, async (t) => {
      const server = await listen(t, { config: WIDE });
      const start = performance.now();
      const client = connect(t, server, { eio });
      await within(client.handshaken, "the handshake");
      client.transport.off("packet");
      mute(client);
      await Promise.all([server.waitFor("close"), reason(client)]);
      assert.ok(performance.now() - start > 1_900, `after ${performance.now() - start} ms`);
    });

    test(`should not trigger early with connection \`ping timeout\` after post ping timeout (EIO ${eio})`, async (t) => {
      const server = await listen(t, { config: WIDE, events: ["heartbeat"] });
      const client = connect(t, server, { eio });
      await server.waitFor("heartbeat");
      const start = performance.now();
      mute(client);
      await server.waitFor("close", { reason: "ping timeout" });
      assert.ok(performance.now() - start > 1_500, `after ${performance.now() - start} ms`);
    });

    test(`should close transport upon ping timeout (ws, EIO ${eio})`, async (t) => {
      const config = { ...POLLING, transports: ["websocket"], pingInterval: 50, pingTimeout: 30 };
      const server = await listen(t, { config });
      const socket = websocket(t, server, { EIO: eio });
      assert.match(await frame(socket), /^0\{/);
      await within(socket.closed, "the transport's close");
      await server.waitFor("close", { reason: "ping timeout" });
    });

    test(`should close transport upon ping timeout (polling, EIO ${eio})`, async (t) => {
      const config = { ...POLLING, transports: ["polling"], pingInterval: 50, pingTimeout: 30 };
      const server = await listen(t, { config });
      const { sid } = await handshake(server, { EIO: eio });
      const query = { EIO: eio, transport: "polling", sid };
      // every poll is answered until the session is gone, and the last one is not left hanging
      const last = [];
      for (let response; response?.status !== 400; last.push(response.text)) response = await request(server, query);
      await server.waitFor("close", { id: sid, reason: "ping timeout" });
      assert.equal(JSON.parse(last.at(-1)).code, 1);
    });

    test(`should not timeout after an upgrade (EIO ${eio})`, async (t) => {
      const server = await listen(t, { config: { pingInterval: 100, pingTimeout: 1_000 }, events: ["heartbeat", "upgrade"] });
      const client = await open(t, server, { eio });
      let beat = await server.waitFor("upgrade");
      for (let beats = 0; beats < 6; beats++) beat = await server.waitFor("heartbeat", {}, { after: beat });
      assert.equal(server.events("close").length, 0);
      assert.equal(client.readyState, "open");
    });
  }

  test("should trigger on server even when there is no outstanding polling request (GH-198)", async (t) => {
    const config = { ...POLLING, pingInterval: 100, pingTimeout: 100 };
    const server = await listen(t, { config });
    // a client that leaves right after its handshake, and a server that closes: the ping timeout ends it
    const { sid } = await handshake(server);
    server.send({ do: "close", id: sid });
    await server.waitFor("close", { id: sid, reason: "ping timeout" });
    await server.untilClients(0);
  });

  test("should need no poll to close in the connection event", async (t) => {
    // not one of engine.io's: there the session of GH-198 waits for its timeout, here the handshake's answer ends it
    const server = await listen(t, { config: POLLING, script: { connection: [{ do: "close" }] } });
    const { sid, response } = await handshake(server);
    assert.match(response.text, /\x1e1$/);
    await server.waitFor("close", { id: sid, reason: "forced close" });
    await server.untilClients(0);
  });

  for (const [name, packets] of [["before the probe", []], ["after the probe", ["2probe"]]]) {
    test(`should close upgrading transport upon upgrade timeout (${name})`, async (t) => {
      const server = await listen(t, { config: { upgradeTimeout: 100 }, script: { message: [{ do: "echo" }] } });
      const { sid } = await handshake(server);
      const socket = websocket(t, server, { sid });
      await within(socket.opened, "the WebSocket's open");
      for (const packet of packets) socket.send(packet);
      await within(socket.closed, "the upgrading transport's close");
      // the session itself goes on
      const query = { EIO: 4, transport: "polling", sid };
      await request(server, query, { method: "POST", body: "4still there" });
      const poll = await request(server, query);
      assert.match(poll.text, /4still there/);
    });
  }

  test("should close upgrading transport upon upgrade timeout (client)", async (t) => {
    const server = await listen(t, { config: { upgradeTimeout: 100 } });
    const client = connect(t, server);
    client.on("upgrading", (transport) => (transport.send = () => {}));
    const [transport] = await once(client, "upgrading");
    // the client believes that it has moved: it loses the WebSocket, and with it all
    await Promise.all([once(transport, "close"), client.closed]);
    assert.equal(await reason(client), "transport close");
    // the server knows that it has not
    assert.equal((await server.stats()).clients[0].transport, "polling");
  });

  test("should not end a session that answers late, but in time", async (t) => {
    // not one of engine.io's: the pong may take all of pingTimeout
    const server = await listen(t, { config: { ...POLLING, pingInterval: 50, pingTimeout: 2_000 }, events: ["heartbeat"] });
    const socket = websocket(t, server);
    assert.equal(await frame(socket, 1), "2");
    await pass(200);
    socket.send("3");
    await server.waitFor("heartbeat");
    assert.equal(server.events("close").length, 0);
  });
});
