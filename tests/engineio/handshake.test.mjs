// engine.io's "handshake": who is let in, what the open packet says, and what the application sees of it.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { connect, handshake, message, open, request } from "./support/client.mjs";
import { once, within } from "./support/wait.mjs";

const POLLING = { allowUpgrades: false };

/** What the client's `handshake` event says. */
async function offered(t, server, options) {
  return within(connect(t, server, options).handshaken, "the handshake");
}

describe("handshake", () => {
  test("should register a new client", async (t) => {
    const server = await listen(t, { config: POLLING });
    const before = await server.stats();
    assert.deepEqual([before.clientsCount, before.clients], [0, []]);
    const client = await open(t, server);
    const after = await server.stats();
    assert.deepEqual([after.clientsCount, after.clients.map(({ id }) => id)], [1, [client.id]]);
  });

  for (const [how, suffix] of [["fixed", ""], ["async", " (with a Promise)"]]) {
    test(`should register a new client with custom id${suffix}`, async (t) => {
      const custom = `CustomId${Date.now()}`;
      const server = await listen(t, { config: POLLING, generateId: `${how}:${custom}` });
      const client = await open(t, server);
      assert.equal(client.id, custom);
      const { clientsCount, clients } = await server.stats();
      assert.deepEqual([clientsCount, clients[0].id], [1, custom]);
    });
  }

  for (const [name, options] of [
    ["should disallow connection that are rejected by `generateId`", {}],
    ["should disallow connection that are rejected by `generateId` (websocket only)", { transports: ["websocket"] }],
  ]) {
    test(name, async (t) => {
      const server = await listen(t, { config: POLLING, generateId: "error" });
      const client = connect(t, server, options);
      await once(client, "error");
      await server.waitFor("connection_error", { code: 3, message: "Bad request", context: "ID_GENERATION_ERROR" });
      assert.equal((await server.stats()).clientsCount, 0);
    });
  }

  test("should exchange handshake data", async (t) => {
    const server = await listen(t, { config: POLLING });
    const data = await offered(t, server);
    assert.equal(typeof data.sid, "string");
    assert.equal(typeof data.pingTimeout, "number");
    assert.deepEqual(data.upgrades, []);
    assert.equal(data.maxPayload, 1_000_000);
  });

  test("should allow custom ping timeouts", async (t) => {
    const server = await listen(t, { config: { ...POLLING, pingTimeout: 123 } });
    assert.equal((await offered(t, server)).pingTimeout, 123);
  });

  test("should trigger a connection event with a Socket", async (t) => {
    const server = await listen(t, { config: POLLING });
    const client = await open(t, server);
    const { id, protocol } = await server.waitFor("connection");
    assert.deepEqual([id, protocol], [client.id, 4]);
  });

  test("should open with polling by default", async (t) => {
    const server = await listen(t, { config: POLLING });
    await open(t, server);
    assert.equal((await server.waitFor("connection")).transport, "polling");
  });

  test("should be able to open with ws directly", async (t) => {
    const server = await listen(t, { config: { transports: ["websocket"] } });
    await open(t, server, { transports: ["websocket"] });
    assert.equal((await server.waitFor("connection")).transport, "websocket");
  });

  test("should not suggest any upgrades for websocket", async (t) => {
    const server = await listen(t, { config: { transports: ["websocket"] } });
    assert.deepEqual((await offered(t, server, { transports: ["websocket"] })).upgrades, []);
  });

  test("should not suggest upgrades when none are available", async (t) => {
    const server = await listen(t, { config: { transports: ["polling"] } });
    assert.deepEqual((await offered(t, server)).upgrades, []);
  });

  test("should only suggest available upgrades", async (t) => {
    const server = await listen(t, { config: { transports: ["polling"] } });
    const { upgrades, sid } = await handshake(server);
    assert.deepEqual(upgrades, []);
    // and what is not offered is not taken either
    const response = await request(server, { EIO: 4, transport: "websocket", sid });
    assert.equal(response.body.code, 0);
  });

  test("should suggest all upgrades when no transports are disabled", async (t) => {
    const server = await listen(t);
    assert.deepEqual((await offered(t, server)).upgrades, ["websocket"]);
  });

  test("default to polling when proxy doesn't support websocket", async (t) => {
    const server = await listen(t, { config: POLLING, script: { message: [{ do: "echo", when: ["echo"] }] } });
    const client = await open(t, server);
    const response = await request(server, { EIO: 4, transport: "websocket", sid: client.id });
    assert.deepEqual([response.status, response.body.code], [400, 3]);
    await server.waitFor("connection_error", { code: 3, message: "Bad request", context: "TRANSPORT_MISMATCH" });
    client.send("echo");
    assert.equal(await message(client), "echo");
  });

  test("should allow arbitrary data through query string", async (t) => {
    const server = await listen(t, { config: POLLING });
    await open(t, server, { query: { a: "b" } });
    const { query } = await server.waitFor("connection");
    assert.equal(query.a, "b");
    assert.equal(query.transport, "polling");
  });

  test("should allow data through query string in uri", async (t) => {
    const server = await listen(t, { config: POLLING });
    await open(t, `${server.ws}?a=b&c=d`);
    const { query } = await server.waitFor("connection");
    assert.deepEqual([query.EIO, query.a, query.c], ["4", "b", "d"]);
  });

  test("should disallow bad requests (handshake error)", async (t) => {
    const origin = "http://engine.io";
    const server = await listen(t, { cors: { origin, credentials: true } });
    const response = await request(server, { EIO: 4, transport: "websocket" }, { headers: { origin } });
    assert.deepEqual([response.status, response.body], [400, { code: 3, message: "Bad request" }]);
    assert.equal(response.headers["access-control-allow-credentials"], "true");
    assert.equal(response.headers["access-control-allow-origin"], origin);
    await server.waitFor("connection_error", { code: 3, context: "TRANSPORT_HANDSHAKE_ERROR" });
  });

  test("should disallow invalid origin header", async (t) => {
    const server = await listen(t);
    // bytes that are no text; control characters do not get past the HTTP parser at all
    const origin = Buffer.from("http://engine.io/\xff", "latin1").toString("latin1");
    const response = await request(server, { EIO: 4, transport: "polling" }, { headers: { origin } });
    assert.deepEqual([response.status, response.body], [400, { code: 3, message: "Bad request" }]);
    await server.waitFor("connection_error", { code: 3, context: "INVALID_ORIGIN" });
  });

  test("should disallow invalid handshake method", async (t) => {
    const server = await listen(t);
    const response = await request(server, { transport: "polling" }, { method: "OPTIONS" });
    assert.deepEqual([response.status, response.body], [400, { code: 2, message: "Bad handshake method" }]);
    const error = await server.waitFor("connection_error", { code: 2, context: "BAD_HANDSHAKE_METHOD" });
    assert.equal(error.req.method, "OPTIONS");
  });

  test("should disallow unsupported protocol versions", async (t) => {
    const server = await listen(t, { config: { allowEIO3: false } });
    const response = await request(server, { transport: "polling", EIO: 3 });
    assert.deepEqual([response.status, response.body], [400, { code: 5, message: "Unsupported protocol version" }]);
    await server.waitFor("connection_error", { code: 5, context: "UNSUPPORTED_PROTOCOL_VERSION" });
  });

  test("should disallow handshakes without a protocol version", async (t) => {
    // engine.io takes a missing EIO for revision 3; here it is code 5 (see CASES.md)
    const server = await listen(t);
    assert.deepEqual((await request(server, { transport: "polling" })).body.code, 5);
  });

  for (const eio of [4, 3]) {
    for (const transport of ["polling", "websocket"]) {
      test(`should send a packet along with the handshake (EIO ${eio}, ${transport})`, async (t) => {
        const server = await listen(t, { config: { initialPacket: "faster!" } });
        const client = connect(t, server, { eio, transports: [transport] });
        assert.equal(await message(client), "faster!");
      });
    }
  }

  test("should support requests without trailing slash", async (t) => {
    const server = await listen(t, { config: { addTrailingSlash: false } });
    const query = { EIO: 4, transport: "polling" };
    assert.equal((await request(server, query, { path: "/engine.io" })).status, 200);
    // there it works "for backward-compatibility"; our path is exact
    assert.equal((await request(server, query, { path: "/engine.io/foo/bar/" })).status, 404);
    const client = await open(t, server, { addTrailingSlash: false });
    await within(client.upgraded, "the upgrade");
  });
});
