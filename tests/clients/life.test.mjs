// How sessions end and stay alive: close from either side, heartbeats over several intervals, and ping timeouts.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CLIENTS, Client, MODES, PAIRS } from "./support/client.mjs";
import { PollingSession, RawSocket, untilGone } from "./support/http.mjs";
import { echoServer } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

describe("close", () => {
  const server = echoServer({ before, after });

  for (const pair of PAIRS) {
    const open = () => Client.open(pair.client, pair.mode, server.url);
    const gone = (sid) => untilGone(server, pair.client.eio, sid);

    it(`${pair.name}: !close closes from the server's side`, async () => {
      const client = await open();
      const { sid } = client;
      client.send("!close");
      assert.equal(await within(client.closed, "close"), "transport close");
      assert.equal(client.inbox.size, 0);
      await gone(sid);
    });

    it(`${pair.name}: !bye sends three messages and closes, and all three arrive`, async () => {
      const client = await open();
      const { sid } = client;
      client.send("before");
      client.send("!bye");
      assert.deepEqual(await client.inbox.takeMany(4), ["before", "bye-1", "bye-2", "bye-3"]);
      assert.equal(await within(client.closed, "close"), "transport close");
      assert.equal(client.inbox.size, 0);
      await gone(sid);
    });

    it(`${pair.name}: close by the client ends the session on the server`, async () => {
      const client = await open();
      const { sid } = client;
      assert.equal(await client.close(), "forced close");
      await gone(sid);
    });

    it(`${pair.name}: what was sent just before the client's close is handled`, async () => {
      const [client, other] = await Promise.all([open(), open()]);
      const { sid } = client;
      client.send("b farewell");
      assert.equal(await client.close(), "forced close");
      assert.equal(await other.next("the farewell"), "b farewell");
      await gone(sid);
      await other.close();
    });
  }

  for (const kind of CLIENTS) {
    it(`${kind.name}: !bye sent while the upgrade goes on`, async () => {
      const client = new Client(kind, server.url, MODES[2].options);
      await client.when(client.opened, "open");
      const { sid } = client;
      client.send("before");
      client.send("!bye");
      assert.deepEqual(await client.inbox.takeMany(4), ["before", "bye-1", "bye-2", "bye-3"]);
      await within(client.closed, "close");
      await untilGone(server, kind.eio, sid);
    });

    it(`${kind.name}: closed by the client while the upgrade goes on`, async () => {
      const client = new Client(kind, server.url, MODES[2].options);
      await client.when(client.opened, "open");
      const { sid } = client;
      await client.close();
      await untilGone(server, kind.eio, sid);
    });
  }

  it("the connection of a WebSocket client that is cut ends its session", async () => {
    for (const eio of [4, 3]) {
      const socket = await RawSocket.open(server, eio);
      socket.ws.terminate();
      await untilGone(server, eio, socket.handshake.sid);
    }
  });
});

describe("heartbeat over several intervals", () => {
  // a wide timeout: whether a heartbeat is answered counts here, not how fast this machine is
  const server = echoServer({ before, after }, "--ping-interval", 150, "--ping-timeout", 5_000);

  for (const pair of PAIRS) {
    it(`${pair.name}: five heartbeats, and the session works on`, async () => {
      const client = await Client.open(pair.client, pair.mode, server.url);
      assert.equal(client.handshake.pingInterval, 150);
      assert.equal(client.handshake.pingTimeout, 5_000);
      // revision 4: the server's ping came; revision 3: the server's pong did
      const beat = pair.client.eio === 4 ? "ping" : "pong";
      for (let count = 0; count < 5; count += 1) await client.event(beat);
      assert.equal(await client.echo("alive"), "alive");
      await client.close();
    });
  }

  for (const pair of PAIRS) {
    it(`${pair.name}: messages pass between the heartbeats`, async () => {
      const client = await Client.open(pair.client, pair.mode, server.url);
      let beats = 0;
      client.socket.on("pong", () => (beats += 1));
      for (let count = 0; beats < 3; count += 1) {
        assert.equal(await client.echo(`${count}`), `${count}`);
        await client.when(new Promise(setImmediate), "the next turn");
      }
      await client.close();
    });
  }
});

describe("ping timeout", () => {
  const [INTERVAL, TIMEOUT] = [200, 150];
  const server = echoServer({ before, after }, "--ping-interval", INTERVAL, "--ping-timeout", TIMEOUT);

  /** Makes a real client deaf: it neither answers nor sends heartbeats, nor does it give up by itself. */
  function mute(client) {
    const { socket } = client;
    if (client.kind.eio === 4) {
      assert.equal(typeof socket._sendPacket, "function");
      const send = socket._sendPacket.bind(socket);
      socket._sendPacket = (type, ...rest) => (type === "pong" ? undefined : send(type, ...rest));
      socket._resetPingTimeout = () => {};
    } else {
      assert.equal(typeof socket.setPing, "function");
      socket.setPing = () => {};
      socket.onHeartbeat = () => {};
    }
  }

  for (const pair of PAIRS) {
    it(`${pair.name}: a client that does not answer is dropped, and not too early`, async () => {
      const client = new Client(pair.client, server.url, pair.mode.options);
      mute(client);
      const start = performance.now();
      await client.when(client.opened, "open");
      const { sid } = client;
      await within(client.closed, "close");
      const took = performance.now() - start;
      // what a client sends is life for the server: the clock may start as late as the last packet of the upgrade
      assert.ok(took >= INTERVAL + TIMEOUT - 20, `closed after ${took} ms`);
      await untilGone(server, pair.client.eio, sid);
    });
  }

  for (const eio of [4, 3]) {
    it(`EIO ${eio}, polling: a client that never polls is forgotten`, async () => {
      const start = performance.now();
      const session = await PollingSession.open(server, eio);
      await untilGone(server, eio, session.sid);
      const took = performance.now() - start;
      assert.ok(took >= INTERVAL + TIMEOUT - 20, `forgotten after ${took} ms`);
      assert.deepEqual((await session.poll()).json(), { code: 1, message: "Session ID unknown" });
    });

    it(`EIO ${eio}, websocket: a client that says nothing is closed`, async () => {
      const start = performance.now();
      const socket = await RawSocket.open(server, eio);
      await socket.end();
      const took = performance.now() - start;
      assert.ok(took >= INTERVAL + TIMEOUT - 20, `closed after ${took} ms`);
      await untilGone(server, eio, socket.handshake.sid);
    });
  }

  it("clients that do answer stay", async () => {
    const clients = await Promise.all(PAIRS.map((pair) => Client.open(pair.client, pair.mode, server.url)));
    await Promise.all(clients.map(async (client) => {
      for (let count = 0; count < 4; count += 1) await client.event("pong");
      assert.equal(await client.echo("alive"), "alive");
      await client.close();
    }));
  });
});
