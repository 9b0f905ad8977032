// POST bodies that are too large, never end, lie or are no payload: a clear answer, the session an end, the next client served.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { normalClientWorks } from "./support/client.mjs";
import { until } from "./support/deadline.mjs";
import { Connection, Polling, decode, head, isKnown } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";

const MAX_PAYLOAD = 100000;
const PING_TIMEOUT = 700;

let server;
let hasty;
before(async () => {
  server = await startServer(["--max-payload", MAX_PAYLOAD]);
  hasty = await startServer(["--ping-timeout", PING_TIMEOUT]);
});
after(async () => {
  await server?.stop();
  await hasty?.stop();
});
afterEach(() => normalClientWorks(server));

const gone = (session) => until(async () => !(await isKnown(session)), 3000, "the session is gone");
const chunk = (bytes) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), Buffer.from(bytes), Buffer.from("\r\n")]);
const bytes = (...parts) => Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.from([part]) : Buffer.from(part))));

/** The head of a POST whose body the test writes. */
function postHead(session, headers) {
  return head({ method: "POST", params: session.params(), headers: { "Content-Type": "text/plain;charset=UTF-8", ...headers } });
}

const octets = { "Content-Type": "application/octet-stream" };

/** Bodies that are no payload: name, body, headers. */
const broken = {
  4: [
    ["an empty body", ""],
    ["an unknown packet type", "x"],
    ["packet type 7", "7hello"],
    ["a wrong packet behind a right one", "4ok\x1ex"],
    ["an empty packet at the end", "4ok\x1e"],
    ["an empty packet at the start", "\x1e4ok"],
    ["an empty packet in the middle", "4ok\x1e\x1e4ok"],
    ["separators alone", "\x1e".repeat(50000)],
    ["base64 with a wrong character", "bAQ*D"],
    ["base64 that is truncated", "bAQIDB"],
    ["base64 with padding in its middle", "bAQ==AQ=="],
    ["text that is not UTF-8", bytes("4", 0xff, 0xfe)],
    ["text that ends within a character", bytes("4", 0xe2, 0x82)],
    ["a packet type beyond ASCII", "€hello"],
  ],
  3: [
    ["an empty body", ""],
    ["no length", "4hello"],
    ["a length and nothing else", "6"],
    ["a length that is no number", "x:4hello"],
    ["a negative length", "-1:4hello"],
    ["a length beyond the end", "100:4hello"],
    ["a length below the packet's", "3:4hello"],
    ["a huge length", `${"9".repeat(400)}:4hello`],
    ["a length of 2^64 + 6", "18446744073709551622:4hello"],
    ["a colon without a length", ":4hello"],
    ["an unknown packet type", "1:x"],
    ["packet type 7", "2:7x"],
    ["base64 with a wrong character", "6:b4AQ*D"],
    ["base64 without a packet type", "1:b"],
    ["base64 of packet type 7", "6:b7AQ=="],
    ["text that is not UTF-8", bytes("3:4", 0xff, 0xfe)],
    ["a binary payload that is empty", "", octets],
    ["a binary payload without its end of length", bytes(0, 6), octets],
    ["a binary payload cut within its packet", bytes(0, 6, 255, "4he"), octets],
    ["a binary length beyond the end", bytes(0, 9, 9, 9, 255, "4hello"), octets],
    ["a binary length with a digit of 10", bytes(0, 10, 255, "4hello"), octets],
    ["a binary length of 400 digits", bytes(0, Buffer.alloc(400, 9), 255, "4hello"), octets],
    ["a binary packet of kind 9", bytes(9, 6, 255, "4hello"), octets],
    ["a binary packet of zero length", bytes(0, 0, 255), octets],
    ["a binary packet of packet type 7", bytes(0, 2, 255, "7x"), octets],
    ["a binary payload with junk behind", bytes(0, 2, 255, "4x", 0), octets],
  ],
};

for (const eio of [4, 3]) {
  const name = (text) => `EIO ${eio}: ${text}`;
  const open = (on = server) => Polling.open(on.port, eio);

  for (const [what, body, headers] of broken[eio]) {
    test(name(`${what} is 400 and ends the session`), async () => {
      const session = await open();
      const poll = await session.park();
      const answer = await session.post(body, headers);
      assert.equal(answer.status, 400);
      await gone(session);
      // The parked poll is answered: with what was there and a close packet, or refused.
      const last = await poll.response("the parked poll");
      if (last.status === 200) assert.equal(decode(eio, last.body).at(-1), "1");
      else assert.equal(last.status, 400);
      poll.destroy();
    });
  }

  test(name("a POST over the limit by Content-Length is 413 before its body is there, the session ends"), async () => {
    const session = await open();
    const post = await Connection.open(server.port);
    post.write(Buffer.concat([postHead(session, { "Content-Length": MAX_PAYLOAD + 1, Connection: "close" }), Buffer.from("4xxxx")]));
    assert.equal((await post.response("the POST")).status, 413);
    post.finish();
    await post.closed();
    await gone(session);
    post.destroy();
  });

  test(name("a POST over the limit by chunks is 413, the session ends"), async () => {
    const session = await open();
    const post = await Connection.open(server.port);
    post.write(postHead(session, { "Transfer-Encoding": "chunked" }));
    for (let sent = 0; sent <= MAX_PAYLOAD; sent += 10000) post.write(chunk(Buffer.alloc(10000, "4")));
    assert.equal((await post.response("the POST")).status, 413);
    post.finish();
    await post.closed();
    await gone(session);
    post.destroy();
  });

  test(name("a Content-Length beyond all numbers is refused"), async () => {
    const session = await open();
    const post = await Connection.open(server.port);
    post.write(Buffer.concat([postHead(session, { "Content-Length": "99999999999999999999999999" }), Buffer.from("4x")]));
    const { status } = await post.response("the POST");
    assert.ok(status === 400 || status === 413, `${status}`);
    post.destroy();
  });

  test(name("a POST of exactly the limit is fine"), async () => {
    const session = await open();
    const prefix = eio === 4 ? "" : `${MAX_PAYLOAD - 6}:`;
    const body = `${prefix}4${"x".repeat(MAX_PAYLOAD - prefix.length - 1)}`;
    assert.equal(body.length, MAX_PAYLOAD);
    assert.equal((await session.post(body)).status, 200);
    assert.equal((await session.receive(1))[0].length, MAX_PAYLOAD - prefix.length - 1);
  });

  test(name("a chunked POST, split at odd places, is one payload"), async () => {
    const session = await open();
    const payload = Buffer.from(session.payload("ä€\u{1F600}", "second"));
    const post = await Connection.open(server.port);
    const parts = [payload.subarray(0, 2), payload.subarray(2, 4), payload.subarray(4, 5), payload.subarray(5)];
    const whole = Buffer.concat([postHead(session, { "Transfer-Encoding": "chunked" }), ...parts.map(chunk), Buffer.from("0\r\n\r\n")]);
    // Three writes: within the head, within a chunk's size line, within the last chunk's end.
    for (const [from, to] of [[0, 10], [10, whole.length - 12], [whole.length - 12, whole.length - 2], [whole.length - 2]]) await post.write(whole.subarray(from, to));
    const answer = await post.response("the POST");
    assert.deepEqual([answer.status, answer.body], [200, "ok"]);
    assert.deepEqual(await session.receive(2), ["ä€\u{1F600}", "second"]);
    post.destroy();
  });

  test(name("a POST written byte by byte is one payload"), async () => {
    const session = await open();
    const post = await Connection.open(server.port);
    for (const byte of head({ method: "POST", params: session.params(), body: session.payload("slow", "ä") })) await post.write(Buffer.from([byte]));
    assert.equal((await post.response("the POST")).status, 200);
    assert.deepEqual(await session.receive(2), ["slow", "ä"]);
    post.destroy();
  });

  test(name("two requests in one write (pipelining) are answered in order"), async () => {
    const session = await open();
    const connection = await Connection.open(server.port);
    const post = head({ method: "POST", params: session.params(), body: session.payload("piped") });
    await connection.write(Buffer.concat([post, head({ params: session.params() })]));
    assert.equal((await connection.response("the POST")).body, "ok");
    assert.equal((await connection.response("the poll")).body, session.payload("piped"));
    connection.destroy();
  });

  test(name("many requests use one connection (keep-alive)"), async () => {
    const session = await open();
    const connection = await Connection.open(server.port);
    for (let at = 0; at < 20; at++) {
      connection.write(head({ method: "POST", params: session.params(), body: session.payload(`m${at}`) }));
      assert.equal((await connection.response("the POST")).body, "ok");
      connection.write(head({ params: session.params() }));
      const poll = await connection.response("the poll");
      assert.equal(poll.body, session.payload(`m${at}`));
      assert.equal(Number(poll.headers["content-length"]), poll.bytes.length);
    }
    connection.destroy();
  });

  for (const [what, headers, start] of [["with Content-Length", { "Content-Length": 100 }, "4x"], ["in chunks", { "Transfer-Encoding": "chunked" }, "2\r\n4x\r\n"]]) {
    test(name(`a POST ${what} that never ends is 408 after the ping timeout, the session ends`), async () => {
      const session = await open(hasty);
      const post = await Connection.open(hasty.port);
      const began = performance.now();
      await post.write(Buffer.concat([postHead(session, headers), Buffer.from(start)]));
      const answer = await post.response("the POST", PING_TIMEOUT + 3000);
      const took = performance.now() - began;
      assert.equal(answer.status, 408);
      assert.ok(took >= PING_TIMEOUT - 50 && took < PING_TIMEOUT + 2000, `answered after ${took} ms`);
      await gone(session);
      post.destroy();
    });
  }

  test(name("a POST that is fed one byte at a time is 408 all the same: its bytes keep nothing alive"), async () => {
    const session = await open(hasty);
    const post = await Connection.open(hasty.port);
    await post.write(Buffer.concat([postHead(session, { "Content-Length": 100000 }), Buffer.from("4")]));
    const drip = setInterval(() => post.write("x"), 50);
    try {
      assert.equal((await post.response("the POST", PING_TIMEOUT + 3000)).status, 408);
    } finally {
      clearInterval(drip);
      post.destroy();
    }
    await gone(session);
  });

  for (const how of ["finish", "reset"]) {
    test(name(`a POST whose client goes away (${how}) within its body ends the session`), async () => {
      const session = await open();
      const post = await Connection.open(server.port);
      await post.write(Buffer.concat([postHead(session, { "Content-Length": 100 }), Buffer.from("4x")]));
      post[how]();
      await gone(session);
      post.destroy();
    });
  }
}

test("EIO 4: an octet-stream POST is answered 400 and ends the session", async () => {
  const session = await Polling.open(server.port, 4);
  const answer = await session.post("4hello", octets);
  assert.equal(answer.status, 400);
  await gone(session);
});

test("EIO 3: a binary payload of text and binary packets is fine", async () => {
  const session = await Polling.open(server.port, 3);
  const answer = await session.post(bytes(0, 6, 255, "4hello", 1, 4, 255, 4, 1, 2, 3), octets);
  assert.deepEqual([answer.status, answer.body], [200, "ok"]);
  const poll = await session.poll();
  assert.equal(poll.body, "6:4hello6:b4AQID");
});

test("EIO 3: a packet of length zero is passed over, as engine.io-parser 2 does", async () => {
  const session = await Polling.open(server.port, 3);
  assert.equal((await session.post("6:4hello0:")).status, 200);
  assert.equal((await session.post("0:6:4world")).status, 200);
  assert.deepEqual(await session.receive(2), ["hello", "world"]);
});

test("EIO 3: lengths count UTF-16 units", async () => {
  const session = await Polling.open(server.port, 3);
  assert.equal((await session.post("3:4\u{1F600}2:4€")).status, 200);
  assert.equal((await session.poll()).body, "3:4\u{1F600}2:4€");
});
