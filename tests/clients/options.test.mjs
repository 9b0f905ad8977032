// The flags of the echo server, one by one, as clients meet them: handshake, refusals, CORS, cookie, limits.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Fetch } from "engine.io-client-6";
import { CLIENTS, Client, MODES, PAIRS, binary } from "./support/client.mjs";
import { PollingSession, RawSocket, openPacket, request, untilGone } from "./support/http.mjs";
import { echoServer } from "./support/server.mjs";
import { within } from "./support/wait.mjs";

const handshake = (server, eio, init) => request(server, { EIO: eio, transport: "polling" }, init);

async function refused(response, code, message) {
  const { status, text } = await response;
  assert.equal(status, 400, text);
  assert.deepEqual(JSON.parse(text), { code, message });
}

async function refusedSocket(server, query, message) {
  const socket = new RawSocket(server, query);
  const { status, text } = await within(socket.refused, "a refusal of the WebSocket");
  assert.equal(status, 400, text);
  // engine.io says it in plain text here, where no script of a browser can read it; JSON is as good
  assert.ok(text === message || JSON.parse(text).message === message, text);
}

describe("without flags", () => {
  const server = echoServer({ before, after });

  for (const eio of [4, 3]) {
    it(`EIO ${eio}: the handshake tells today's defaults, and sets no cookie`, async () => {
      const response = await handshake(server, eio);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("set-cookie"), null);
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("content-length"), String(response.bytes.length));
      const { sid, ...rest } = openPacket(response.text);
      assert.match(sid, /^[\w-]{20,64}$/);
      const { maxPayload, ...common } = rest;
      assert.deepEqual(common, { upgrades: ["websocket"], pingInterval: 25_000, pingTimeout: 20_000 });
      if (eio === 4) assert.equal(maxPayload, 1_000_000);
    });
  }

  it("refusals have engine.io's codes and messages", async () => {
    await refused(request(server, { EIO: 4, transport: "tobi" }), 0, "Transport unknown");
    await refused(request(server, { EIO: 4, transport: "polling", sid: "nobody" }), 1, "Session ID unknown");
    await refused(handshake(server, 4, { method: "POST", body: "4x" }), 2, "Bad handshake method");
    await refused(request(server, { EIO: 4, transport: "websocket" }), 3, "Bad request");
    await refused(request(server, { transport: "polling" }), 5, "Unsupported protocol version");
    await refusedSocket(server, { EIO: 4, transport: "websocket", sid: "nobody" }, "Session ID unknown");
  });
});

describe("--cors-origin", () => {
  const ORIGIN = "http://example.org:8080";
  const server = echoServer({ before, after }, "--cors-origin", ORIGIN);
  const from = (origin, more = {}) => ({ headers: { origin, ...more } });

  function allows(response) {
    assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN);
    assert.equal(response.headers.get("access-control-allow-credentials"), "true");
  }

  for (const method of ["POST", "GET"]) {
    it(`answers a preflight for ${method}`, async () => {
      const asks = { "access-control-request-method": method, "access-control-request-headers": "content-type" };
      const init = { method: "OPTIONS", ...from(ORIGIN, asks) };
      const response = await handshake(server, 4, init);
      assert.ok(response.status === 200 || response.status === 204, String(response.status));
      allows(response);
      assert.match(response.headers.get("access-control-allow-methods"), new RegExp(`\\b${method}\\b`));
      assert.match(response.headers.get("access-control-allow-headers"), /\bcontent-type\b/i);
    });
  }

  for (const eio of [4, 3]) {
    it(`EIO ${eio}: handshake, POST and poll carry the headers`, async () => {
      const opened = await handshake(server, eio, from(ORIGIN));
      allows(opened);
      const session = new PollingSession(server, eio, openPacket(opened.text), {});
      const payload = eio === 4 ? "4hello" : "6:4hello";
      const posted = await session.post(payload, from(ORIGIN));
      assert.equal(posted.text, "ok");
      allows(posted);
      const polled = await session.poll(from(ORIGIN));
      assert.equal(polled.text, payload);
      allows(polled);
    });
  }

  it("a poll that was parked carries the headers", async () => {
    const opened = await handshake(server, 4, from(ORIGIN));
    const session = new PollingSession(server, 4, openPacket(opened.text), {});
    const [polled] = await Promise.all([session.poll(from(ORIGIN)), session.post("4hello", from(ORIGIN))]);
    assert.equal(polled.text, "4hello");
    allows(polled);
  });

  it("refusals carry the headers", async () => {
    for (const query of [{ EIO: 4, transport: "polling", sid: "nobody" }, { EIO: 4, transport: "tobi" }, {}]) {
      const response = await request(server, query, from(ORIGIN));
      assert.equal(response.status, 400);
      allows(response);
    }
  });

  it("another origin gets neither the headers nor a session", async () => {
    const response = await handshake(server, 4, from("http://evil.example"));
    assert.equal(response.status, 403);
    const allowed = response.headers.get("access-control-allow-origin");
    assert.ok(allowed === null || allowed === ORIGIN, String(allowed));
    const socket = new RawSocket(server, { EIO: 4, transport: "websocket" }, { origin: "http://evil.example" });
    assert.equal((await within(socket.refused, "a refusal")).status, 403);
  });

  it("a WebSocket from that origin is let in", async () => {
    const socket = await RawSocket.open(server, 4, {}, { origin: ORIGIN });
    await socket.close();
  });
});

describe("--no-eio3", () => {
  const server = echoServer({ before, after }, "--no-eio3");

  it("EIO=3 is refused on both transports", async () => {
    await refused(handshake(server, 3), 5, "Unsupported protocol version");
    await refusedSocket(server, { EIO: 3, transport: "websocket" }, "Unsupported protocol version");
  });
  it("engine.io-client 3 is told so, engine.io-client 6 works", async () => {
    const old = new Client(CLIENTS[1], server.url, MODES[0].options);
    assert.equal(await within(old.closed, "close"), "transport error");
    const client = await Client.open(CLIENTS[0], MODES[2], server.url);
    assert.equal(await client.echo("hello"), "hello");
    await client.close();
  });
});

describe("--no-upgrades", () => {
  const server = echoServer({ before, after }, "--no-upgrades");

  for (const kind of CLIENTS) {
    it(`${kind.name} stays on polling`, async () => {
      const client = new Client(kind, server.url, MODES[2].options);
      await client.when(client.opened, "open");
      assert.deepEqual(client.handshake.upgrades, []);
      for (let count = 0; count < 20; count += 1) assert.equal(await client.echo(`${count}`), `${count}`);
      assert.equal(client.transport, "polling");
      await client.close();
    });
  }
});

describe("--transports", () => {
  const polling = echoServer({ before, after }, "--transports", "polling");
  const websocket = echoServer({ before, after }, "--transports", "websocket");
  const swapped = echoServer({ before, after }, "--transports", "websocket,polling");

  it("polling: no WebSocket, and no upgrade is offered", async () => {
    assert.deepEqual(openPacket((await handshake(polling, 4)).text).upgrades, []);
    await refusedSocket(polling, { EIO: 4, transport: "websocket" }, "Transport unknown");
    for (const kind of CLIENTS) {
      const client = await Client.open(kind, MODES[0], polling.url);
      assert.equal(await client.echo("hello"), "hello");
      await client.close();
    }
  });
  it("websocket: no polling", async () => {
    await refused(handshake(websocket, 4), 0, "Transport unknown");
    await refused(handshake(websocket, 3), 0, "Transport unknown");
    for (const kind of CLIENTS) {
      const client = await Client.open(kind, MODES[1], websocket.url);
      assert.equal(await client.echo("hello"), "hello");
      await client.close();
    }
  });
  it("both, in either order", async () => {
    for (const pair of PAIRS) await (await Client.open(pair.client, pair.mode, swapped.url)).close();
  });
});

describe("--cookie", () => {
  const server = echoServer({ before, after }, "--cookie", "io");

  for (const eio of [4, 3]) {
    it(`EIO ${eio}: the handshake sets it, later answers do not`, async () => {
      const response = await handshake(server, eio);
      const open = openPacket(response.text);
      const [pair, ...attributes] = response.headers.get("set-cookie").split(/; */);
      assert.equal(pair, `io=${open.sid}`);
      assert.deepEqual(attributes.map((item) => item.toLowerCase()).sort(), ["httponly", "path=/", "samesite=lax"]);
      const session = new PollingSession(server, eio, open, {});
      const posted = await session.post(eio === 4 ? "4hello" : "6:4hello");
      assert.equal(posted.headers.get("set-cookie"), null);
      assert.equal((await session.poll()).headers.get("set-cookie"), null);
    });
  }
});

describe("--max-payload", () => {
  const server = echoServer({ before, after }, "--max-payload", 1_000);

  it("is told in the handshake", async () => {
    assert.equal(openPacket((await handshake(server, 4)).text).maxPayload, 1_000);
  });
  for (const eio of [4, 3]) {
    const text = (length) => (eio === 4 ? `4${"x".repeat(length - 1)}` : `${length}:4${"x".repeat(length - 1)}`);

    it(`EIO ${eio}: a POST at the limit passes, one over it is 413 and ends the session`, async () => {
      const session = await PollingSession.open(server, eio);
      const most = text(eio === 4 ? 1_000 : 996);
      assert.equal(most.length, 1_000);
      assert.equal((await session.post(most)).text, "ok");
      assert.equal((await session.poll()).text, most);
      assert.equal((await session.post(`${most}x`)).status, 413);
      await untilGone(server, eio, session.sid);
    });
    it(`EIO ${eio}: the same by chunks`, async () => {
      const session = await PollingSession.open(server, eio);
      const body = new Blob([text(2_000)]).stream();
      assert.equal((await session.post(body, { duplex: "half" })).status, 413);
      await untilGone(server, eio, session.sid);
    });
    it(`EIO ${eio}: a WebSocket message over it closes the session`, async () => {
      const socket = await RawSocket.open(server, eio);
      socket.send(`4${"x".repeat(999)}`);
      assert.equal((await socket.next()).length, 1_000);
      socket.send(`4${"x".repeat(1_000)}`);
      assert.equal(await socket.end(), 1_009);
      await untilGone(server, eio, socket.handshake.sid);
    });
  }
  it("engine.io-client 6 splits what it sends over polling, so that all of it passes", async () => {
    const client = await Client.open(CLIENTS[0], MODES[0], server.url);
    const sent = Array.from({ length: 50 }, (_, index) => `${index} `.padEnd(300, "."));
    for (const item of sent) client.send(item);
    assert.deepEqual(await client.inbox.takeMany(sent.length), sent);
    await client.close();
  });
});

describe("--upgrade-timeout", () => {
  const server = echoServer({ before, after }, "--upgrade-timeout", 200);

  for (const eio of [4, 3]) {
    const payload = eio === 4 ? "4hello" : "6:4hello";

    it(`EIO ${eio}: a probe without its "5" ends, and polling goes on`, async () => {
      const session = await PollingSession.open(server, eio);
      const socket = await RawSocket.join(session);
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      await socket.end();
      assert.equal((await session.post(payload)).text, "ok");
      const noop = eio === 4 ? "6" : "1:6";
      let polled = await session.poll();
      // polls may still be released by noops of the attempt that has just ended
      for (let count = 0; count < 3 && polled.text === noop; count += 1) polled = await session.poll();
      assert.equal(polled.text, payload);
    });
  }
});

describe("compressed polling", () => {
  const server = echoServer({ before, after });

  for (const eio of [4, 3]) {
    for (const encoding of ["gzip", "deflate"]) {
      it(`EIO ${eio}: ${encoding}, to who asks for it`, async () => {
        const session = await PollingSession.open(server, eio);
        const text = "4" + "Grüße, ".repeat(8_000);
        const payload = eio === 4 ? text : `${text.length}:${text}`;
        assert.equal((await session.post(payload)).text, "ok");
        const polled = await session.poll({ headers: { "accept-encoding": encoding } });
        assert.equal(polled.headers.get("content-encoding"), encoding);
        assert.ok(Number(polled.headers.get("content-length")) < payload.length / 20);
        assert.equal(polled.text, payload);
      });
    }
  }
  it("engine.io-client 6 over fetch reads it", async (t) => {
    const codings = new Set();
    const fetch = globalThis.fetch;
    t.mock.method(globalThis, "fetch", async (...request) => {
      const response = await fetch(...request);
      codings.add(response.headers.get("content-encoding"));
      return response;
    });
    const [kind] = CLIENTS;
    const client = await Client.open(kind, MODES[0], server.url, { transports: [Fetch] });
    for (const data of ["small", "large ".repeat(20_000), binary(100_000), "ü🦀".repeat(30_000), "small"]) {
      client.send(data);
      assert.deepEqual(await client.next(), data);
    }
    await client.close();
    assert.deepEqual([...codings].sort(), ["gzip", null]);
  });
});

describe("--no-compression", () => {
  const server = echoServer({ before, after }, "--no-compression");

  it("large answers come as they are", async () => {
    const session = await PollingSession.open(server, 4);
    const text = `4${"x".repeat(50_000)}`;
    assert.equal((await session.post(text)).text, "ok");
    const polled = await session.poll({ headers: { "accept-encoding": "gzip, deflate" } });
    assert.equal(polled.headers.get("content-encoding"), null);
    assert.equal(polled.text, text);
  });
  it("WebSocket agrees on no extension", async () => {
    const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: true });
    assert.equal(socket.ws.extensions, "");
    const data = binary(50_000);
    socket.send(data);
    assert.ok(data.equals(await socket.next()));
    await socket.close();
  });
});
