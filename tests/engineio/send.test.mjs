// engine.io's "send": the client's side of it, which is our echo in the right order; and our own write buffer.

import assert from "node:assert/strict";
import { handshake, message, open, request } from "./support/client.mjs";
import { both, eachTransport } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const ECHO = { config: { allowUpgrades: false }, script: { message: [{ do: "echo" }] } };

eachTransport((name, options) => {
  both(`send, writeBuffer: should not empty until \`drain\` event (${name})`, async (t, eio) => {
    const server = await listen(t, ECHO);
    const client = await open(t, server, { eio, ...options });
    const left = [];
    const drained = new Promise((resolve) => {
      client.transport.on("drain", () => left.push(client.writeBuffer.length) === 2 && resolve());
    });
    client.send("a");
    client.send("b");
    assert.equal(client.writeBuffer.length, 2);
    await within(drained, "the client's second drain");
    assert.deepEqual(left, [1, 0]);
    assert.deepEqual([await message(client), await message(client)], ["a", "b"]);
  });

  both(`send, callback: should execute in order when message sent (client) (${name})`, async (t, eio) => {
    const server = await listen(t, ECHO);
    const client = await open(t, server, { eio, ...options });
    for (const text of ["0", "1", "2"]) {
      let told = false;
      client.send(text, () => (told = true));
      assert.equal(await message(client), text);
      assert.ok(told, `the echo of ${text} overtook the callback of its send`);
    }
  });

  both(`send, callback: should execute in order with payloads (client) (${name})`, async (t, eio) => {
    const server = await listen(t, ECHO);
    const client = await open(t, server, { eio, ...options });
    const told = [];
    const all = new Promise((resolve) => {
      const tell = (text) => () => told.push(text) === 3 && resolve();
      client.once("flush", () => {
        // these two travel in one payload
        client.send("2", tell("2"));
        client.send("3", tell("3"));
      });
      client.send("1", tell("1"));
    });
    const heard = [await message(client), await message(client), await message(client)];
    await within(all, "the client's callbacks");
    assert.deepEqual(heard, ["1", "2", "3"]);
    assert.deepEqual(told, ["1", "2", "3"]);
  });
});

both("send, writeBuffer: ours is not empty until a poll has taken it", async (t, eio) => {
  const server = await listen(t, { config: { allowUpgrades: false }, events: ["drain", "packetCreate"] });
  const { sid } = await handshake(server, { EIO: eio });
  const opened = await server.waitFor("drain", { id: sid });
  server.send({ do: "send", id: sid, text: "a", tag: "a" });
  server.send({ do: "send", id: sid, text: "b", tag: "b" });
  await server.waitFor("packetCreate", { text: "b" });
  const { clients } = await server.stats();
  assert.ok(clients[0].bufferedBytes >= 2, `${clients[0].bufferedBytes} bytes are buffered`);
  assert.equal(server.events("sent").length, 0);
  assert.equal(server.events("drain").at(-1), opened);

  const poll = await request(server, { EIO: eio, transport: "polling", sid });
  assert.equal(poll.text, eio === 4 ? "4a\x1e4b" : "2:4a2:4b");
  await server.waitFor("drain", { id: sid }, { after: opened });
  assert.equal((await server.stats()).clients[0].bufferedBytes, 0);
});
