// engine.io's "http compression", the cases in which nothing is compressed. They hold before compression is built and
// after; those that see compressed bytes come with it.

import assert from "node:assert/strict";
import { handshake, request, websocket } from "./support/client.mjs";
import { both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

/** `size` bytes as engine.io's tests have them. */
const bytes = (size) => Buffer.from(Array.from({ length: size }, (_, index) => index % 0xff));

/** The answer to a poll that would take gzip or deflate, of a server that sends `data` at once. */
async function poll(t, eio, config, data, send = {}) {
  const base64 = data.toString("base64");
  const server = await listen(t, {
    config: { cookie: true, transports: ["polling"], ...config },
    script: { message: [{ do: "send", base64, ...send }] },
  });
  const query = { EIO: eio, transport: "polling", ...(eio === 3 && { b64: 1 }) };
  const { sid } = await handshake(server, query);
  const post = await request(server, { ...query, sid }, { method: "POST", body: eio === 4 ? "4go" : "3:4go" });
  assert.equal(post.text, "ok");
  const headers = { "accept-encoding": "gzip, deflate" };
  const response = await request(server, { ...query, sid }, { headers });
  assert.equal(response.status, 200);
  assert.ok(response.text.endsWith((eio === 4 ? "b" : "b4") + base64), response.text.slice(0, 50));
  return response;
}

both("http compression: should disable compression", async (t, eio) => {
  const { headers } = await poll(t, eio, { httpCompression: false }, bytes(1024));
  assert.equal(headers["content-encoding"], undefined);
});

both("http compression: should disable compression per message", async (t, eio) => {
  const { headers } = await poll(t, eio, {}, bytes(1024), { compress: false });
  assert.equal(headers["content-encoding"], undefined);
});

both("http compression: should not compress when the byte size is below threshold", async (t, eio) => {
  const { headers } = await poll(t, eio, {}, bytes(100));
  assert.equal(headers["content-encoding"], undefined);
});

both("http compression: should not negotiate permessage-deflate when it is disabled", async (t, eio) => {
  const server = await listen(t, { config: { perMessageDeflate: false } });
  const ws = websocket(t, server, { EIO: eio }, { perMessageDeflate: true });
  await within(ws.opened, "the WebSocket's open");
  assert.equal(ws.extensions, "");
});
