// engine.io's "messages", the binary ones. An application of ours sends bytes and knows no typed arrays, so what
// is left of those cases is what the client makes of the bytes.

import assert from "node:assert/strict";
import { connect, message } from "./support/client.mjs";
import { ONLY, both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { once } from "./support/wait.mjs";

const int8 = Int8Array.from({ length: 5 }, (_, index) => index);
const int32 = Int32Array.from({ length: 5 }, (_, index) => (index + 100) * 9823);
const buffer = Buffer.from(int8);

/** A client of a server that sends the bytes behind `data` at once. */
async function sendTo(t, eio, transport, data, prepare = () => {}) {
  const bytes = Buffer.from(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  const server = await listen(t, {
    config: { allowUpgrades: false, transports: [transport] },
    script: { connection: [{ do: "send", base64: bytes.toString("base64") }] },
  });
  const client = connect(t, server, { eio, ...ONLY[transport] });
  prepare(client);
  return client;
}

both("messages: should arrive when binary data is sent as Int8Array (ws)", async (t, eio) => {
  const heard = await message(await sendTo(t, eio, "websocket", int8));
  int8.forEach((number, index) => assert.equal(heard.readInt8(index), number));
  assert.equal(heard.length, 5);
});

for (const [name, data] of [
  ["as Int32Array (ws)", int32],
  ["as Int32Array, given as ArrayBuffer(ws)", int32.buffer],
]) {
  both(`messages: should arrive when binary data is sent ${name}`, async (t, eio) => {
    const heard = await message(await sendTo(t, eio, "websocket", data));
    int32.forEach((number, index) => assert.equal(heard.readInt32LE(4 * index), number));
    assert.equal(heard.length, 20);
  });
}

both("messages: should arrive when binary data is sent as Buffer (ws)", async (t, eio) => {
  assert.deepEqual(await message(await sendTo(t, eio, "websocket", buffer)), buffer);
});

both("messages: should arrive when binary data sent as Buffer (polling)", async (t, eio) => {
  assert.deepEqual(await message(await sendTo(t, eio, "polling", buffer)), buffer);
});

for (const [name, transport] of [["ws", "websocket"], ["polling", "polling"]]) {
  both(
    `messages: should arrive as ArrayBuffer if requested when binary data sent as Buffer (${name})`,
    async (t, eio) => {
      let heard;
      await sendTo(t, eio, transport, buffer, (client) => {
        client.binaryType = "arraybuffer";
        heard = once(client, "message");
      });
      const [data] = await heard;
      assert.ok(data instanceof ArrayBuffer, `it is ${data?.constructor?.name}`);
      assert.deepEqual(new Int8Array(data), int8);
    },
  );
}
