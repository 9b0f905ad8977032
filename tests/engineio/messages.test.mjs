// engine.io's "messages", the text ones: what one side sends arrives at the other, whole and in order.

import assert from "node:assert/strict";
import http from "node:http";
import { connect, message, open } from "./support/client.mjs";
import { ONLY, both } from "./support/both.mjs";
import { listen } from "./support/server.mjs";
import { once, within } from "./support/wait.mjs";

const polling = { allowUpgrades: false, transports: ["polling"] };
const websocket = { allowUpgrades: false, transports: ["websocket"] };
const LONG = "aasdasdakjhasdkjhasdkjhasdkjhasdkjhasdkjhasdkjha";

/** The client's messages and both sides' ends, once a session that the server closes is over. */
async function ended(server, client) {
  const [closed, close] = await Promise.all([
    within(client.closed, "the client's close"),
    server.waitFor("close"),
  ]);
  return { messages: client.messages, closed, close };
}

both("messages: should arrive from server to client", async (t, eio) => {
  const server = await listen(t, {
    config: { allowUpgrades: false },
    script: { connection: [{ do: "send", text: "a" }] },
  });
  const client = await open(t, server, { eio });
  assert.equal(await message(client), "a");
});

both("messages: should arrive from server to client (ws)", async (t, eio) => {
  const server = await listen(t, { config: websocket, script: { connection: [{ do: "send", text: "a" }] } });
  const client = await open(t, server, { eio, ...ONLY.websocket });
  assert.equal(await message(client), "a");
});

for (const [name, config, options] of [
  ["multiple", { allowUpgrades: false }, {}],
  ["multiple, ws", websocket, ONLY.websocket],
]) {
  both(`messages: should arrive from server to client (${name})`, async (t, eio) => {
    const server = await listen(t, {
      config,
      script: {
        connection: [{ do: "send", text: "a" }],
        // a message and the close packet lie in the buffer together
        message: [{ do: "send", text: "c" }, { do: "close" }],
      },
    });
    const client = await open(t, server, { eio, ...options });
    assert.equal(await message(client), "a");
    const { id } = await server.waitFor("connection");
    server.send({ do: "send", id, text: "b" });
    assert.equal(await message(client), "b");
    client.send("the rest");
    const { messages, close } = await ended(server, client);
    assert.deepEqual(messages, ["a", "b", "c"]);
    assert.equal(close.reason, "forced close");
  });
}

both("messages: should arrive from server to client (multiple, no delay, ws)", async (t, eio) => {
  const texts = ["a", "b", "c"];
  const connection = [...texts.map((text) => ({ do: "send", text })), { do: "close" }];
  const server = await listen(t, { config: websocket, script: { connection } });
  const client = connect(t, server, { eio, ...ONLY.websocket });
  const { messages, close } = await ended(server, client);
  assert.deepEqual(messages, texts);
  assert.equal(close.reason, "forced close");
});

both(
  "messages: should not be receiving data when getting a message longer than maxHttpBufferSize when polling",
  async (t, eio) => {
    const server = await listen(t, { config: { ...polling, maxHttpBufferSize: 5 } });
    const client = await open(t, server, { eio });
    client.send(LONG);
    const { closed } = await ended(server, client);
    // the poll that was parked brings a close packet, the POST its 413: which of them is the client's first is open
    assert.match(closed.reason, /^transport (close|error)$/);
    assert.deepEqual(server.events("message"), []);
  },
);

both(
  "messages: should not be receiving data when getting a message longer than maxHttpBufferSize (websocket)",
  async (t, eio) => {
    const server = await listen(t, { config: { maxHttpBufferSize: 5 } });
    const client = connect(t, server, { eio, ...ONLY.websocket });
    await within(client.opened, "the client's open");
    const code = once(client.transport.ws, "close").then(([event]) => event?.code ?? event);
    client.send(LONG);
    const { closed } = await ended(server, client);
    assert.equal(closed.reason, "transport close");
    assert.equal(await code, 1009);
    assert.deepEqual(server.events("message"), []);
  },
);

both(
  "messages: should receive data when getting a message shorter than maxHttpBufferSize when polling",
  async (t, eio) => {
    const server = await listen(t, { config: { ...polling, maxHttpBufferSize: 5 } });
    const client = await open(t, server, { eio });
    client.send("a");
    await server.waitFor("message", { text: "a" });
  },
);

both("messages: should arrive when content is split in multiple chunks (polling)", async (t, eio) => {
  const server = await listen(t, { config: { maxHttpBufferSize: 1e10 } });
  const client = await open(t, server, { eio, ...ONLY.polling });
  const text = "a".repeat(1e6);
  client.send(text);
  const heard = await server.waitFor("message");
  assert.ok(heard.text === text, `the million characters came as ${heard.text?.length}`);
});

both("messages: should arrive when content is sent with chunked transfer-encoding (polling)", async (t, eio) => {
  const server = await listen(t);
  const client = await open(t, server, { eio, ...ONLY.polling });
  const query = new URLSearchParams({ EIO: eio, transport: "polling", sid: client.id });
  const post = http.request(`${server.url}/engine.io/?${query}`, { method: "POST", agent: false });
  const answer = once(post, "response");
  for (const piece of [eio === 3 ? "4:41" : "41", "2", "3"]) {
    await within(new Promise((sent) => post.write(piece, sent)), "a chunk's departure");
  }
  post.end();
  const [response] = await answer;
  assert.equal(response.statusCode, 200);
  assert.equal((await response.toArray()).join(""), "ok");
  await server.waitFor("message", { text: "123" });
});

both("messages: should trigger a flush/drain event", async (t, eio) => {
  const server = await listen(t, {
    config: { allowUpgrades: false },
    events: ["flush", "drain"],
    script: { connection: [{ do: "send", text: "aaaa" }] },
  });
  connect(t, server, { eio });
  const { id } = await server.waitFor("drain");
  const { clients } = await server.stats();
  assert.equal(clients[0].id, id);
  assert.equal(clients[0].bufferedBytes, 0);
  // every packet is flushed once, and drain is told when nothing is left: not behind the handshake's answer, which
  // does not take "aaaa" along
  const told = server.events().filter(({ event }) => event === "flush" || event === "drain");
  const names = told.flatMap(({ packets }) => packets?.map(({ type }) => type) ?? "drain");
  assert.deepEqual(names, ["open", "message", "drain"]);
});

both("messages: should interleave with pongs if many messages buffered after connection open", async (t, eio) => {
  const server = await listen(t, {
    // engine.io's case has 100 ms for a pong; a busy machine takes longer, and that is not what is asked here
    config: { transports: ["websocket"], pingInterval: 200, pingTimeout: 5000 },
    events: ["heartbeat"],
  });
  const client = await open(t, server, { eio, ...ONLY.websocket });
  const { id } = await server.waitFor("connection");
  const text = "a".repeat(256 * 256 - 1);
  for (let number = 0; number < 100; number++) {
    server.send({ do: "send", id, text: `${text}|message: ${number}` });
  }
  for (let number = 0; number < 100; number++) {
    const heard = await message(client);
    assert.ok(heard === `${text}|message: ${number}`, `message ${number} came as ${heard.slice(-20)}`);
  }
  // the burst has cost nobody the heartbeat
  const first = await server.waitFor("heartbeat", { id });
  await server.waitFor("heartbeat", { id }, { after: first });
  assert.equal(client.readyState, "open");
});

both("messages: should support chinese", async (t, eio) => {
  const poem = [".", "石室詩士施氏，嗜獅，誓食十獅。", "氏時時適市視獅。"];
  const server = await listen(t, {
    config: { allowUpgrades: false },
    script: { connection: poem.map((text) => ({ do: "send", text })) },
  });
  const client = await open(t, server, { eio });
  for (const line of poem) assert.equal(await message(client), line);
  for (const line of poem) client.send(line);
  await server.waitFor("message", { text: poem[2] });
  assert.deepEqual(server.events("message").map(({ text }) => text), poem);
});
