// Real clients of both revisions, on every way to travel: what goes out comes back the same, and in order.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CLIENTS, Client, MODES, PAIRS, SIZES, TEXTS, binary } from "./support/client.mjs";
import { PollingSession, RawSocket, request } from "./support/http.mjs";
import { echoServer } from "./support/server.mjs";

// base64 makes 900,000 bytes into 1,200,000: over the default limit of one request, so polling gets room
const ROOM = ["--max-payload", 2_000_000];

function roundTrips(pair, server, options) {
  let client;
  before(async () => { client = await Client.open(pair.client, pair.mode, server.url, options); });
  after(() => client?.close());

  for (const [name, text] of TEXTS) {
    it(`text: ${name}`, async () => assert.equal(await client.echo(text), text));
  }
  for (const size of SIZES) {
    it(`binary: ${size} bytes`, async () => {
      const data = binary(size);
      const back = await client.echo(data);
      assert.ok(Buffer.isBuffer(back), "binary comes back as binary");
      assert.ok(back.equals(data), `${back.length} bytes came back for ${size}`);
    });
  }
  it("text and binary mixed, in order", async () => {
    const sent = ["one", binary(3), "", binary(0), "zwölf", binary(70_000), "🦀"];
    for (const item of sent) client.send(item);
    assert.deepEqual(await client.inbox.takeMany(sent.length), sent);
  });
}

for (const pair of PAIRS) {
  describe(`${pair.name}: round trips`, () => roundTrips(pair, echoServer({ before, after }, ...ROOM), {}));
}

for (const pair of PAIRS) {
  describe(`${pair.name}, base64 forced: round trips`, () => {
    roundTrips(pair, echoServer({ before, after }, ...ROOM), { forceBase64: true });
  });
}

describe("echo --via-actor, in short", () => {
  const server = echoServer({ before, after }, "--via-actor");
  for (const pair of PAIRS) {
    it(pair.name, async () => {
      const client = await Client.open(pair.client, pair.mode, server.url);
      const sent = Array.from({ length: 100 }, (_, index) => (index % 10 === 0 ? binary(index) : `n${index} ü🦀`));
      for (const item of sent) client.send(item);
      assert.deepEqual(await client.inbox.takeMany(sent.length), sent);
      await client.close();
    });
  }
});

describe("base64 on the wire", () => {
  const server = echoServer({ before, after });
  const bytes = Buffer.from([1, 2, 3, 4]);

  it("EIO 4, websocket with b64=1: binary comes as a text frame", async () => {
    const socket = await RawSocket.open(server, 4, { b64: 1 });
    socket.send("bAQIDBA==");
    assert.equal(await socket.next(), "bAQIDBA==");
    await socket.close();
  });
  it("EIO 3, websocket with b64=1: binary comes as a text frame", async () => {
    const socket = await RawSocket.open(server, 3, { b64: 1 });
    socket.send("b4AQIDBA==");
    assert.equal(await socket.next(), "b4AQIDBA==");
    await socket.close();
  });
  it("EIO 3, polling with b64=1: binary comes in a text payload", async () => {
    const session = await PollingSession.open(server, 3, { b64: 1 });
    assert.equal((await session.post("10:b4AQIDBA==")).text, "ok");
    const answer = await session.poll();
    assert.equal(answer.text, "10:b4AQIDBA==");
    assert.match(answer.headers.get("content-type"), /^text\/plain; *charset=utf-8$/i);
  });
  it("EIO 3, polling: binary comes in a binary payload, and may go in one", async () => {
    const session = await PollingSession.open(server, 3);
    const payload = Buffer.from([1, 5, 255, 4, ...bytes]);
    const headers = { "content-type": "application/octet-stream" };
    assert.equal((await session.post(payload, { headers })).text, "ok");
    const answer = await session.poll();
    assert.deepEqual(answer.bytes, payload);
    assert.equal(answer.headers.get("content-type"), "application/octet-stream");
  });
});

describe("a text that begins with b", () => {
  const server = echoServer({ before, after });

  it("reaches every client once, its sender included, and in order", async () => {
    const clients = await Promise.all(PAIRS.map((pair) => Client.open(pair.client, pair.mode, server.url)));
    const texts = Array.from({ length: 20 }, (_, index) => `b${index} ü`);
    for (const text of texts) clients[0].send(text);
    for (const client of clients) assert.deepEqual(await client.inbox.takeMany(texts.length), texts);
    // whatever came twice would lie before the echo of a last word
    for (const client of clients) assert.equal(await client.echo("last"), "last");
    await Promise.all(clients.map((client) => client.close()));
  });

  it("and one from each client reaches all", async () => {
    const clients = await Promise.all(PAIRS.map((pair) => Client.open(pair.client, pair.mode, server.url)));
    const texts = clients.map((_, index) => `b from ${index}`);
    clients.forEach((client, index) => client.send(texts[index]));
    for (const client of clients) {
      assert.deepEqual((await client.inbox.takeMany(texts.length)).sort(), texts);
      assert.equal(await client.echo("last"), "last");
    }
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe("what the clients meet is what the matrix says", () => {
  const server = echoServer({ before, after });

  for (const kind of CLIENTS) {
    it(`${kind.name} speaks EIO ${kind.eio}, upgrades once, and keeps its sid`, async () => {
      const client = new Client(kind, server.url, MODES[2].options);
      await client.when(client.opened, "open");
      const { sid } = client;
      assert.equal(client.transport, "polling");
      assert.deepEqual(client.handshake.upgrades, ["websocket"]);
      await client.when(client.upgraded, "upgrade");
      assert.equal(client.transport, "websocket");
      assert.equal(client.socket.id, sid);
      const { status, json } = await request(server, { EIO: kind.eio, transport: "polling", sid });
      assert.equal(status, 400);
      assert.equal(json().code, 3, "the session is on its WebSocket");
      assert.equal(await client.echo("still here"), "still here");
      await client.close();
    });
  }
});

describe("subprotocols", () => {
  const server = echoServer({ before, after });

  // engine.io-client 3 offers them in browsers only
  for (const pair of PAIRS.filter(({ client, mode }) => client.eio === 4 && mode.arrived === "websocket")) {
    it(`${pair.name}: the first that is offered is agreed on`, async () => {
      const client = await Client.open(pair.client, pair.mode, server.url, { protocols: ["one", "two"] });
      assert.equal(client.socket.transport.ws.protocol, "one");
      assert.equal(await client.echo("agreed"), "agreed");
      await client.close();
    });
  }
});
