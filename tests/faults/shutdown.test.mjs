// The orderly way down: on Ctrl-C or SIGTERM every parked poll and every WebSocket sees its end, and the process ends with 0.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, event } from "./support/client.mjs";
import { until, within } from "./support/deadline.mjs";
import { Connection, Polling, decode, isKnown } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";
import { CLOSE, WebSocket } from "./support/websocket.mjs";

const PEERS = 100;
const WITHIN_MS = 2000;
// Signals race with the start of the server: tried so often.
const STARTS = 10;

/** A session with a parked poll that the server has taken in. */
async function parked(port, eio) {
  const session = await Polling.open(port, eio);
  const poll = await session.park();
  return { session, poll };
}

/** Every connection has been answered or read, so that the signal finds what it is about. */
async function settled(peers) {
  await Promise.all(peers.map(async ({ session }) => assert.equal((await session.post(session.eio === 4 ? "6" : "1:6")).status, 200)));
}

const direct = (port) => WebSocket.open(port, { EIO: 4 });

/** A session that has moved to its WebSocket. */
async function upgraded(port) {
  const { sid } = await Polling.open(port, 4);
  const websocket = await WebSocket.open(port, { EIO: 4, sid });
  websocket.send("2probe");
  assert.equal(await websocket.text(), "3probe");
  websocket.send("5");
  return websocket;
}

/** Keeps eight numbered messages in flight. `end` gives the code of the server's close frame. */
function flow(websocket) {
  let [sent, heard] = [0, 0];
  const run = async () => {
    while (sent < 8) websocket.send(`4${sent++}`);
    for (;;) {
      const { opcode, payload } = await websocket.next("an echo or the end");
      if (opcode === CLOSE) {
        websocket.frame(CLOSE, payload);
        await websocket.connection.closed();
        return payload.readUInt16BE(0);
      }
      assert.equal(payload.toString(), `4${heard++}`);
      websocket.send(`4${sent++}`);
    }
  };
  const end = run();
  end.catch(() => {});
  return { end, heard: () => heard };
}

for (const [signal, ...flags] of [["SIGINT"], ["SIGTERM"], ["SIGTERM", "--own-listener"]]) {
  const name = [signal, ...flags].join(" ");
  test(`${name} with ${PEERS} parked polls and ${PEERS} WebSockets: each sees its end, exit code 0 within 2 s`, { timeout: 30000 }, async () => {
    const server = await startServer(flags);
    const websockets = [];
    const polls = [];
    try {
      for (let at = 0; at < PEERS; at++) {
        const eio = at % 4 === 3 ? 3 : 4;
        websockets.push(WebSocket.open(server.port, { EIO: eio }));
        polls.push(parked(server.port, eio));
        if (at % 10 === 9) await Promise.all([...websockets, ...polls]);
      }
      const sockets = await Promise.all(websockets);
      const peers = await Promise.all(polls);
      await Promise.all(sockets.map((websocket, at) => websocket.echoes(`w${at}`)));
      await settled(peers);

      const began = performance.now();
      server.signal(signal);
      const ends = Promise.all([
        ...peers.map(async ({ session, poll }) => {
          const answer = await poll.response("a parked poll at shutdown");
          poll.destroy();
          assert.equal(answer.status, 200);
          assert.equal(decode(session.eio, answer.body).at(-1), "1", "ends with a close packet");
        }),
        ...sockets.map(async (websocket) => {
          const { code } = await websocket.ended();
          websocket.destroy();
          assert.equal(code, 1001);
        }),
      ]);
      ends.catch(() => {});
      const end = await within(server.exited, WITHIN_MS + 3000, "the process ends");
      const took = performance.now() - began;
      await ends;
      assert.deepEqual(end, { code: 0, signal: null });
      assert.ok(took < WITHIN_MS, `exit after ${took} ms`);
      await assert.rejects(Connection.open(server.port), "nobody listens any more");
    } finally {
      await server.stop();
    }
  });

  test(`${name}: what was sent to a session that is not polling leaves with its next poll or WebSocket frame`, { timeout: 20000 }, async () => {
    const server = await startServer(flags);
    try {
      const websocket = await WebSocket.open(server.port, { EIO: 4 });
      for (let at = 0; at < 50; at++) websocket.send(`4m${at}`);
      assert.equal(await websocket.text(), "4m0");
      await until(() => websocket.connection.buffer.includes("4m49"), 3000, "all echoes are on their way");
      server.signal(signal);
      const { code, before } = await websocket.ended();
      assert.equal(code, 1001);
      assert.deepEqual(before, Array.from({ length: 49 }, (_, at) => `4m${at + 1}`));
      websocket.destroy();
      assert.deepEqual(await within(server.exited, WITHIN_MS, "the process ends"), { code: 0, signal: null });
    } finally {
      await server.stop();
    }
  });

  test(`${name} while messages flow on ${PEERS} WebSockets: echoes in order up to a close frame, exit code 0`, { timeout: 30000 }, async () => {
    const server = await startServer(["--workers", "2", ...flags]);
    const websockets = [];
    try {
      for (let at = 0; at < PEERS; at++) websockets.push(await (at % 2 ? upgraded : direct)(server.port));
      const flows = websockets.map(flow);
      await until(() => flows.every(({ heard }) => heard() > 20), 10000, "messages flow everywhere");
      server.signal(signal);
      const ends = await Promise.all(flows.map(({ end }) => end));
      assert.deepEqual(new Set(ends), new Set([1001]));
      assert.deepEqual(await within(server.exited, WITHIN_MS + 3000, "the process ends"), { code: 0, signal: null });
    } finally {
      for (const websocket of websockets) websocket.destroy();
      await server.stop();
    }
  });

  test(`${name} with nobody there, as soon as it says that it listens: exit code 0`, async () => {
    for (let at = 0; at < STARTS; at++) {
      const server = await startServer(flags);
      server.signal(signal);
      assert.deepEqual(await within(server.exited, WITHIN_MS, "the process ends").finally(server.stop), { code: 0, signal: null });
    }
  });

  test(`${name} with peers that do not play along: exit code 0 within 2 s`, { timeout: 20000 }, async () => {
    const server = await startServer(flags);
    const peers = [];
    try {
      const { session } = await parked(server.port, 4);
      assert.equal(await isKnown(session), true);
      // A half-made upgrade, a WebSocket that never answers a close, a POST without its end, an idle connection, half a head.
      const upgrade = await Polling.open(server.port, 4);
      const probe = await WebSocket.open(server.port, { EIO: 4, sid: upgrade.sid });
      probe.send("2probe");
      await probe.text();
      peers.push(probe.connection, (await WebSocket.open(server.port, { EIO: 4 })).connection);
      const post = await Connection.open(server.port);
      await post.write(`POST /engine.io/?EIO=4&transport=polling&sid=${upgrade.sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4x`);
      const half = await Connection.open(server.port);
      await half.write("GET /engine.io/?EIO=4");
      peers.push(post, half, await Connection.open(server.port));
      const began = performance.now();
      server.signal(signal);
      assert.deepEqual(await within(server.exited, WITHIN_MS + 3000, "the process ends"), { code: 0, signal: null });
      const took = performance.now() - began;
      assert.ok(took < WITHIN_MS, `exit after ${took} ms`);
    } finally {
      for (const peer of peers) peer.destroy();
      await server.stop();
    }
  });

  test(`${name}: real clients are told`, { timeout: 20000 }, async () => {
    const server = await startServer(flags);
    const clients = [];
    try {
      const closes = [];
      for (const [eio, transports] of [[4, ["polling"]], [4, ["websocket"]], [3, ["polling"]], [3, ["websocket"]]]) {
        const client = connect(server.port, eio, { transports });
        clients.push(client);
        await event(client, "open");
        const echo = event(client, "message");
        client.send("hello");
        await echo;
        client.on("error", () => {});
        closes.push(within(new Promise((resolve) => client.once("close", resolve)), 5000, `EIO ${eio} ${transports}: the client's close`));
      }
      server.signal(signal);
      await Promise.all(closes);
      assert.deepEqual(await within(server.exited, WITHIN_MS, "the process ends"), { code: 0, signal: null });
    } finally {
      for (const client of clients) client.close();
      await server.stop();
    }
  });
}
