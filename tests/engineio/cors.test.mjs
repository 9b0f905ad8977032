// engine.io's "cors". We have no such option: actix-cors goes around the scope, and sees every answer of ours,
// refusals too. What it does otherwise than npm's cors: a preflight names the method that it asks for, is answered
// with 200, and one of a bad origin with 400 instead of a 204 that allows nothing.

import assert from "node:assert/strict";
import test from "node:test";
import { message, open, request } from "./support/client.mjs";
import { ONLY, both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";

const QUERY = { EIO: 4, transport: "polling" };
const ORIGIN = "http://engine.io";
// "any" of our own option: which pages may connect is left to CORS here
const config = { origins: "any" };
const CURRENT = { config, cors: { origin: "*", allowedHeaders: ["my-header"], credentials: true } };

/** The preflight that a browser sends before a POST with a header of its own. */
function preflight(server, origin) {
  const headers = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "my-header",
  };
  return request(server, QUERY, { method: "OPTIONS", headers });
}

/** A list in a header, sorted. */
function list(value) {
  return value?.split(",").map((item) => item.trim()).sort();
}

/** The `access-control-...` headers of an answer, without that prefix. */
function allowed({ headers }) {
  const prefix = "access-control-";
  const entries = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}

test("cors: should allow CORS from the current origin (preflight request)", async (t) => {
  const server = await listen(t, CURRENT);
  const response = await preflight(server, ORIGIN);
  assert.equal(response.status, 200);
  assert.equal(response.text, "");
  const { "allow-methods": methods, ...rest } = allowed(response);
  assert.deepEqual(list(methods), ["GET", "POST"]);
  assert.deepEqual(rest, {
    "allow-origin": ORIGIN,
    "allow-headers": "my-header",
    "allow-credentials": "true",
  });
});

test("cors: should allow CORS from the current origin (actual request)", async (t) => {
  const server = await listen(t, CURRENT);
  const response = await request(server, QUERY, { headers: { origin: ORIGIN } });
  assert.equal(response.status, 200);
  assert.match(response.text, /^0\{/);
  assert.deepEqual(allowed(response), { "allow-origin": ORIGIN, "allow-credentials": "true" });
});

test("cors: should allow CORS from the current origin (refused request)", async (t) => {
  const server = await listen(t, CURRENT);
  const response = await request(server, { ...QUERY, sid: "unknown" }, { headers: { origin: ORIGIN } });
  assert.equal(response.status, 400);
  assert.equal(response.body.code, 1);
  assert.deepEqual(allowed(response), { "allow-origin": ORIGIN, "allow-credentials": "true" });
});

test("cors: should disallow CORS from a bad origin", async (t) => {
  const server = await listen(t, { config, cors: { origin: ["http://good-domain.com"] } });
  const bad = "http://bad-domain.com";
  const asked = await preflight(server, bad);
  assert.equal(asked.status, 400);
  const taken = await request(server, QUERY, { headers: { origin: bad } });
  for (const response of [asked, taken]) {
    assert.equal(allowed(response)["allow-origin"], undefined);
    assert.equal(allowed(response)["allow-credentials"], undefined);
  }
});

test("cors: should disallow CORS from a bad origin, by our own option", async (t) => {
  const server = await listen(t, { config: { origins: ["http://good-domain.com"] } });
  const bad = await request(server, QUERY, { headers: { origin: "http://bad-domain.com" } });
  assert.equal(bad.status, 403);
  assert.equal(bad.body.code, 4);
  const good = await request(server, QUERY, { headers: { origin: "http://good-domain.com" } });
  assert.equal(good.status, 200);
});

test("cors: should forward the configuration to the cors module", async (t) => {
  const origin = "http://good-domain.com";
  const server = await listen(t, {
    config,
    cors: {
      origin,
      methods: ["GET", "PUT", "POST"],
      allowedHeaders: ["my-header"],
      exposedHeaders: ["my-exposed-header"],
      credentials: true,
      maxAge: 123,
    },
  });
  const { "allow-methods": methods, ...rest } = allowed(await preflight(server, origin));
  assert.deepEqual(list(methods), ["GET", "POST", "PUT"]);
  assert.deepEqual(rest, {
    "allow-origin": origin,
    "allow-headers": "my-header",
    "allow-credentials": "true",
    "max-age": "123",
  });
  // what a page may read is said with the answer that it reads
  const response = await request(server, QUERY, { headers: { origin } });
  assert.equal(allowed(response)["expose-headers"], "my-exposed-header");
});

both("cors: should work with CORS enabled", async (t, eio) => {
  const server = await listen(t, { ...CURRENT, script: { message: [{ do: "send", text: "holà" }] } });
  const client = await open(t, server, { eio, ...ONLY.polling, extraHeaders: { origin: ORIGIN } });
  client.send("hey");
  await server.waitFor("message", { text: "hey" });
  assert.equal(await message(client), "holà");
});
