// engine.io's "extraHeaders", "response headers" and "remoteAddress".

import assert from "node:assert/strict";
import test from "node:test";
import { connect, handshake, open, request, websocket } from "./support/client.mjs";
import { ONLY, both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { once, within } from "./support/wait.mjs";

const IE8 =
  "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; .NET CLR 2.0.50727; Media Center PC 6.0)";
const IE11 = "Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko";

for (const [name, options] of [
  ["WebSockets", ONLY.websocket],
  ["XMLHttpRequest", ONLY.polling],
]) {
  both(`extraHeaders: should arrive from client to server via ${name}`, async (t, eio) => {
    const extraHeaders = {
      "x-custom-header-for-my-project": "my-secret-access-token",
      cookie: "user_session=NI2JlCKF90aE0sJZD9ZzujtdsUqNYSBYxzlTsvdSUe35ZzdtVRGqYFr0kdGxbfc5gUOkR9RGp20GVKza; path=/",
    };
    const server = await listen(t);
    await open(t, server, { eio, ...options, extraHeaders });
    const { headers } = await server.waitFor("connection");
    for (const [header, value] of Object.entries(extraHeaders)) assert.equal(headers[header], value);
  });
}

for (const [name, userAgent] of [["IE8", IE8], ["IE11", IE11]]) {
  both(`response headers: should contain X-XSS-Protection: 0 for ${name}`, async (t, eio) => {
    const server = await listen(t, {
      events: ["headers"],
      script: { connection: [{ do: "send", text: "hi" }] },
    });
    await open(t, server, { eio, ...ONLY.polling, extraHeaders: { "user-agent": userAgent } });
    await server.waitFor("headers", ({ headers }) => headers["x-xss-protection"] === "0");
    const answer = (agent) => request(server, { EIO: eio, transport: "polling" }, { headers: { "user-agent": agent } });
    assert.equal((await answer(userAgent)).headers["x-xss-protection"], "0");
    // others are spared it
    assert.equal((await answer("Gecko")).headers["x-xss-protection"], undefined);
  });
}

both("response headers: should include a 'cache-control' header", async (t, eio) => {
  const server = await listen(t, { script: { message: [{ do: "echo" }] } });
  const query = { EIO: eio, transport: "polling" };
  const { sid, response } = await handshake(server, query);
  const body = eio === 4 ? "4hi" : "3:4hi";
  const post = await request(server, { ...query, sid }, { method: "POST", body });
  const poll = await request(server, { ...query, sid });
  assert.equal(poll.text, body);
  for (const { headers } of [response, post, poll]) assert.equal(headers["cache-control"], "no-store");
});

// `await server.stats()` below: what the server has told by then came before the answers that a test has in hand.
const HEADERS = { test: "123", "set-cookie": "mycookie=456" };

/** The answers to a handshake and to the POST that ends its session. */
async function beginAndEnd(server, eio) {
  const query = { EIO: eio, transport: "polling" };
  const { sid, response } = await handshake(server, query);
  const post = await request(server, { ...query, sid }, { method: "POST", body: eio === 4 ? "1" : "1:1" });
  assert.equal(post.status, 200);
  return { sid, first: response.headers, second: post.headers };
}

both("response headers: should emit a 'initial_headers' event (polling)", async (t, eio) => {
  const server = await listen(t, {
    config: { cookie: true },
    events: ["initial_headers"],
    initialHeaders: HEADERS,
  });
  const { sid, first, second } = await beginAndEnd(server, eio);
  const { req } = await server.waitFor("initial_headers");
  assert.equal(req.method, "GET");
  assert.equal(first.test, "123");
  assert.equal(first["set-cookie"].length, 2);
  assert.ok(first["set-cookie"][0].startsWith(`io=${sid}`));
  assert.equal(first["set-cookie"][1], "mycookie=456");
  assert.equal(second.test, undefined);
  assert.equal(second["set-cookie"], undefined);
  await server.stats();
  assert.equal(server.events("initial_headers").length, 1);
});

both("response headers: should emit a 'headers' event (polling)", async (t, eio) => {
  const server = await listen(t, { config: { cookie: true }, events: ["headers"], headers: HEADERS });
  const { first, second } = await beginAndEnd(server, eio);
  assert.equal(first.test, "123");
  assert.equal(first["set-cookie"].length, 2);
  assert.equal(first["set-cookie"][1], "mycookie=456");
  assert.equal(second.test, "123");
  assert.deepEqual(second["set-cookie"], ["mycookie=456"]);
  await server.stats();
  assert.deepEqual(server.events("headers").map(({ req }) => req.method), ["GET", "POST"]);
});

both("response headers: should emit a 'initial_headers' event (websocket)", async (t, eio) => {
  const server = await listen(t, {
    config: { cookie: true },
    events: ["initial_headers"],
    initialHeaders: HEADERS,
  });
  const ws = websocket(t, server, { EIO: eio });
  const [{ headers }] = await once(ws, "upgrade");
  const { req } = await server.waitFor("initial_headers");
  assert.equal(req.method, "GET");
  assert.equal(headers.test, "123");
  // ours is part of every handshake's answer, so it is here, too
  assert.deepEqual(headers["set-cookie"].map((cookie) => cookie.split("=")[0]), ["io", "mycookie"]);
});

test("response headers: should emit a 'initial_headers' event (websocket), with the real client", async (t) => {
  const server = await listen(t, { events: ["initial_headers"], initialHeaders: HEADERS });
  const client = connect(t, server, ONLY.websocket);
  const [{ headers }] = await once(client.transport.ws, "upgrade");
  await within(client.opened, "the client's open");
  assert.equal(headers.test, "123");
  await server.waitFor("initial_headers");
});

both("response headers: should emit a single 'initial_headers' event per connection", async (t, eio) => {
  const server = await listen(t, { events: ["initial_headers"] });
  const client = connect(t, server, { eio });
  await within(client.upgraded, "the client's upgrade");
  await server.stats();
  assert.equal(server.events("initial_headers").length, 1);
});

both("response headers: should emit several 'headers' events per connection", async (t, eio) => {
  const server = await listen(t, { events: ["headers"] });
  const client = connect(t, server, { eio });
  await within(client.upgraded, "the client's upgrade");
  // the handshake, the 101, the poll that made room for it
  await server.waitFor("headers", ({ req }) => req.url.includes("transport=websocket"));
  await server.stats();
  assert.ok(server.events("headers").length >= 3, `${server.events("headers").length} answers were told`);
});

for (const [name, options] of [["polling", ONLY.polling], ["ws", ONLY.websocket]]) {
  both(`remoteAddress: should be defined (${name})`, async (t, eio) => {
    const server = await listen(t, { config: { transports: options.transports } });
    await open(t, server, { eio, ...options });
    const { remoteAddress } = await server.waitFor("connection");
    assert.equal(remoteAddress, "127.0.0.1");
    // and for the session's life
    assert.equal((await server.stats()).clients[0].request.remoteAddress, "127.0.0.1");
  });
}
