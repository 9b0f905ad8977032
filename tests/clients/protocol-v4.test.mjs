// Revision 4, packet by packet: the cases of the public protocol suite under its names, over real HTTP.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PollingSession, RS, RawSocket, openPacket, request } from "./support/http.mjs";
import { echoServer } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const PING_INTERVAL = 300;
const PING_TIMEOUT = 200;
const MAX_PAYLOAD = 1_000_000;
// one worker: a request that was sent first is also read first
const FLAGS = ["--workers", 1, "--max-payload", MAX_PAYLOAD];
const TIMES = ["--ping-interval", PING_INTERVAL, "--ping-timeout", PING_TIMEOUT];

function isHandshake(handshake, upgrades) {
  const { sid, ...rest } = handshake;
  assert.equal(typeof sid, "string");
  const times = { pingInterval: PING_INTERVAL, pingTimeout: PING_TIMEOUT };
  assert.deepEqual(rest, { upgrades, ...times, maxPayload: MAX_PAYLOAD });
}

const status = async (...args) => (await request(...args)).status;

for (const [title, flags] of [["EIO 3 on", []], ["EIO 3 off", ["--no-eio3"]]]) {
  describe(`Engine.IO protocol, revision 4 (${title})`, () => {
    const server = echoServer({ before, after }, ...FLAGS, ...TIMES, ...flags);
    // the same without short heartbeats, where it must be seen that a packet closes the session and no timeout
    const patient = echoServer({ before, after }, ...FLAGS, ...flags);
    const openPolling = () => PollingSession.open(server, 4);
    const openSocket = () => RawSocket.open(server, 4);

    /** A WebSocket that must not come to life: refused before the 101, or closed after it without a packet. */
    async function noSession(query) {
      const socket = new RawSocket(server, { ...query, transport: query.transport ?? "" });
      await within(Promise.race([socket.closed, socket.refused]), "a refusal or a close");
      assert.equal(socket.frames.size, 0);
    }

    describe("handshake", () => {
      describe("HTTP long-polling", () => {
        it("successfully opens a session", async () => {
          const response = await request(server, { EIO: 4, transport: "polling" });
          assert.equal(response.status, 200);
          assert.equal(response.text[0], "0");
          isHandshake(openPacket(response.text), ["websocket"]);
        });

        it("fails with an invalid 'EIO' query parameter", async () => {
          assert.equal(await status(server, { transport: "polling" }), 400);
          assert.equal(await status(server, { EIO: "abc", transport: "polling" }), 400);
        });

        it("fails with an invalid 'transport' query parameter", async () => {
          assert.equal(await status(server, { EIO: 4 }), 400);
          assert.equal(await status(server, { EIO: 4, transport: "abc" }), 400);
        });

        it("fails with an invalid request method", async () => {
          const query = { EIO: 4, transport: "polling" };
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
          await noSession({ EIO: 4 });
          await noSession({ EIO: 4, transport: "abc" });
        });
      });
    });

    describe("message", () => {
      describe("HTTP long-polling", () => {
        async function comesBack(payload) {
          const session = await openPolling();
          const posted = await session.post(payload);
          assert.equal(posted.status, 200);
          assert.equal(posted.text, "ok");
          const polled = await session.poll();
          assert.equal(polled.status, 200);
          assert.equal(polled.text, payload);
        }

        it("sends and receives a payload containing one plain text packet", () => comesBack("4hello"));

        it("sends and receives a payload containing several plain text packets", () =>
          comesBack(["4test1", "4test2", "4test3"].join(RS)));

        it("sends and receives a payload containing plain text and binary packets", () =>
          comesBack(["4hello", "bAQIDBA=="].join(RS)));

        it("closes the session upon invalid packet format", async () => {
          const session = await openPolling();
          assert.equal((await session.post("abc")).status, 400);
          assert.equal((await session.poll()).status, 400);
        });

        it("closes the session upon duplicate poll requests", async () => {
          const session = await openPolling();
          // whichever comes second is the one too many
          const answers = await Promise.all([session.poll(), session.poll()]);
          const [parked, second] = answers.sort((a, b) => a.status - b.status);
          assert.equal(parked.status, 200);
          assert.equal(parked.text, "1");
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
          socket.send(Buffer.from([1, 2, 3, 4]));
          assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3, 4]));
          await socket.close();
        });

        it("closes the session upon invalid packet format", async () => {
          const socket = await RawSocket.open(patient, 4);
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
            const start = performance.now();
            const polled = await session.poll();
            assert.equal(polled.status, 200);
            assert.equal(polled.text, "2");
            assert.ok(performance.now() - start > PING_INTERVAL / 2, "no ping before its time");
            assert.equal((await session.post("3")).status, 200);
          }
        });

        it("closes the session upon ping timeout", async () => {
          const start = performance.now();
          const session = await openPolling();
          const bodies = await session.pollToTheEnd();
          const took = performance.now() - start;
          assert.ok(took >= PING_INTERVAL + PING_TIMEOUT - 20, `ended after ${took} ms`);
          assert.equal(bodies[0], "2");
          assert.ok(bodies.slice(1).every((body) => body === "1" || body === "6"), JSON.stringify(bodies));
        });
      });

      describe("WebSocket", () => {
        it("sends ping/pong packets", async () => {
          const socket = await openSocket();
          for (let count = 0; count < 3; count += 1) {
            assert.equal(await socket.next(), "2");
            socket.send("3");
          }
          await socket.close();
        });

        it("closes the session upon ping timeout", async () => {
          const start = performance.now();
          const socket = await openSocket();
          assert.equal(await socket.next(), "2");
          await socket.end();
          const took = performance.now() - start;
          assert.ok(took >= PING_INTERVAL + PING_TIMEOUT - 20, `closed after ${took} ms`);
        });
      });
    });

    describe("close", () => {
      describe("HTTP long-polling", () => {
        it("forcefully closes the session", async () => {
          const session = await openPolling();
          const parked = await session.park();
          const posted = await session.post("1");
          const polled = await parked();
          assert.equal(polled.status, 200);
          assert.equal(polled.text, "6");
          assert.equal(posted.status, 200);
          assert.equal((await session.poll()).status, 400);
        });
      });

      describe("WebSocket", () => {
        it("forcefully closes the session", async () => {
          const socket = await RawSocket.open(patient, 4);
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
        assert.equal(polled.text, "6");
        socket.send("5");
        socket.send("4hello");
        assert.equal(await socket.next(), "4hello");
        await socket.close();
      });

      it("ignores HTTP requests with same sid after upgrade", async () => {
        const session = await openPolling();
        const socket = await RawSocket.join(session);
        // no waiting for "3probe": both packets lie in the server's first read
        socket.send("2probe");
        socket.send("5");
        socket.send("4first");
        assert.equal(await socket.next(), "3probe");
        assert.equal(await socket.next(), "4first");
        assert.equal((await session.poll()).status, 400);
        assert.equal((await session.post("4lost")).status, 400);
        socket.send("4hello");
        assert.equal(await socket.next(), "4hello");
        await socket.close();
      });

      it("ignores WebSocket connection with same sid after upgrade", async () => {
        const session = await openPolling();
        const socket = await RawSocket.join(session);
        socket.send("2probe");
        socket.send("5");
        socket.send("4first");
        assert.equal(await socket.next(), "3probe");
        assert.equal(await socket.next(), "4first");
        await noSession({ ...session.query, transport: "websocket" });
        socket.send("4hello");
        assert.equal(await socket.next(), "4hello");
        await socket.close();
      });
    });
  });
}
