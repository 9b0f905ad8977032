// Revision 3, packet by packet: the cases of the public protocol suite under its names, over real HTTP.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PollingSession, RawSocket, openPacket, request } from "./support/http.mjs";
import { echoServer } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const PING_INTERVAL = 300;
const PING_TIMEOUT = 200;
const MAX_PAYLOAD = 1_000_000;

function isHandshake(handshake, expected) {
  assert.equal(typeof handshake.sid, "string");
  assert.deepEqual(handshake.upgrades, expected);
  assert.equal(handshake.pingInterval, PING_INTERVAL);
  assert.equal(handshake.pingTimeout, PING_TIMEOUT);
  assert.ok([undefined, MAX_PAYLOAD].includes(handshake.maxPayload));
}

const status = async (...args) => (await request(...args)).status;

describe("Engine.IO protocol, revision 3", () => {
  const times = ["--ping-interval", PING_INTERVAL, "--ping-timeout", PING_TIMEOUT];
  // one worker: a request that was sent first is also read first
  const server = echoServer({ before, after }, "--workers", 1, "--max-payload", MAX_PAYLOAD, ...times);
  // the same without short heartbeats, where it must be seen that a packet closes the session and no timeout
  const patient = echoServer({ before, after }, "--workers", 1, "--max-payload", MAX_PAYLOAD);
  const openPolling = (query = { b64: 1 }) => PollingSession.open(server, 3, query);
  const openSocket = () => RawSocket.open(server, 3);

  /** A WebSocket that must not come to life: refused before the 101, or closed after it without a packet. */
  async function noSession(query) {
    const socket = new RawSocket(server, { ...query, transport: query.transport ?? "" });
    await within(Promise.race([socket.closed, socket.refused]), "a refusal or a close");
    assert.equal(socket.frames.size, 0);
  }

  describe("handshake", () => {
    describe("HTTP long-polling", () => {
      it("successfully opens a session", async () => {
        const response = await request(server, { EIO: 3, transport: "polling" });
        assert.equal(response.status, 200);
        const [, length, packet] = /^(\d+):(.*)$/s.exec(response.text);
        assert.equal(Number(length), packet.length);
        assert.equal(packet[0], "0");
        isHandshake(openPacket(response.text), ["websocket"]);
      });

      it("fails with an invalid 'transport' query parameter", async () => {
        assert.equal(await status(server, { EIO: 3 }), 400);
        assert.equal(await status(server, { EIO: 3, transport: "abc" }), 400);
      });

      it("fails with an invalid request method", async () => {
        const query = { EIO: 3, transport: "polling" };
        assert.equal(await status(server, query, { method: "POST" }), 400);
        assert.equal(await status(server, query, { method: "PUT" }), 400);
      });
    });

    describe("WebSocket", () => {
      it("successfully opens a session", async () => {
        const socket = await openSocket();
        isHandshake(socket.handshake, []);
        await socket.close();
      });

      it("fails with an invalid 'EIO' query parameter", async () => {
        await noSession({ transport: "websocket" });
        await noSession({ EIO: "abc", transport: "websocket" });
      });

      it("fails with an invalid 'transport' query parameter", async () => {
        await noSession({ EIO: 3 });
        await noSession({ EIO: 3, transport: "abc" });
      });
    });
  });

  describe("message", () => {
    describe("HTTP long-polling", () => {
      async function comesBack(payload, session) {
        const posted = await session.post(payload);
        assert.equal(posted.status, 200);
        assert.equal(posted.text, "ok");
        const polled = await session.poll();
        assert.equal(polled.status, 200);
        return polled;
      }

      it("sends and receives a payload containing one plain text packet", async () => {
        assert.equal((await comesBack("6:4hello", await openPolling())).text, "6:4hello");
      });

      it("sends and receives a payload containing several plain text packets", async () => {
        const payload = "6:4test16:4test26:4test3";
        assert.equal((await comesBack(payload, await openPolling())).text, payload);
      });

      it("sends and receives a payload containing plain text and binary packets (base64 encoded)", async () => {
        const payload = "6:4hello10:b4AQIDBA==";
        assert.equal((await comesBack(payload, await openPolling())).text, payload);
      });

      it("sends and receives a payload containing plain text and binary packets (binary)", async () => {
        const polled = await comesBack("6:4hello10:b4AQIDBA==", await openPolling({}));
        // per packet: 0 text or 1 binary, the digits of its length, 255, the packet
        const text = [0, 6, 255, ...Buffer.from("4hello")];
        const binary = [1, 5, 255, 4, 1, 2, 3, 4];
        assert.deepEqual([...polled.bytes], [...text, ...binary]);
      });

      it("closes the session upon invalid packet format", async () => {
        const session = await openPolling();
        assert.equal((await session.post("abc")).status, 400);
        assert.equal((await session.poll()).status, 400);
      });

      // the public suite leaves this one out
      it("closes the session upon duplicate poll requests", async () => {
        const session = await openPolling();
        // whichever comes second is the one too many
        const answers = await Promise.all([session.poll(), session.poll()]);
        const [parked, second] = answers.sort((a, b) => a.status - b.status);
        assert.equal(parked.status, 200);
        assert.equal(parked.text, "1:1");
        assert.equal(second.status, 400);
        assert.equal((await session.poll()).status, 400);
      });
    });

    describe("WebSocket", () => {
      it("sends and receives a plain text packet", async () => {
        const socket = await openSocket();
        socket.send("4hello");
        assert.equal(await socket.next(), "4hello");
        await socket.close();
      });

      it("sends and receives a binary packet", async () => {
        const socket = await openSocket();
        socket.send(Buffer.from([4, 1, 2, 3, 4]));
        assert.deepEqual(await socket.next(), Buffer.from([4, 1, 2, 3, 4]));
        await socket.close();
      });

      it("closes the session upon invalid packet format", async () => {
        const socket = await RawSocket.open(patient, 3);
        socket.send("abc");
        await socket.end();
      });
    });
  });

  describe("heartbeat", () => {
    describe("HTTP long-polling", () => {
      it("sends ping/pong packets", async () => {
        const session = await openPolling();
        for (let count = 0; count < 3; count += 1) {
          assert.equal((await session.post("1:2")).status, 200);
          const polled = await session.poll();
          assert.equal(polled.status, 200);
          assert.equal(polled.text, "1:3");
        }
      });

      it("closes the session upon ping timeout", async () => {
        const start = performance.now();
        const session = await openPolling();
        const bodies = await session.pollToTheEnd();
        const took = performance.now() - start;
        assert.ok(took >= PING_INTERVAL + PING_TIMEOUT - 20, `ended after ${took} ms`);
        assert.ok(bodies.every((body) => body === "1:1" || body === "1:6"), JSON.stringify(bodies));
        assert.equal((await session.post("1:2")).status, 400);
      });
    });

    describe("WebSocket", () => {
      it("sends ping/pong packets", async () => {
        const socket = await openSocket();
        for (let count = 0; count < 3; count += 1) {
          socket.send("2");
          assert.equal(await socket.next(), "3");
        }
        await socket.close();
      });

      it("closes the session upon ping timeout", async () => {
        const start = performance.now();
        const socket = await openSocket();
        await socket.end();
        const took = performance.now() - start;
        assert.ok(took >= PING_INTERVAL + PING_TIMEOUT - 20, `closed after ${took} ms`);
        assert.equal(socket.frames.size, 0, "in revision 3 it is the client that pings");
      });
    });
  });

  describe("close", () => {
    describe("HTTP long-polling", () => {
      it("forcefully closes the session", async () => {
        const session = await openPolling();
        const parked = await session.park();
        const posted = await session.post("1:1");
        const polled = await parked();
        assert.equal(polled.status, 200);
        assert.equal(polled.text, "1:6");
        assert.equal(posted.status, 200);
        assert.equal((await session.poll()).status, 400);
      });
    });

    describe("WebSocket", () => {
      it("forcefully closes the session", async () => {
        const socket = await RawSocket.open(patient, 3);
        socket.send("1");
        await socket.end();
      });
    });
  });

  describe("upgrade", () => {
    it("successfully upgrades from HTTP long-polling to WebSocket", async () => {
      const session = await openPolling();
      const socket = await RawSocket.join(session);
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      // a noop, so that the polling request ends in order
      const polled = await session.poll();
      assert.equal(polled.status, 200);
      assert.equal(polled.text, "1:6");
      socket.send("5");
      socket.send("4hello");
      assert.equal(await socket.next(), "4hello");
      await socket.close();
    });

    it("ignores HTTP requests with same sid after upgrade", async () => {
      const session = await openPolling();
      const socket = await RawSocket.join(session);
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      socket.send("5");
      socket.send("4first");
      assert.equal(await socket.next(), "4first");
      assert.equal((await session.poll()).status, 400);
      assert.equal((await session.post("5:4lost")).status, 400);
      socket.send("4hello");
      assert.equal(await socket.next(), "4hello");
      await socket.close();
    });

    it("ignores WebSocket connection with same sid after upgrade", async () => {
      const session = await openPolling();
      const socket = await RawSocket.join(session);
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      socket.send("5");
      socket.send("4first");
      assert.equal(await socket.next(), "4first");
      await noSession({ ...session.query, transport: "websocket" });
      socket.send("4hello");
      assert.equal(await socket.next(), "4hello");
      await socket.close();
    });
  });
});
