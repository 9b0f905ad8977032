// engine.io's engine.io.js: "engine", "engine()" and "listen".

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { handshake, open, request } from "./support/client.mjs";

describe("engine", () => {
  test("should expose protocol number", async (t) => {
    const server = await listen(t);
    assert.equal(server.events("listening")[0].protocol, 4);
  });

  test("should create a Server when called with no arguments", async (t) => {
    const server = await listen(t, { config: { preset: "default", allowEIO3: undefined } });
    const { response, ...data } = await handshake(server);
    assert.deepEqual(data, {
      sid: data.sid,
      upgrades: ["websocket"],
      pingInterval: 25_000,
      pingTimeout: 60_000,
      maxPayload: 1_000_000,
    });
    assert.match(response.headers["set-cookie"][0], /^io=/);
    await open(t, server, { transports: ["websocket"] });
  });

  test("should pass options correctly to the Server", async (t) => {
    const config = { pingInterval: 1_234, pingTimeout: 567, maxHttpBufferSize: 890, transports: ["polling"] };
    const server = await listen(t, { config });
    const { pingInterval, pingTimeout, maxPayload, upgrades } = await handshake(server);
    assert.deepEqual([pingInterval, pingTimeout, maxPayload, upgrades], [1_234, 567, 890, []]);
  });
});

describe("listen", () => {
  test("should open a http server that returns 501", async (t) => {
    const server = await listen(t, { listen: true });
    for (const path of ["/", "/test", "/engine.io", "/engine.io/default/"]) {
      assert.equal((await request(server, {}, { path })).status, 501, path);
    }
    assert.equal((await request(server, {}, { path: "/", method: "POST", body: "x" })).status, 501);
  });

  test("should serve Engine.IO on its path", async (t) => {
    const server = await listen(t, { listen: true });
    await handshake(server);
    await open(t, server, { transports: ["websocket"] });
  });
});
