// Sessions that are abandoned, in each state, are gone after their deadline: the server knows their sids no more.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { normalClientWorks } from "./support/client.mjs";
import { until } from "./support/deadline.mjs";
import { Connection, Polling, head, isKnown } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";
import { WebSocket, frame, TEXT } from "./support/websocket.mjs";

const PING_INTERVAL = 600;
const PING_TIMEOUT = 500;
const UPGRADE_TIMEOUT = 400;
/** When a silent session is over, in either revision (milliseconds after its handshake). */
const DEADLINE = PING_INTERVAL + PING_TIMEOUT;
/** What a loaded machine may add. */
const SLACK = 2500;

let server;
before(async () => {
  server = await startServer(["--ping-interval", PING_INTERVAL, "--ping-timeout", PING_TIMEOUT, "--upgrade-timeout", UPGRADE_TIMEOUT]);
});
after(() => server?.stop());

/** The session lives until about `deadline` milliseconds after `began` and is gone soon after. */
async function goesAtItsDeadline(session, began, deadline = DEADLINE) {
  assert.equal(await isKnown(session), true, "it lives at first");
  await until(async () => !(await isKnown(session)), deadline + SLACK, "the session is gone");
  const took = performance.now() - began;
  assert.ok(took > deadline - 150, `gone after ${took} ms, due at ${deadline}`);
  const answer = await session.poll();
  assert.deepEqual([answer.status, answer.json().code], [400, 1]);
}

async function begin(eio) {
  const began = performance.now();
  return { began, session: await Polling.open(server.port, eio) };
}

const upgrade = (session) => WebSocket.open(server.port, { EIO: session.eio, sid: session.sid });

for (const eio of [4, 3]) {
  const name = (text) => `EIO ${eio}: ${text}`;
  // Each waits for a deadline and needs no processor: together they take as long as one.
  test(name("abandoned in each state"), { concurrency: true }, async (t) => {
    const states = {
      "never polled": async () => {
        const { began, session } = await begin(eio);
        await goesAtItsDeadline(session, began);
      },
      "never polled, with messages waiting": async () => {
        const { began, session } = await begin(eio);
        await session.send("x", "y");
        await goesAtItsDeadline(session, began);
      },
      "polled once, then silent": async () => {
        const { began, session } = await begin(eio);
        await session.echoes("a");
        await goesAtItsDeadline(session, began);
      },
      "poll parked, its pings never answered: the poll is answered": async () => {
        const { session } = await begin(eio);
        const poll = await session.park();
        const answer = await poll.response("the parked poll", DEADLINE + SLACK);
        assert.equal(answer.status, 200);
        poll.destroy();
        await until(async () => !(await isKnown(session)), DEADLINE + SLACK, "the session is gone");
      },
      "poll cut (FIN)": async () => {
        const { session } = await begin(eio);
        const poll = await session.park();
        assert.equal(await isKnown(session), true);
        poll.finish();
        await until(async () => !(await isKnown(session)), DEADLINE + SLACK, "the session is gone");
        poll.destroy();
      },
      "poll cut (RST)": async () => {
        const { session } = await begin(eio);
        const poll = await session.park();
        assert.equal(await isKnown(session), true);
        poll.reset();
        await until(async () => !(await isKnown(session)), DEADLINE + SLACK, "the session is gone");
      },
      "POST never finished": async () => {
        const { session } = await begin(eio);
        const post = await Connection.open(server.port);
        await post.write(head({ method: "POST", params: session.params(), headers: { "Content-Length": 100 } }));
        await post.write("4x");
        await until(async () => !(await isKnown(session)), DEADLINE + SLACK, "the session is gone");
        await Promise.race([post.response("the POST").catch(() => {}), post.closed()]);
        post.destroy();
      },
      "half-made upgrade, before the probe": async () => {
        const { began, session } = await begin(eio);
        const websocket = await upgrade(session);
        await websocket.closing(UPGRADE_TIMEOUT + SLACK);
        await goesAtItsDeadline(session, began);
        websocket.destroy();
      },
      "half-made upgrade, after the probe": async () => {
        const { began, session } = await begin(eio);
        const websocket = await upgrade(session);
        websocket.send("2probe");
        assert.equal(await websocket.text(), "3probe");
        await websocket.closing(UPGRADE_TIMEOUT + SLACK);
        await goesAtItsDeadline(session, began);
        websocket.destroy();
      },
      "half-made upgrade, its WebSocket reset": async () => {
        const { began, session } = await begin(eio);
        const websocket = await upgrade(session);
        websocket.send("2probe");
        await websocket.text();
        websocket.connection.reset();
        await goesAtItsDeadline(session, began);
      },
      "half-made upgrade, within its handshake": async () => {
        const { began, session } = await begin(eio);
        const half = await Connection.open(server.port);
        await half.write(`GET /engine.io/?EIO=${eio}&transport=websocket&sid=${session.sid} HTTP/1.1\r\nHost: x\r\nUpgrade: web`);
        await goesAtItsDeadline(session, began);
        half.destroy();
      },
      "upgraded, then silent": async () => {
        const { session } = await begin(eio);
        const websocket = await upgrade(session);
        websocket.send("2probe");
        await websocket.text();
        websocket.send("5");
        await websocket.echoes("a");
        await websocket.ended(DEADLINE + SLACK);
        assert.equal(await isKnown(session), false);
        websocket.destroy();
      },
      "WebSocket, silent from the start": async () => {
        const websocket = await WebSocket.open(server.port, { EIO: eio });
        assert.equal(await isKnown(websocket), true);
        await websocket.ended(DEADLINE + SLACK);
        await until(async () => !(await isKnown(websocket)), 1000, "the session is gone");
        websocket.destroy();
      },
      "WebSocket, stopped within a frame": async () => {
        const websocket = await WebSocket.open(server.port, { EIO: eio });
        await websocket.connection.write(frame(TEXT, "4hello world").subarray(0, 9));
        await websocket.closing(DEADLINE + SLACK);
        await until(async () => !(await isKnown(websocket)), 1000, "the session is gone");
        websocket.destroy();
      },
      "WebSocket that never answers the close frame": async () => {
        const websocket = await WebSocket.open(server.port, { EIO: eio });
        websocket.send("4!close");
        await websocket.closing();
        await until(async () => !(await isKnown(websocket)), 1000, "the session is gone");
        websocket.destroy();
      },
    };
    await Promise.all(Object.entries(states).map(([state, run]) => t.test(state, run)));
    await normalClientWorks(server, eio);
  });

  test(name("a session that answers its heartbeat outlives several deadlines"), async () => {
    const { began, session } = await begin(eio);
    let beats = 0;
    while (performance.now() - began < 3 * DEADLINE) {
      if (eio === 3) {
        await session.post("1:2");
        assert.match((await session.poll()).body, /1:3/);
        beats += 1;
        await new Promise((resolve) => setTimeout(resolve, PING_INTERVAL / 2));
        continue;
      }
      const answer = await session.poll();
      assert.equal(answer.body, "2");
      beats += 1;
      assert.equal((await session.post("3")).status, 200);
    }
    assert.ok(beats >= 3, `${beats} beats`);
    await session.echoes("alive");
  });
}

test("300 handshakes that never poll are all gone after their deadline", async () => {
  const sessions = [];
  for (let at = 0; at < 300; at += 20) {
    sessions.push(...(await Promise.all(Array.from({ length: 20 }, (_, more) => Polling.open(server.port, (at + more) % 2 ? 3 : 4)))));
  }
  await until(
    async () => {
      for (let at = sessions.length - 1; at >= 0; at--) {
        if (await isKnown(sessions[at])) return false;
        sessions.pop();
      }
      return true;
    },
    DEADLINE + 10000,
    "all are gone",
  );
  await normalClientWorks(server);
});
