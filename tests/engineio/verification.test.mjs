// engine.io's "verification": what is refused before there is a session, its code, and what `connection_error` hears.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { connect, frame, handshake, open, request, tcp, websocket } from "./support/client.mjs";
import { once, within } from "./support/wait.mjs";

/** Asserts that a request was refused like this, both at the client and in the server's `connection_error`. */
async function refused(server, response, { status = 400, code, message, context }) {
  assert.deepEqual([response.status, response.body], [status, { code, message }]);
  const error = await server.waitFor("connection_error", { code, message, context });
  assert.ok(error.req.url.startsWith("/engine.io/"));
  assert.equal(error.context, context);
  return error;
}

const UNKNOWN_TRANSPORT = { code: 0, message: "Transport unknown", context: "UNKNOWN_TRANSPORT" };

/** A WebSocket handshake by hand, whose body is no frame. */
const invalidUpgrade = (query) =>
  [
    `GET /engine.io/?${new URLSearchParams({ EIO: 4, transport: "websocket", ...query })} HTTP/1.1`,
    "Host: localhost",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: DXR4dX615eRds8nRmlhqtw==",
    "",
    "test",
  ].join("\r\n");

describe("verification", () => {
  test("should disallow non-existent transports", async (t) => {
    const server = await listen(t);
    const error = await refused(server, await request(server, { transport: "tobi" }), UNKNOWN_TRANSPORT);
    assert.match(error.req.url, /transport=tobi/);
  });

  test("should disallow `constructor` as transports", async (t) => {
    const server = await listen(t);
    const headers = { origin: "http://engine.io" };
    await refused(server, await request(server, { transport: "constructor" }, { headers }), UNKNOWN_TRANSPORT);
  });

  test("should disallow non-existent sids", async (t) => {
    const server = await listen(t);
    const headers = { origin: "http://engine.io" };
    const response = await request(server, { transport: "polling", sid: "test" }, { headers });
    await refused(server, response, { code: 1, message: "Session ID unknown", context: "UNKNOWN_SID" });
  });

  test("should disallow `__proto__` as sid", async (t) => {
    const server = await listen(t);
    const response = await request(server, { EIO: 4, transport: "polling", sid: "__proto__" });
    await refused(server, response, { code: 1, message: "Session ID unknown", context: "UNKNOWN_SID" });
  });

  test("should disallow requests that are rejected by `allowRequest`", async (t) => {
    const message = "Thou shall not pass";
    const server = await listen(t, { allowRequest: { message } });
    const headers = { origin: "http://engine.io" };
    const response = await request(server, { EIO: 4, transport: "polling" }, { headers });
    // engine.io tells the event "Forbidden" and puts the message in its context; ours is told the message
    await refused(server, response, { status: 403, code: 4, message, context: "FORBIDDEN" });
    assert.equal((await server.stats()).clientsCount, 0);
  });

  test("should disallow connection that are rejected by `allowRequest` (ws)", async (t) => {
    const server = await listen(t, { allowRequest: "reject" });
    const client = connect(t, server, { transports: ["websocket"] });
    await once(client, "error");
    await server.waitFor("connection_error", { code: 4, message: "Forbidden" });
    assert.equal((await server.stats()).clientsCount, 0);
  });

  test("should not throw when the client sends invalid data during the handshake (ws only)", async (t) => {
    const server = await listen(t);
    const socket = await tcp(t, server, invalidUpgrade({}));
    await within(socket.ended, "the connection's end");
    assert.match(socket.heard(), /^HTTP\/1\.1 101 /);
    await server.waitFor("close", { reason: "transport error" });
    await server.untilClients(0);
  });

  test("should not throw when the client sends invalid data during the handshake (upgrade)", async (t) => {
    const server = await listen(t);
    const { sid } = await handshake(server);
    const socket = await tcp(t, server, invalidUpgrade({ sid }));
    await within(socket.ended, "the connection's end");
    // the session did not move: it goes on with polling
    const { clients } = await server.stats();
    assert.deepEqual(clients.map(({ id, transport }) => [id, transport]), [[sid, "polling"]]);
  });

  test("should prevent the client from upgrading twice", async (t) => {
    const server = await listen(t, { script: { message: [{ do: "echo" }] } });
    const client = await open(t, server);
    await within(client.upgraded, "the upgrade");
    const second = websocket(t, server, { sid: client.id });
    await within(Promise.race([second.closed, second.refused]), "the second WebSocket's end");
    client.send("still there");
    assert.equal((await once(client, "message"))[0], "still there");
  });

  test("should disallow `__proto__` as transport (polling)", async (t) => {
    const server = await listen(t);
    await refused(server, await request(server, { transport: "__proto__", EIO: 4 }), UNKNOWN_TRANSPORT);
  });

  test("should disallow `__proto__` as transport (websocket)", async (t) => {
    const server = await listen(t);
    const socket = websocket(t, server, { transport: "__proto__" });
    const { status, text } = await within(socket.refused, "the refusal");
    await refused(server, { status, body: JSON.parse(text) }, UNKNOWN_TRANSPORT);
  });

  // not one of engine.io's: what its refusals must leave alone
  test("should serve a client right after refusals", async (t) => {
    const server = await listen(t);
    await request(server, { transport: "tobi" });
    await request(server, { EIO: 4, transport: "polling", sid: "test" });
    const socket = websocket(t, server);
    assert.match(await frame(socket), /^0\{/);
  });
});
