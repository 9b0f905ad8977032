// engine.io's "messages", those over TLS: actix-web with rustls, an authority made for each test, and clients that
// prove who they are by a certificate of it.

import assert from "node:assert/strict";
import { connect, message } from "./support/client.mjs";
import { ONLY, both } from "./support/both.mjs";
import { pfx } from "./support/pfx.mjs";
import { listen } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

/** An HTTPS server, its URL, and what a client needs: `{ca, cert, key}`. */
async function listenTls(t, clientCertificates, config) {
  const server = await listen(t, { config, tls: { clientCertificates }, script: { message: [{ do: "echo" }] } });
  const { ca, cert, key } = await server.waitFor("tls");
  return { server, url: `https://localhost:${server.port}`, ca, cert, key };
}

/** A client says hello, and hears it back. */
async function exchange(t, { server, url }, options) {
  const client = connect(t, url, options);
  await within(Promise.race([client.opened, client.closed]), "the client's open");
  assert.equal(client.readyState, "open", `${client.failure?.message} ${client.failure?.description}`);
  client.send("hello");
  await server.waitFor("message", { text: "hello" });
  assert.equal(await message(client), "hello");
  return client;
}

for (const [name, transport] of [["polling", "polling"], ["ws", "websocket"]]) {
  const config = { transports: [transport], allowUpgrades: false };
  const only = ONLY[transport];

  both(`messages: should send and receive data with key and cert (${name})`, async (t, eio) => {
    const tls = await listenTls(t, "required", config);
    await exchange(t, tls, { eio, ...only, ca: tls.ca, cert: tls.cert, key: tls.key });
  });

  both(`messages: should send and receive data with ca when not requiring auth (${name})`, async (t, eio) => {
    const tls = await listenTls(t, "optional", config);
    await exchange(t, tls, { eio, ...only, ca: tls.ca });
  });

  both(`messages: should send and receive data with pfx (${name})`, async (t, eio) => {
    const tls = await listenTls(t, "required", config);
    await exchange(t, tls, { eio, ...only, ca: tls.ca, pfx: pfx(tls) });
  });

  both(`messages: should not let a client in without the certificate that is required (${name})`, async (t, eio) => {
    const tls = await listenTls(t, "required", config);
    const client = connect(t, tls.url, { eio, ...only, ca: tls.ca });
    const { reason } = await within(client.closed, "the client's close");
    assert.equal(reason, "transport error");
    assert.equal((await tls.server.stats()).clientsCount, 0);
    assert.deepEqual(tls.server.events("connection"), []);
  });
}

both("messages: should upgrade over TLS", async (t, eio) => {
  const tls = await listenTls(t, "none");
  const client = await exchange(t, tls, { eio, ca: tls.ca });
  if (client.transport.name !== "websocket") await within(client.upgraded, "the client's upgrade");
  client.send("again");
  assert.equal(await message(client), "again");
  assert.deepEqual((await tls.server.stats()).clients.map(({ transport }) => transport), ["websocket"]);
});
