// Every HTTP request that is not right gets its clear answer, and a normal client works right after.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { normalClientWorks } from "./support/client.mjs";
import { until } from "./support/deadline.mjs";
import { Connection, Polling, decode, head, isKnown, request } from "./support/raw.mjs";
import { elsewhere, startServer } from "./support/server.mjs";
import { WebSocket, upgradeHeaders } from "./support/websocket.mjs";

const MESSAGES = [
  "Transport unknown",
  "Session ID unknown",
  "Bad handshake method",
  "Bad request",
  "Forbidden",
  "Unsupported protocol version",
];

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());
afterEach(() => normalClientWorks(server));

const ask = (params, more = {}) => request(server.port, { params, ...more });

function assertRefused(answer, code) {
  assert.equal(answer.status, code === 4 ? 403 : 400, answer.body);
  assert.deepEqual(answer.json(), { code, message: MESSAGES[code] });
  assert.match(answer.headers["content-type"], /^application\/json/);
}

/** The session is over: polls, POSTs and WebSockets find no such sid. */
async function assertGone(session) {
  await until(async () => !(await isKnown(session)), 2000, "the session is gone");
  assertRefused(await session.poll(), 1);
  assertRefused(await session.post(session.payload("x")), 1);
}

for (const transport of [undefined, "", "tobi", "Polling", "webtransport", "constructor", "__proto__", "toString", "%00", "polling%20", "x".repeat(2000)]) {
  test(`unknown transport ${String(transport).slice(0, 20)}`, async () => {
    assertRefused(await ask({ EIO: 4, transport }), 0);
    assertRefused(await ask({ EIO: 4, transport }, { headers: upgradeHeaders() }), 0);
  });
}

test("a transport that is switched off is unknown", async () => {
  const only = await startServer(["--transports", "polling"]);
  try {
    assertRefused(await request(only.port, { params: { EIO: 4, transport: "websocket" }, headers: upgradeHeaders() }), 0);
    const session = await Polling.open(only.port);
    assert.deepEqual(session.handshake.upgrades, []);
    await session.echoes("works");
  } finally {
    await only.stop();
  }
});

for (const sid of ["nope", "__proto__", "constructor", "hasOwnProperty", "..%2F..%2Fetc", "%00", "%FF%FE", "%E2%82%AC", "a".repeat(24), "a".repeat(5000), "-1", "%0d%0aX:%20y", "null"]) {
  test(`unknown sid ${sid.slice(0, 24)}`, async () => {
    for (const EIO of [4, 3]) {
      assertRefused(await ask({ EIO, transport: "polling", sid }), 1);
      assertRefused(await ask({ EIO, transport: "polling", sid }, { method: "POST", body: "4x" }), 1);
      assertRefused(await ask({ EIO, transport: "websocket", sid }, { headers: upgradeHeaders() }), 1);
    }
  });
}

for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]) {
  test(`a handshake by ${method}`, async () => {
    for (const EIO of [4, 3]) assertRefused(await ask({ EIO, transport: "polling" }, { method, body: "4x" }), 2);
  });
}

test("a handshake by HEAD", async () => {
  const connection = await Connection.open(server.port);
  connection.write(head({ method: "HEAD", params: { EIO: 4, transport: "polling" }, headers: { Connection: "close" } }));
  await connection.closed();
  assert.match(connection.buffer.toString(), /^HTTP\/1\.1 400 /);
  connection.destroy();
});

for (const method of ["PUT", "DELETE", "PATCH"]) {
  test(`${method} to a session is refused and leaves it alone`, async () => {
    const session = await Polling.open(server.port);
    const answer = await ask(session.params(), { method, body: "4x" });
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
    await session.echoes("works");
  });
}

for (const EIO of [undefined, "", "5", "2", "1", "0", "abc", "4.0", "04", "-4", "44", "%00", "__proto__"]) {
  test(`unknown protocol ${EIO}`, async () => {
    assertRefused(await ask({ EIO, transport: "polling" }), 5);
    assertRefused(await ask({ EIO, transport: "websocket" }, { headers: upgradeHeaders() }), 5);
  });
}

test("revision 3 is an unknown protocol where it is switched off", async () => {
  const four = await startServer(["--no-eio3"]);
  try {
    assertRefused(await request(four.port, { params: { EIO: 3, transport: "polling" } }), 5);
    assertRefused(await request(four.port, { params: { EIO: 3, transport: "websocket" }, headers: upgradeHeaders() }), 5);
    await normalClientWorks(four);
  } finally {
    await four.stop();
  }
});

for (const eio of [4, 3]) {
  const name = (text) => `EIO ${eio}: ${text}`;
  const open = () => Polling.open(server.port, eio);

  test(name("another EIO than the session's is code 3, the session unharmed"), async () => {
    const session = await open();
    const params = session.params({ EIO: eio === 4 ? 3 : 4, b64: undefined });
    await session.send("kept");
    assertRefused(await ask(params), 3);
    assertRefused(await ask(params, { method: "POST", body: "4x" }), 3);
    assertRefused(await ask({ ...params, transport: "websocket" }, { headers: upgradeHeaders() }), 3);
    assert.deepEqual(await session.receive(1), ["kept"]);
    await session.echoes("works");
  });

  test(name("EIO, sid or transport twice is code 3, the session unharmed"), async () => {
    assertRefused(await ask({ EIO: [eio, eio], transport: "polling" }), 3);
    assertRefused(await ask({ EIO: eio, transport: ["polling", "polling"] }), 3);
    assertRefused(await ask({ EIO: eio, transport: ["polling", "websocket"] }), 3);
    const session = await open();
    await session.send("kept");
    for (const twice of [{ sid: [session.sid, session.sid] }, { EIO: [eio, eio] }, { transport: ["polling", "polling"] }, { sid: [session.sid, "nope"] }]) {
      assertRefused(await ask(session.params(twice)), 3);
    }
    assert.deepEqual(await session.receive(1), ["kept"]);
  });

  test(name("a polling request to a WebSocket session is code 3, the session unharmed"), async () => {
    const websocket = await WebSocket.open(server.port, { EIO: eio });
    const params = { EIO: eio, transport: "polling", sid: websocket.sid };
    assertRefused(await ask(params), 3);
    assertRefused(await ask(params, { method: "POST", body: "4x" }), 3);
    await websocket.echoes("works");
    websocket.destroy();
  });

  test(name("transport=websocket without Upgrade is code 3 and eats no messages"), async () => {
    assertRefused(await ask({ EIO: eio, transport: "websocket" }), 3);
    const session = await open();
    await session.send("kept");
    assertRefused(await ask(session.params({ transport: "websocket" })), 3);
    const post = await ask(session.params({ transport: "websocket" }), { method: "POST", body: session.payload("eaten") });
    assert.equal(post.status, 400);
    assert.ok([2, 3].includes(post.json().code), post.body);
    assert.deepEqual(await session.receive(1), ["kept"]);
    await session.echoes("works");
  });

  test(name("overlapping GETs: the first is answered with a close packet, the second with 400, the session ends"), async () => {
    const session = await open();
    const first = await session.park();
    // The server must have seen the first: a request behind it is answered only after it was taken in.
    await session.post(eio === 4 ? "6" : "1:6");
    const second = await session.poll();
    assert.equal(second.status, 400);
    const answer = await first.response("the first GET");
    assert.equal(answer.status, 200);
    assert.equal(answer.body, eio === 4 ? "1" : "1:1");
    first.destroy();
    await assertGone(session);
  });

  test(name("overlapping POSTs: 400, the session ends, the first POST comes to an end"), async () => {
    const session = await open();
    const poll = await session.park();
    const first = await Connection.open(server.port);
    const whole = head({ method: "POST", params: session.params(), body: session.payload("never") });
    await first.write(whole.subarray(0, whole.length - 3));
    const second = await until(async () => {
      const answer = await session.post(eio === 4 ? "6" : "1:6");
      return answer.status !== 200 && answer;
    }, 2000, "the second POST is refused");
    assert.equal(second.status, 400);
    // Answered or cut: it does not hang.
    await Promise.race([first.response("the first POST").then((answer) => assert.equal(answer.status, 400)), first.closed()]);
    first.destroy();
    assert.deepEqual(decode(eio, (await poll.response("the parked poll")).body), ["1"]);
    poll.destroy();
    await assertGone(session);
  });

  test(name("percent-encoded query values are decoded"), async () => {
    const session = await Polling.open(server.port, eio, { transport: "%70olling", EIO: `%3${eio}` });
    const sid = [...session.sid].map((char) => `%${char.charCodeAt(0).toString(16)}`).join("");
    const coded = new Polling(server.port, eio, { sid });
    await coded.echoes("works");
    const answer = await request(server.port, { params: { ...session.params({ sid }), transport: "web%73ocket" }, headers: upgradeHeaders() });
    assert.equal(answer.status, 101);
  });

  test(name("a poll whose client goes away (FIN) ends the session"), async () => {
    const session = await open();
    const poll = await session.park();
    assert.equal(await isKnown(session), true);
    poll.finish();
    await until(async () => !(await isKnown(session)), 3000, "the session is gone");
    poll.destroy();
  });

  test(name("a poll whose client resets ends the session"), async () => {
    const session = await open();
    const poll = await session.park();
    assert.equal(await isKnown(session), true);
    poll.reset();
    await until(async () => !(await isKnown(session)), 3000, "the session is gone");
  });
}

for (const path of ["/engine.io/x", "/engine.io-admin", "/engine.io-admin/", "/engine.ioo/", "/", "/x/engine.io/", "/engine.io/engine.io/"]) {
  test(`${path} is not ours`, async () => {
    const params = { EIO: 4, transport: "polling" };
    assert.equal((await request(server.port, { path, params })).status, elsewhere.path);
    assert.equal((await request(server.port, { path, params, method: "POST", body: "4x" })).status, elsewhere.path);
  });
}

test("broken HTTP is answered 400 or cut, never left open", async () => {
  for (const bytes of ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET /engine.io/?EIO=4&transport=polling HTTP/9.9\r\n\r\n", "GET /engine.io/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "POST /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\nConnection: close\r\n\r\nzz\r\n"]) {
    const connection = await Connection.open(server.port);
    connection.write(bytes);
    await Promise.race([
      connection.response("an answer").then(({ status }) => assert.ok(status >= 400 && status < 600, `${status} to ${JSON.stringify(bytes)}`), () => connection.closed()),
      connection.closed(),
    ]);
    connection.destroy();
  }
});
