// engine.io's middlewares.js. Our counterpart of `engine.use(..)` is actix's own middleware around the scope: it sees
// every request before us and every answer of ours, the 101 of a WebSocket and refusals included.

import assert from "node:assert/strict";
import test from "node:test";
import { open, request, websocket } from "./support/client.mjs";
import { both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const HELMET = { "x-download-options": "noopen", "x-content-type-options": "nosniff" };
const KINDS = ["polling", "websocket"];

/** The answer to a session's first request, over polling or WebSocket: `{status, headers}`. */
async function answer(t, server, kind, eio, headers = {}) {
  if (kind === "polling") return request(server, { EIO: eio, transport: "polling" }, { headers });
  const ws = websocket(t, server, { EIO: eio }, { headers });
  const upgraded = new Promise((resolve) => {
    ws.once("upgrade", ({ headers }) => resolve({ status: 101, headers }));
  });
  return within(Promise.race([upgraded, ws.refused]), "the answer to a WebSocket's handshake");
}

const accepted = { polling: 200, websocket: 101 };

for (const kind of KINDS) {
  both(`middlewares: should apply middleware (${kind})`, async (t, eio) => {
    const server = await listen(t, { middlewares: [{ headers: { foo: "bar" } }] });
    const response = await answer(t, server, kind, eio);
    assert.equal(response.status, accepted[kind]);
    assert.equal(response.headers.foo, "bar");
  });

  both(`middlewares: should apply middleware to a refusal (${kind})`, async (t, eio) => {
    const server = await listen(t, { config: { transports: [] }, middlewares: [{ headers: { foo: "bar" } }] });
    const response = await answer(t, server, kind, eio);
    assert.equal(response.status, 400);
    assert.equal(response.headers.foo, "bar");
  });

  both(`middlewares: should apply all middlewares in order (${kind})`, async (t, eio) => {
    const server = await listen(t, { middlewares: ["1", "2", "3"].map((name) => ({ name })) });
    const response = await answer(t, server, kind, eio);
    assert.equal(response.status, accepted[kind]);
    // what is told by now came before this answer
    await server.stats();
    assert.deepEqual(server.events("middleware").map(({ name }) => name), ["1", "2", "3"]);
    const events = server.events().map(({ event }) => event);
    assert.ok(events.indexOf("connection") > events.lastIndexOf("middleware"), events.join());
  });

  both(`middlewares: should end the request (${kind})`, async (t, eio) => {
    const server = await listen(t, { middlewares: [{ end: 503 }, { name: "behind it" }] });
    assert.equal((await answer(t, server, kind, eio)).status, 503);
    assert.deepEqual(await untouched(server), []);
  });

  // helmet is a set of fixed headers, which actix has as `DefaultHeaders`
  both(`middlewares: should work with helmet (${kind})`, async (t, eio) => {
    const server = await listen(t, { defaultHeaders: HELMET });
    const response = await answer(t, server, kind, eio);
    assert.equal(response.status, accepted[kind]);
    for (const [name, value] of Object.entries(HELMET)) assert.equal(response.headers[name], value);
  });

  both(`middlewares: should work with express-session (${kind})`, async (t, eio) => {
    const server = await listen(t, { config: { cookie: true }, middlewares: [{ session: "connect.sid" }] });
    const names = ({ headers }) => (headers["set-cookie"] ?? []).map((cookie) => cookie.split("=")[0]).sort();
    // beside our own, not instead of it
    assert.deepEqual(names(await answer(t, server, kind, eio)), ["connect.sid", "io"]);
    const known = { cookie: "connect.sid=a-session" };
    assert.deepEqual(names(await answer(t, server, kind, eio, known)), ["io"]);
  });

  both(`middlewares: should fail on errors (${kind})`, async (t, eio) => {
    const server = await listen(t, { middlewares: [{ fail: 400 }, { name: "behind it" }] });
    assert.equal((await answer(t, server, kind, eio)).status, 400);
    assert.deepEqual(await untouched(server), []);
  });
}

/** What the engine heard of, which should be nothing; and there is no session. */
async function untouched(server) {
  assert.equal((await server.stats()).clientsCount, 0);
  const telling = ["connection", "connection_error", "middleware"];
  return server.events().filter(({ event }) => telling.includes(event));
}

test("middlewares: should apply to all requests of a session", async (t) => {
  const server = await listen(t, { middlewares: [{ name: "one" }] });
  const client = await open(t, server);
  await within(client.upgraded, "the client's upgrade");
  await server.stats();
  const paths = server.events("middleware").map(({ req }) => `${req.method} ${/transport=(\w+)/.exec(req.url)[1]}`);
  for (const path of ["GET polling", "GET websocket"]) assert.ok(paths.includes(path), paths.join());
});

both(
  "middlewares: should not be receiving data when getting a message longer than maxHttpBufferSize when polling " +
    "(with a middleware)",
  async (t, eio) => {
    const server = await listen(t, {
      config: { allowUpgrades: false, transports: ["polling"], maxHttpBufferSize: 5 },
      middlewares: [{}],
    });
    const client = await open(t, server, { eio });
    client.send("aasdasdakjhasdkjhasdkjhasdkjhasdkjhasdkjhasdkjha");
    await within(client.closed, "the client's close");
    await server.waitFor("close");
    assert.deepEqual(server.events("message"), []);
  },
);
