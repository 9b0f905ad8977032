// engine.io's "send" with a callback on the server's side. Our callback is the end of an awaited `Send`: it resolves
// when the message was flushed to the transport, or with an error when it never will be.

import assert from "node:assert/strict";
import { connect, message, open } from "./support/client.mjs";
import { ONLY, both, eachTransport } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { DEADLINE, within } from "./support/wait.mjs";

const send = (text) => ({ do: "send", text, tag: text });

/** Waits until all these sends were flushed; their order is in what it gives back. */
async function flushed(server, texts) {
  for (const tag of texts) await server.waitFor("sent", { tag });
  return server.events("sent").map(({ tag, result }) => `${tag} ${result}`);
}

eachTransport((name, options) => {
  both(`send, callback: should execute when message sent (${name})`, async (t, eio) => {
    const server = await listen(t, {
      config: { allowUpgrades: false },
      script: { connection: [send("a")] },
    });
    const client = await open(t, server, { eio, ...options });
    assert.equal(await message(client), "a");
    assert.deepEqual(await flushed(server, ["a"]), ["a ok"]);
  });

  both(`send, callback: should execute in multipart packet (${name})`, async (t, eio) => {
    const texts = ["d", "c", "b", "a"];
    const server = await listen(t, { script: { connection: texts.map(send) } });
    const client = await open(t, server, { eio, ...options });
    for (const text of texts) assert.equal(await message(client), text);
    assert.deepEqual(await flushed(server, texts), ["d ok", "c ok", "b ok", "a ok"]);
  });
});

both("send, callback: should execute when message sent during polling upgrade window", async (t, eio) => {
  const server = await listen(t, { script: { upgrading: [send("a")] } });
  const client = await open(t, server, { eio, transports: ["polling", "websocket"] });
  assert.equal(await message(client), "a");
  assert.deepEqual(await flushed(server, ["a"]), ["a ok"]);
  await within(client.upgraded, "the client's upgrade");
});

both("send, callback: should execute once for each send", async (t, eio) => {
  const server = await listen(t, { script: { connection: ["a", "b", "c"].map(send) } });
  const client = await open(t, server, { eio });
  for (const text of ["a", "b", "c"]) assert.equal(await message(client), text);
  await within(client.upgraded, "the client's upgrade");
  // nothing comes again on the new transport
  const { id } = await server.waitFor("connection");
  server.send({ do: "send", id, text: "last" });
  assert.equal(await message(client), "last");
  assert.deepEqual(client.messages, ["a", "b", "c", "last"]);
  assert.deepEqual(await flushed(server, ["a", "b", "c"]), ["a ok", "b ok", "c ok"]);
});

/** Waits until no session is left: the registry hears of an end after the application did. */
async function emptied(server) {
  const due = performance.now() + DEADLINE;
  while ((await server.stats()).clientsCount > 0) assert.ok(performance.now() < due, "a session is left");
}

/** A client that closes as soon as its handshake is answered; what is buffered behind that answer is never sent. */
async function abandoned(t, eio, texts) {
  const server = await listen(t, {
    config: { allowUpgrades: false },
    script: { connection: texts.map(send) },
  });
  const client = connect(t, server, { eio, ...ONLY.polling });
  client.transport.on("pollComplete", () => client.close());
  const close = await server.waitFor("close");
  await within(client.closed, "the client's close");
  return { server, client, close };
}

both(
  "send, callback: should clean callback references when socket gets closed with pending callbacks",
  async (t, eio) => {
    const { server, close } = await abandoned(t, eio, ["a"]);
    assert.equal(close.reason, "transport close");
    // who waits is told, and nothing of the session is left
    await server.waitFor("sent", { tag: "a", result: "closed" });
    await emptied(server);
  },
);

both("send, callback: should not execute when it is not actually sent (polling)", async (t, eio) => {
  const { server, client } = await abandoned(t, eio, ["a", "b"]);
  await server.waitFor("sent", { tag: "b" });
  assert.deepEqual(server.events("sent").map(({ tag, result }) => `${tag} ${result}`), ["a closed", "b closed"]);
  assert.deepEqual(client.messages, []);
});

// Instead of a pre-encoded frame (`wsPreEncodedFrame`) that the caller brings, there is `Server::broadcast`.
both("send, pre-encoded content: a broadcast comes once to every session, whatever its transport", async (t, eio) => {
  const server = await listen(t);
  const clients = [];
  for (const options of [ONLY.websocket, ONLY.polling, ONLY.websocket, ONLY.polling]) {
    clients.push(await open(t, server, { eio, ...options }));
  }
  server.send({ do: "broadcast", text: "test" });
  server.send({ do: "broadcast", text: "end" });
  for (const client of clients) assert.deepEqual([await message(client), await message(client)], ["test", "end"]);
});
