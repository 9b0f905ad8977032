// engine.io's "http compression", with what the compressed bytes hold.

import assert from "node:assert/strict";
import zlib from "node:zlib";
import { handshake, request, websocket } from "./support/client.mjs";
import { both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

/** `size` bytes as engine.io's tests have them. */
const bytes = (size) => Buffer.from(Array.from({ length: size }, (_, index) => index % 0xff));

const decoders = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync };

/** The answer to a poll that takes gzip or deflate, or what it is told, of a server that sends `data` at once. */
async function poll(t, eio, config, data, { accept = "gzip, deflate", ...send } = {}) {
  const base64 = data.toString("base64");
  const server = await listen(t, {
    config: { cookie: true, transports: ["polling"], ...config },
    script: { message: [{ do: "send", base64, ...send }] },
  });
  const query = { EIO: eio, transport: "polling", ...(eio === 3 && { b64: 1 }) };
  const { sid } = await handshake(server, query);
  const post = await request(server, { ...query, sid }, { method: "POST", body: eio === 4 ? "4go" : "3:4go" });
  assert.equal(post.text, "ok");
  const headers = { "accept-encoding": accept };
  const response = await request(server, { ...query, sid }, { headers });
  assert.equal(response.status, 200);
  const decode = decoders[response.headers["content-encoding"]] ?? ((plain) => plain);
  const text = decode(response.bytes).toString();
  assert.ok(text.endsWith((eio === 4 ? "b" : "b4") + base64), text.slice(0, 50));
  assert.equal(response.headers["content-length"], String(response.bytes.length));
  return response;
}

both("http compression: should compress by default", async (t, eio) => {
  const { headers } = await poll(t, eio, {}, bytes(1024));
  assert.equal(headers["content-encoding"], "gzip");
  assert.equal(headers["vary"], "Accept-Encoding");
});

both("http compression: should compress using deflate", async (t, eio) => {
  const { headers } = await poll(t, eio, {}, bytes(1024), { accept: "deflate" });
  assert.equal(headers["content-encoding"], "deflate");
});

both("http compression: should set threshold", async (t, eio) => {
  const { headers } = await poll(t, eio, { httpCompression: { threshold: 0 } }, bytes(10));
  assert.equal(headers["content-encoding"], "gzip");
});

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
