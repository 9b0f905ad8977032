// engine.io's engine.io.js: "attach()": what belongs to us in an HTTP server that has other things to do, and what
// becomes of upgrades that nobody takes. `scope()` is our attach.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { handshake, request, tcp } from "./support/client.mjs";
import { once, pass, within } from "./support/wait.mjs";

const upgrade = (path, to = "IRC/6.9") =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\n\r\n`;

describe("attach()", () => {
  test("should attach engine to an http server", async (t) => {
    const server = await listen(t);
    const response = await request(server);
    assert.deepEqual([response.status, response.body], [400, { code: 0, message: "Transport unknown" }]);
  });

  // engine.io ends such an upgrade on any path; `scope()` is asked on its own path only, `listen()` on all
  for (const { where, options, path, status } of [
    { where: "scope", options: {}, path: "/engine.io/", status: 400 },
    { where: "listen", options: { listen: true }, path: "/engine.io/", status: 501 },
    { where: "listen, another path", options: { listen: true }, path: "/", status: 501 },
  ]) {
    test(`should destroy upgrades not handled by engine (${where})`, async (t) => {
      const server = await listen(t, { ...options, config: { destroyUpgradeTimeout: 50 } });
      const socket = await tcp(t, server, upgrade(path));
      await within(socket.ended, "the connection's end");
      assert.match(socket.heard(), new RegExp(`^HTTP/1\\.1 ${status} `));
    });

    test(`should destroy unhandled upgrades with after a timeout (${where})`, async (t) => {
      const server = await listen(t, { ...options, config: { destroyUpgradeTimeout: 300 } });
      const socket = await tcp(t, server, upgrade(path));
      const start = performance.now();
      await once(socket, "data");
      // what the client says meanwhile keeps nothing open
      socket.write("foo");
      await within(socket.ended, "the connection's end");
      const after = performance.now() - start;
      assert.ok(after > 250, `already after ${after} ms`);
    });
  }

  test("should not destroy unhandled upgrades with destroyUpgrade:false", async (t) => {
    const server = await listen(t, { config: { destroyUpgrade: false, destroyUpgradeTimeout: 50 } });
    const socket = await tcp(t, server, upgrade("/engine.io/"));
    // it is the App's: its default service is asked and answers, and what then becomes of the connection is actix's
    const { req } = await server.waitFor("request");
    assert.equal(req.headers.upgrade, "IRC/6.9");
    await once(socket, "data");
    assert.match(socket.heard(), /^HTTP\/1\.1 404 /);
  });

  test("should not destroy handled upgrades with after a timeout", async (t) => {
    const server = await listen(t, { ownUpgrade: true, config: { destroyUpgradeTimeout: 50 } });
    const socket = await tcp(t, server, upgrade("/", "websocket"));
    await once(socket, "data");
    assert.match(socket.heard(), /^HTTP\/1\.1 101 /);
    // the connection is open still, after the timeout (what it upgrades to: actix hands on the bytes of `websocket` only)
    await pass(150);
    socket.write("bar");
    assert.equal((await server.waitFor("own_upgrade")).text, "bar");
    await within(socket.ended, "the connection's end");
    assert.match(socket.heard(), /foo/);
  });

  test("should preserve original request listeners", async (t) => {
    const server = await listen(t);
    assert.equal((await request(server)).body.code, 0);
    const other = await request(server, {}, { path: "/test" });
    assert.deepEqual([other.status, other.text], [200, "ok"]);
    // engine.io takes everything below its path; ours is exact
    assert.equal((await request(server, {}, { path: "/engine.io/default/" })).status, 404);
    for (const url of ["/test", "/engine.io/default/"]) await server.waitFor("request", ({ req }) => req.url === url);
    await handshake(server);
  });
});
