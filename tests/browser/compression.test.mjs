// Compression with a real Chromium: what it agrees on, by its DevTools protocol, and the bytes on the wire, by a proxy.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { countingProxy } from "./proxy.mjs";
import { checkTools, clientScript, launch, startServer } from "./support.mjs";

checkTools();

const LENGTH = 100_000; // characters, and bytes, of a message
const DEADLINE = 20_000; // ms, for an echo

for (const flags of [[], ["--no-handover"]]) describe(["compression", ...flags].join(" "), { timeout: 120_000 }, () => {
  let browser, proxy, server;

  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  beforeEach(async () => {
    server = await startServer("echo", 0, flags);
    proxy = await countingProxy(server.port);
  });
  afterEach(async () => {
    await proxy?.stop();
    await server?.stop();
  });

  /**
   * A page with a session of engine.io-client. By the DevTools protocol: `handshake` are the headers of its WebSocket's
   * handshake response, `gzipped` those of its first response that is.
   */
  async function session(transports) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    const first = (event, wanted) => new Promise((resolve) => {
      devtools.on(event, ({ response }) => {
        const headers = lowerCase(response.headers);
        if (wanted(headers)) resolve(headers);
      });
    });
    const handshake = first("Network.webSocketHandshakeResponseReceived", () => true);
    const gzipped = first("Network.responseReceived", (headers) => headers["content-encoding"] === "gzip");
    await devtools.send("Network.enable");
    // The server has no pages: the answer to a handshake is a document of its origin.
    await page.goto(`${proxy.url}/engine.io/?EIO=4&transport=polling`);
    await page.addScriptTag({ path: clientScript });
    const arrived = await page.evaluate(open, { url: proxy.url, transports, deadline: DEADLINE });
    assert.equal(arrived, transports.at(-1));
    return { page, handshake, gzipped, close: () => context.close() };
  }

  /** Sends one message and awaits its echo; returns the bytes that passed meanwhile. */
  async function exchange(page, kind) {
    const { up, down } = proxy;
    assert.equal(await page.evaluate(echoed, { kind, length: LENGTH, deadline: DEADLINE }), true, `${kind}: the echo differs`);
    return { up: proxy.up - up, down: proxy.down - down };
  }

  for (const transports of [["websocket"], ["polling", "websocket"]]) {
    it(`of WebSocket messages, over ${transports.join(" then ")}`, async () => {
      const { page, handshake, close } = await session(transports);
      const headers = await handshake;
      assert.match(headers["sec-websocket-extensions"], /^permessage-deflate; server_no_context_takeover; client_no_context_takeover\b/);
      for (const kind of ["text", "binary"]) {
        const { up, down } = await exchange(page, kind);
        assert.ok(up < LENGTH / 4 && down < LENGTH / 4, `${kind}: ${up} bytes up, ${down} down`);
      }
      await close();
    });
  }

  it("of polling responses", async () => {
    const { page, gzipped, close } = await session(["polling"]);
    const { up, down } = await exchange(page, "text");
    assert.ok(up > LENGTH && down < LENGTH / 4, `${up} bytes up, ${down} down`);
    await gzipped;
    await close();
  });
});

function lowerCase(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** In the page: opens a session and names the transport that it has in the end. */
function open({ url, transports, deadline }) {
  const socket = (window.socket = eio(url, { transports }));
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("no session in time")), deadline);
    socket.once("close", (reason, details) => reject(new Error(`closed: ${reason} ${details ?? ""}`)));
    const upgrades = transports.length > 1;
    socket.once(upgrades ? "upgrade" : "open", () => resolve(socket.transport.name));
  });
}

/** In the page: does a message of `length` bytes of JSON come back as it was? */
function echoed({ kind, length, deadline }) {
  const items = Array.from({ length: length / 40 }, (_, id) => ({ id, name: `item ${id}`, tags: ["a", "b"] }));
  const text = JSON.stringify(items).slice(0, length);
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("no echo in time")), deadline);
    window.socket.once("message", (data) => {
      resolve(kind === (typeof data === "string" ? "text" : "binary")
        && text === (kind === "text" ? data : new TextDecoder().decode(data)));
    });
    window.socket.send(kind === "text" ? text : new TextEncoder().encode(text).buffer);
  });
}
