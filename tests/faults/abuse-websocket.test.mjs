// Frames and WebSocket handshakes that break RFC 6455 or the protocol: the right close code, and the connection an end.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { normalClientWorks } from "./support/client.mjs";
import { until } from "./support/deadline.mjs";
import { Polling, isKnown, request } from "./support/raw.mjs";
import { elsewhere, startServer } from "./support/server.mjs";
import { BINARY, CLOSE, PING, PONG, TEXT, WebSocket, closeBody, frame, upgradeHeaders } from "./support/websocket.mjs";

const CONTINUATION = 0;
const MAX_PAYLOAD = 100000;

let server;
before(async () => (server = await startServer(["--max-payload", MAX_PAYLOAD])));
after(() => server?.stop());

const broken = [
  // what, the frames, the close codes that say it
  ["an unmasked text frame", [frame(TEXT, "4x", { masked: false })], [1002]],
  ["an unmasked close frame", [frame(CLOSE, "", { masked: false })], [1002]],
  ["a frame with RSV1, no extension agreed", [frame(TEXT, "4x", { rsv: 4 })], [1002]],
  ["a frame with RSV2", [frame(TEXT, "4x", { rsv: 2 })], [1002]],
  ["a frame with RSV3", [frame(TEXT, "4x", { rsv: 1 })], [1002]],
  ["a ping with RSV2", [frame(PING, "", { rsv: 2 })], [1002]],
  ["opcode 3", [frame(3, "4x")], [1002]],
  ["opcode 7", [frame(7, "4x")], [1002]],
  ["opcode 11", [frame(11, "")], [1002]],
  ["opcode 15", [frame(15, "")], [1002]],
  ["a fragmented ping", [frame(PING, "x", { fin: false })], [1002]],
  ["a fragmented close", [frame(CLOSE, "", { fin: false })], [1002]],
  ["a ping of 126 bytes", [frame(PING, "x".repeat(126))], [1002]],
  ["a close of 126 bytes", [frame(CLOSE, closeBody(1000, "x".repeat(124)))], [1002]],
  ["a close of one byte", [frame(CLOSE, "x")], [1002]],
  ["close code 0", [frame(CLOSE, closeBody(0))], [1002]],
  ["close code 999", [frame(CLOSE, closeBody(999))], [1002]],
  ["close code 1005", [frame(CLOSE, closeBody(1005))], [1002]],
  ["close code 1006", [frame(CLOSE, closeBody(1006))], [1002]],
  ["close code 5000", [frame(CLOSE, closeBody(5000))], [1002]],
  ["a close reason that is not UTF-8", [frame(CLOSE, Buffer.from([3, 232, 0xff, 0xfe]))], [1007, 1002]],
  ["a continuation of nothing", [frame(CONTINUATION, "4x")], [1002]],
  ["a text frame within a fragmented message", [frame(TEXT, "4x", { fin: false }), frame(TEXT, "4y")], [1002]],
  ["a binary frame within a fragmented message", [frame(TEXT, "4x", { fin: false }), frame(BINARY, "y")], [1002]],
  ["text that is not UTF-8", [frame(TEXT, Buffer.from([0x34, 0xff, 0xfe]))], [1007]],
  ["a surrogate in UTF-8", [frame(TEXT, Buffer.from([0x34, 0xed, 0xa0, 0x80]))], [1007]],
  ["an overlong NUL", [frame(TEXT, Buffer.from([0x34, 0xc0, 0x80]))], [1007]],
  ["text that ends within a character", [frame(TEXT, Buffer.from([0x34, 0xe2, 0x82]))], [1007]],
  ["fragmented text that ends within a character", [frame(TEXT, Buffer.from([0x34, 0xe2]), { fin: false }), frame(CONTINUATION, Buffer.from([0x82]))], [1007]],
  ["a frame that says it is too large", [frame(TEXT, "4", { length: MAX_PAYLOAD + 1 })], [1009]],
  ["a frame that says it has 2^40 bytes", [frame(BINARY, "", { length: 2 ** 40 })], [1009]],
  ["a frame whose length has its highest bit set", [Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])], [1002, 1009]],
  ["fragments that are too large together", Array.from({ length: 12 }, (_, at) => frame(at ? CONTINUATION : TEXT, "4".repeat(10000), { fin: at === 11 })), [1009]],
];

/** Many tests wait for the end of a connection: they do so side by side. */
const TOGETHER = { concurrency: 8 };

for (const eio of [4, 3]) describe(`EIO ${eio}`, TOGETHER, () => {
  afterEach(() => normalClientWorks(server, eio));
  const open = () => WebSocket.open(server.port, { EIO: eio });
  const gone = (websocket) => until(async () => !(await isKnown(websocket)), 3000, "the session is gone");

  for (const [what, frames, codes] of broken) {
    test(`${what} is closed with ${codes.join(" or ")}`, async () => {
      const websocket = await open();
      websocket.connection.write(Buffer.concat(frames));
      const { code } = await websocket.ended();
      assert.ok(codes.includes(code), `close code ${code}`);
      await gone(websocket);
      websocket.destroy();
    });
  }

  test("a broken frame in the WebSocket of an upgrade closes that WebSocket only", async () => {
    const session = await Polling.open(server.port, eio);
    const websocket = await WebSocket.open(server.port, { EIO: eio, sid: session.sid });
    websocket.frame(TEXT, "2probe", { rsv: 2 });
    assert.equal((await websocket.ended()).code, 1002);
    await session.echoes("works");
  });

  test("text fragments that split characters, with a ping in between, are one message", async () => {
    const websocket = await open();
    const bytes = Buffer.from("4ä€\u{1F600}");
    websocket.frame(TEXT, bytes.subarray(0, 2), { fin: false });
    websocket.frame(PING, "in between");
    const pong = await websocket.next("a pong");
    assert.equal(pong.opcode, PONG);
    assert.equal(pong.payload.toString(), "in between");
    for (let at = 2; at < bytes.length; at++) websocket.frame(CONTINUATION, bytes.subarray(at, at + 1), { fin: at === bytes.length - 1 });
    assert.equal(await websocket.text(), "4ä€\u{1F600}");
    websocket.destroy();
  });

  test("a frame of exactly the limit is fine", async () => {
    const websocket = await open();
    await websocket.echoes("x".repeat(MAX_PAYLOAD - 1));
    websocket.destroy();
  });

  for (const size of [0, 1]) {
    test(`endless fragments of ${size} bytes come to an end`, async () => {
      const websocket = await open();
      websocket.frame(TEXT, "4", { fin: false });
      const many = Buffer.concat(Array.from({ length: 10000 }, () => frame(CONTINUATION, "x".repeat(size), { fin: false })));
      const ended = websocket.ended(20000);
      ended.catch(() => {});
      // At most 2 million: no answer until then is an answer too.
      for (let at = 0; at < 200 && !websocket.connection.end && websocket.connection.buffer.length === 0; at++) await websocket.connection.write(many);
      // The server may reset a connection that goes on sending; a close frame that was read before names the reason.
      const code = await ended.then(({ code }) => code, (error) => (/ECONNRESET|EPIPE/.test(error.message) ? 1009 : Promise.reject(error)));
      assert.ok([1002, 1008, 1009].includes(code), `close code ${code}`);
      await gone(websocket);
      websocket.destroy();
    });
  }

  for (const [what, payload] of [["no packet at all", ""], ["packet type 7", "7"], ["packet type x", "x"], ["packet type €", "€"], ["base64 that is none", "b*"]]) {
    if (payload === "b*" && eio === 3) continue;
    test(`text that is ${what} ends the session`, async () => {
      const websocket = await open();
      websocket.frame(TEXT, payload);
      const { code } = await websocket.ended();
      assert.equal(code, 1002);
      await gone(websocket);
      websocket.destroy();
    });
  }

  test("a close frame is answered by one, with its code", async () => {
    for (const [body, code] of [[closeBody(1000), 1000], [closeBody(1001, "going"), 1001], [closeBody(4000), 4000], [Buffer.alloc(0), 1005]]) {
      const websocket = await open();
      websocket.frame(CLOSE, body);
      const close = await websocket.closing();
      assert.ok(close.code === code || (code === 1005 && close.code === 1000), `sent ${code}, answered ${close.code}`);
      await websocket.connection.closed();
      websocket.destroy();
      await gone(websocket);
    }
  });

  test("a close packet closes the WebSocket", async () => {
    const websocket = await open();
    websocket.send("1");
    await websocket.ended();
    await gone(websocket);
    websocket.destroy();
  });

  test("a WebSocket that is cut within a frame ends its session", async () => {
    for (const how of ["finish", "reset"]) {
      const websocket = await open();
      await websocket.connection.write(frame(TEXT, "4hello").subarray(0, 5));
      websocket.connection[how]();
      await gone(websocket);
      websocket.destroy();
    }
  });

  const handshakes = [
    ["a short Sec-WebSocket-Key", { "Sec-WebSocket-Key": "c2hvcnQ=" }],
    ["a Sec-WebSocket-Key that is no base64", { "Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!==" }],
    ["no Sec-WebSocket-Key", { "Sec-WebSocket-Key": undefined }],
    ["Sec-WebSocket-Version 12", { "Sec-WebSocket-Version": "12" }],
    ["no Sec-WebSocket-Version", { "Sec-WebSocket-Version": undefined }],
  ];
  for (const [what, headers] of handshakes) {
    test(`${what} is refused with 400, a session unharmed`, async () => {
      const session = await Polling.open(server.port, eio);
      await session.send("kept");
      for (const sid of [undefined, session.sid]) {
        const answer = await request(server.port, { params: { EIO: eio, transport: "websocket", sid }, headers: upgradeHeaders(headers) });
        // RFC 6455, 4.4: another version may be answered 426 with the version that is spoken.
        assert.ok(answer.status === 400 || (answer.status === 426 && /Version/.test(what)), `${answer.status}`);
      }
      assert.deepEqual(await session.receive(1), ["kept"]);
      const websocket = await WebSocket.open(server.port, { EIO: eio, sid: session.sid });
      websocket.send("2probe");
      assert.equal(await websocket.text(), "3probe");
      websocket.destroy();
    });
  }

  test("an Upgrade to something else is answered and its connection closed", async () => {
    const websocket = await WebSocket.request(server.port, { EIO: eio }, upgradeHeaders({ Upgrade: "h2c" }));
    assert.equal(websocket.response.status, elsewhere.upgrade);
    await websocket.connection.closed();
    websocket.destroy();
  });

  test("once both sides have said close, the server ends the TCP connection at once (RFC 6455, 5.5.1)", async () => {
    for (const first of ["client", "server"]) {
      const websocket = await open();
      if (first === "server") websocket.send("4!close");
      else websocket.frame(CLOSE, closeBody(1000));
      await websocket.closing();
      if (first === "server") websocket.frame(CLOSE, closeBody(1000));
      await websocket.connection.closed(600, `the TCP connection's end, ${first} first`);
      websocket.destroy();
    }
  });
});
