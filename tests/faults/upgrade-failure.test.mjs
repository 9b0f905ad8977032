// A failed upgrade leaves the polling session working with nothing lost: every way to fail, by hand-written bytes.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { normalClientWorks } from "./support/client.mjs";
import { until } from "./support/deadline.mjs";
import { Connection, Polling, decode, head, isKnown, request } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";
import { CLOSE, TEXT, WebSocket, closeBody, frame, upgradeHeaders } from "./support/websocket.mjs";

const UPGRADE_TIMEOUT = 1000;

let server;
let patient;
before(async () => {
  server = await startServer(["--upgrade-timeout", UPGRADE_TIMEOUT]);
  patient = await startServer();
});
after(async () => {
  await server?.stop();
  await patient?.stop();
});

/** A WebSocket for a session, its probe answered. */
async function probed(session) {
  const websocket = await WebSocket.open(session.port, { EIO: session.eio, sid: session.sid });
  websocket.send("2probe");
  assert.equal(await websocket.text("the probe's answer"), "3probe");
  return websocket;
}

/** The WebSocket is not let in, or closed at its probe at the latest. */
async function turnedAway(port, params) {
  const websocket = await WebSocket.request(port, params);
  if (websocket.response.status === 101) {
    websocket.send("2probe");
    assert.deepEqual((await websocket.ended()).before, [], "no answer to its probe");
  } else assert.equal(websocket.response.status, 400);
  websocket.destroy();
}

/** After a failed upgrade: nothing lost, and a second upgrade succeeds. */
async function goesOn(session, owed = []) {
  if (owed.length) assert.deepEqual(await session.receive(owed.length), owed);
  await session.echoes("on-1", "on-2");
  // The server may still be learning that the first WebSocket is gone: until then a second attempt is rightly refused.
  const websocket = await until(() => probed(session), 2000, "a second upgrade");
  await session.send("kept");
  websocket.send("5");
  assert.equal(await websocket.text("what no poll has taken"), "4kept");
  await websocket.echoes("swapped");
  websocket.destroy();
}

/** Many tests wait for the end of a connection: they do so side by side. */
const TOGETHER = { concurrency: 8 };

for (const eio of [4, 3]) describe(`EIO ${eio}`, TOGETHER, () => {
  const open = (on = server) => Polling.open(on.port, eio);
  afterEach(() => normalClientWorks(server, eio));

  for (const how of ["fin", "reset", "close frame"]) {
    const drop = (websocket) => {
      if (how === "reset") websocket.connection.reset();
      else if (how === "fin") websocket.connection.finish();
      else websocket.frame(CLOSE, closeBody(1000));
      return how === "reset" ? null : websocket.connection.closed().then(() => websocket.destroy());
    };

    test(`a WebSocket dropped before the probe (${how})`, async () => {
      const session = await open();
      await session.send("0", "1");
      const websocket = await WebSocket.open(server.port, { EIO: eio, sid: session.sid });
      await session.send("2");
      await drop(websocket);
      await goesOn(session, ["0", "1", "2"]);
    });

    test(`a WebSocket dropped after the probe (${how})`, async () => {
      const session = await open();
      const websocket = await probed(session);
      await session.send("0", "1", "2");
      await drop(websocket);
      await goesOn(session, ["0", "1", "2"]);
    });
  }

  test("`5` is never sent: the upgrade WebSocket is closed after the upgrade timeout, polling goes on", async () => {
    const session = await open();
    const began = performance.now();
    const websocket = await probed(session);
    await session.send("0", "1");
    assert.deepEqual(await session.receive(2), ["0", "1"]);
    await session.send("2");
    const { before } = await websocket.ended();
    const took = performance.now() - began;
    assert.deepEqual(before, [], "no message goes to a WebSocket that is not the transport yet");
    assert.ok(took >= UPGRADE_TIMEOUT - 20 && took < UPGRADE_TIMEOUT + 1500, `closed after ${took} ms`);
    await goesOn(session, ["2"]);
  });

  test("the probe is never sent: the WebSocket is closed after the upgrade timeout, polling goes on", async () => {
    const session = await open();
    const websocket = await WebSocket.open(server.port, { EIO: eio, sid: session.sid });
    await session.send("0");
    await websocket.ended(UPGRADE_TIMEOUT + 1500);
    await goesOn(session, ["0"]);
  });

  test("a parked poll survives a failed upgrade and still gets its messages", async () => {
    const session = await open();
    const websocket = await WebSocket.open(server.port, { EIO: eio, sid: session.sid });
    const poll = await session.park();
    websocket.connection.reset();
    await session.send("late");
    const answer = await poll.response("the parked poll");
    assert.equal(answer.body, session.payload("late"));
    poll.destroy();
    await goesOn(session);
  });

  for (const packet of ["4message", "2", "3probe", "6", "1", "2other", "0", "x", ""]) {
    test(`before the probe ${JSON.stringify(packet)} closes the upgrade WebSocket only`, async () => {
      const session = await open();
      const websocket = await WebSocket.open(server.port, { EIO: eio, sid: session.sid });
      await session.send("0");
      websocket.frame(TEXT, packet);
      await websocket.ended();
      await goesOn(session, ["0"]);
    });

    test(`after the probe ${JSON.stringify(packet)} instead of 5 closes the upgrade WebSocket only`, async () => {
      const session = await open();
      const websocket = await probed(session);
      await session.send("0");
      websocket.frame(TEXT, packet);
      assert.deepEqual((await websocket.ended()).before, []);
      await goesOn(session, ["0"]);
    });
  }

  test("a second attempt while a first is on is refused, and the first goes on", async () => {
    const session = await open(patient);
    const first = await WebSocket.open(session.port, { EIO: eio, sid: session.sid });
    first.send("2probe");
    assert.equal(await first.text(), "3probe");
    await turnedAway(session.port, { EIO: eio, sid: session.sid });
    await session.send("0");
    first.send("5");
    assert.equal(await first.text(), "40");
    await first.echoes("1");
    first.destroy();
  });

  test("a second WebSocket after the upgrade is closed and the session is unharmed", async () => {
    const session = await open();
    const websocket = await probed(session);
    websocket.send("5");
    await websocket.echoes("0");
    await turnedAway(session.port, { EIO: eio, sid: session.sid });
    await websocket.echoes("1");
    websocket.destroy();
  });

  test("after `5` a poll and a POST get 400, and the session is unharmed", async () => {
    const session = await open();
    const websocket = await probed(session);
    websocket.send("5");
    await websocket.echoes("0");
    for (const answer of [await session.poll(), await session.post(session.payload("stray"))]) {
      assert.equal(answer.status, 400);
      assert.deepEqual(answer.json(), { code: 3, message: "Bad request" });
    }
    await websocket.echoes("1");
    websocket.destroy();
  });

  test("frames that travel with `5` in one write are kept, in order", async () => {
    const session = await open();
    const websocket = await WebSocket.open(server.port, { EIO: eio, sid: session.sid });
    const all = ["2probe", "5", "40", "41", "42"].map((text) => frame(TEXT, text));
    await websocket.connection.write(Buffer.concat(all));
    assert.equal(await websocket.text(), "3probe");
    for (const expected of ["40", "41", "42"]) assert.equal(await websocket.text(), expected);
    websocket.destroy();
  });

  test("a poll that is parked when `5` arrives is answered, and the WebSocket carries on", async () => {
    const session = await open();
    const websocket = await probed(session);
    // The first two empty polls are answered at once; the third waits.
    for (let at = 0; at < 2; at++) assert.equal((await session.poll()).body, session.eio === 4 ? "6" : "1:6");
    const poll = await session.park();
    websocket.send("5");
    const answer = await poll.response("the parked poll", 1000);
    // A noop; engine.io says that this transport is closed. The poll may also have come in behind `5`: then it is refused.
    if (answer.status === 200) assert.ok(["6", "1"].includes(decode(eio, answer.body).join()), answer.body);
    else assert.deepEqual([answer.status, answer.json().code], [400, 3]);
    poll.destroy();
    await websocket.echoes("0", "1");
    websocket.destroy();
  });

  test("a poll that is parked when the probe arrives gets a noop at once", async () => {
    const session = await open();
    const poll = await session.park();
    const websocket = await probed(session);
    const answer = await poll.response("the parked poll", 1000);
    assert.equal(answer.body, session.eio === 4 ? "6" : "1:6");
    poll.destroy();
    websocket.send("5");
    await websocket.echoes("0");
    websocket.destroy();
  });

  test("a close packet by POST while a probe is on ends the session and its upgrade WebSocket", async () => {
    const session = await open();
    const websocket = await probed(session);
    await session.post(session.eio === 4 ? "1" : "1:1");
    await websocket.ended();
    assert.equal(await isKnown(session), false);
  });

  test("a WebSocket that is turned away by the handshake's rules leaves the session alone", async () => {
    const session = await open();
    await session.send("0");
    const answer = await request(server.port, {
      params: { EIO: eio, transport: "websocket", sid: session.sid },
      headers: upgradeHeaders({ "Sec-WebSocket-Version": "12" }),
    });
    assert.ok(answer.status === 400 || answer.status === 426, `${answer.status}`);
    await goesOn(session, ["0"]);
  });

  test("a POST in flight when `5` arrives: what it carries comes before what follows `5`", async () => {
    let inFlight = 0;
    for (let at = 0; at < 3; at++) {
      const session = await open();
      const websocket = await probed(session);
      const post = await Connection.open(server.port);
      const whole = head({ method: "POST", params: session.params(), body: session.payload("0", "1") });
      await post.write(whole.subarray(0, whole.length - 2));
      // Time for the server to take the POST's head in; nothing tells us that it has.
      for (let more = 0; more < 3; more++) assert.equal(await isKnown(session), true);
      websocket.send("5");
      websocket.send("42");
      await post.write(whole.subarray(whole.length - 2));
      const { status } = await post.response("the POST's answer");
      if (status === 200) {
        inFlight += 1;
        assert.deepEqual([await websocket.text(), await websocket.text(), await websocket.text()], ["40", "41", "42"]);
      } else {
        // It came in behind `5`: refused as a whole.
        assert.equal(status, 400);
        assert.equal(await websocket.text(), "42");
      }
      await websocket.echoes("on");
      post.destroy();
      websocket.destroy();
    }
    assert.ok(inFlight > 0, "at least one POST was in flight");
  });

  test("a POST in flight when `5` arrives that never ends: 400 after a second, and the session ends", async () => {
    const session = await open();
    const websocket = await probed(session);
    const post = await Connection.open(server.port);
    const whole = head({ method: "POST", params: session.params(), body: session.payload("0", "1") });
    await post.write(whole.subarray(0, whole.length - 2));
    for (let more = 0; more < 5; more++) assert.equal(await isKnown(session), true);
    websocket.send("5");
    websocket.send("42");
    const { status } = await post.response("the POST's answer", 3000);
    assert.equal(status, 400);
    assert.deepEqual((await websocket.ended()).before, [], "what follows the lost POST is not delivered");
    assert.equal(await isKnown(session), false);
    post.destroy();
    websocket.destroy();
  });

});

// By itself: it looks at milliseconds.
for (const eio of [4, 3]) {
  test(`EIO ${eio}: while a probe is on, buffered packets leave by the poll at once, empty polls get noop: two at once, later ones soon`, async () => {
    const session = await Polling.open(patient.port, eio);
    const noop = session.eio === 4 ? "6" : "1:6";
    const websocket = await probed(session);
    const timed = async () => {
      const began = performance.now();
      const answer = await session.poll(2000);
      assert.equal(answer.status, 200);
      return [answer.body, performance.now() - began];
    };
    await session.send("0", "1");
    const [full] = await timed();
    assert.deepEqual(decode(eio, full), ["40", "41"]);
    const spans = [];
    for (let at = 0; at < 2; at++) {
      const [body, span] = await timed();
      assert.equal(body, noop);
      spans.push(span);
    }
    // Later ones wait up to 50 ms: no busy loop, no stuck client. The best of several carries the timing on a loaded machine.
    const later = [];
    for (let at = 0; at < 4; at++) {
      const [body, span] = await timed();
      assert.equal(body, noop);
      later.push(span);
    }
    assert.ok(Math.min(...spans) < 40, `the first two empty polls are answered at once (${spans})`);
    assert.ok(Math.min(...later) < 150, `later ones within 50 ms (${later})`);
    assert.ok(later.every((span) => span >= 20), `later ones do not spin (${later})`);
    // A packet does not wait for the 50 ms to pass.
    const poll = await session.park();
    await session.send("2");
    const answer = await poll.response("the poll with a packet", 1000);
    const packets = decode(eio, answer.body);
    if (packets[0] === "6") assert.deepEqual(await session.receive(1), ["2"]);
    else assert.deepEqual(packets, ["42"]);
    poll.destroy();
    websocket.send("5");
    await websocket.echoes("3");
    websocket.destroy();
  });
}
