// Who is not let in, as the real clients see it: their documented error, with the answer's status, code, message and headers.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { connect, open, request, websocket } from "./support/client.mjs";
import { within } from "./support/wait.mjs";

/** Every way in: client and first transport. */
const WAYS = [4, 3].flatMap((eio) => ["polling", "websocket"].map((transport) => ({ eio, transport })));

/** A client that is refused: `error` with its message, type and description, then `close` for `transport error`. */
async function refused(t, server, way, status) {
  const client = connect(t, server, { eio: way.eio, transports: [way.transport], ...way.options });
  // the client forgets the answer as soon as it has told of it
  let text;
  client.once("error", (error) => (text = error.context?.responseText));
  const { reason } = await within(client.closed, "the client's close");
  const { failure } = client;
  assert.equal(reason, "transport error");
  assert.equal(failure.type, "TransportError");
  if (way.transport === "polling") {
    assert.equal(failure.message, "xhr poll error");
    assert.equal(failure.description, status);
    // the client of revision 3 does not hand it out
    return way.eio === 4 ? JSON.parse(text) : undefined;
  }
  assert.equal(failure.message, "websocket error");
  // `ws` tells the status in the text of its own error
  assert.match(String(failure.description?.message ?? failure.description), new RegExp(`${status}`));
}

/** The answer itself, to both transports. */
async function answers(t, server, { status, code, message, headers = {} }, init) {
  const polling = await request(server, { EIO: 4, transport: "polling" }, init);
  const upgrade = await within(websocket(t, server, {}, init).refused, "the answer to a WebSocket handshake");
  for (const response of [polling, upgrade]) {
    assert.deepEqual([response.status, JSON.parse(response.text)], [status, { code, message }]);
    for (const [name, value] of Object.entries(headers)) assert.equal(response.headers[name], value);
  }
}

describe("admission", () => {
  test("a full server", async (t) => {
    const server = await listen(t, { config: { maxSessions: 1 } });
    const first = await open(t, server, { transports: ["websocket"] });
    const answer = { status: 503, code: 3, message: "Server full", headers: { "retry-after": "10" } };
    await answers(t, server, answer);
    for (const way of WAYS) {
      const body = await refused(t, server, way, 503);
      if (body) assert.deepEqual(body, { code: 3, message: "Server full" });
    }
    await server.waitFor("connection_error", { code: 3, message: "Server full", context: "SERVER_FULL" });
    // a place that is given up is free
    first.close();
    await server.untilClients(0);
    await open(t, server, { transports: ["polling"] });
  });

  test("too many sessions of one address, whatever it says of itself", async (t) => {
    const server = await listen(t, { config: { maxSessionsPerIp: 1 } });
    await open(t, server);
    const headers = { "x-forwarded-for": "198.51.100.7", forwarded: "for=198.51.100.7" };
    const answer = { status: 429, code: 3, message: "Too many sessions", headers: { "retry-after": "10" } };
    await answers(t, server, answer, { headers });
    for (const way of WAYS) await refused(t, server, { ...way, options: { extraHeaders: headers } }, 429);
  });

  test("clients behind a trusted proxy are told apart", async (t) => {
    const server = await listen(t, { config: { maxSessionsPerIp: 1, trustedProxies: ["127.0.0.1"] } });
    const from = (address) => ({ extraHeaders: { "x-forwarded-for": address } });
    await open(t, server, from("198.51.100.1"));
    await open(t, server, from("198.51.100.2"));
    await refused(t, server, { eio: 4, transport: "polling", options: from("203.0.113.9, 198.51.100.2") }, 429);
  });

  test("more handshakes than are looked at", async (t) => {
    const server = await listen(t, { config: { maxHandshakesPerSecond: 0 } });
    await answers(t, server, { status: 429, code: 3, message: "Too many handshakes", headers: { "retry-after": "1" } });
    for (const way of WAYS) await refused(t, server, way, 429);
  });

  test("sessions that never poll", async (t) => {
    const server = await listen(t, { config: { maxUnpolled: 1 } });
    await request(server, { EIO: 4, transport: "polling" });
    const full = await request(server, { EIO: 4, transport: "polling" });
    assert.deepEqual([full.status, full.body], [503, { code: 3, message: "Server full" }]);
    await refused(t, server, { eio: 4, transport: "polling" }, 503);
    await open(t, server, { transports: ["websocket"] });
  });

  test("`allow_request` says no in its own words", async (t) => {
    const reject = { status: 401, code: 1234, message: "who are you?", headers: { "www-authenticate": "Bearer" } };
    const server = await listen(t, { allowRequest: reject });
    await answers(t, server, reject);
    for (const way of WAYS) {
      const body = await refused(t, server, way, 401);
      if (body) assert.deepEqual(body, { code: 1234, message: "who are you?" });
    }
  });
});
