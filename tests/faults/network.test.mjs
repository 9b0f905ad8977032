// Real clients behind networks that break an upgrade or a request: the polling session goes on with nothing lost, or both
// sides learn of the end.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { connect, event, normalClientWorks } from "./support/client.mjs";
import { until, within } from "./support/deadline.mjs";
import { startProxy } from "./support/proxy.mjs";
import { Polling, isKnown } from "./support/raw.mjs";
import { startServer } from "./support/server.mjs";

const MESSAGES = 60;

let server;
before(async () => (server = await startServer(["--upgrade-timeout", 1500])));
after(() => server?.stop());

const onlyWebSockets = (faults) => (_, first) => (first.includes("transport=websocket") ? (typeof faults === "function" ? faults(first) : faults) : {});

/** A client that numbers its messages for as long as its upgrade may take to fail; all must come back in order, by polling. */
async function staysOnPolling(eio, faults, { failed = true } = {}) {
  const proxy = await startProxy(server.port, onlyWebSockets(faults));
  const client = connect(proxy.port, eio, { rememberUpgrade: false });
  try {
    const got = [];
    const end = new Promise((_, reject) => client.once("close", (reason) => reject(new Error(`client closed: ${reason}`))));
    end.catch(() => {});
    let upgradeError;
    const lost = new Promise((resolve) => client.once("upgradeError", (error) => resolve((upgradeError = error))));
    client.on("message", (data) => got.push(data));
    client.on("upgrade", () => got.push("upgraded"));
    await event(client, "open");
    for (let at = 0; at < MESSAGES; at++) {
      client.send(`m${at}`);
      if (at % 6 === 5) await Promise.race([end, until(() => got.length > at - 3, 5000, `echoes up to ${at}`)]);
    }
    if (failed) await Promise.race([end, within(lost, 5000, "the client's upgradeError")]);
    client.send("last");
    await Promise.race([end, until(() => got.length > MESSAGES, 5000, "the last echo")]);
    assert.deepEqual(got, [...Array.from({ length: MESSAGES }, (_, at) => `m${at}`), "last"]);
    assert.equal(client.transport.name, "polling");
    assert.ok(!failed || upgradeError);
  } finally {
    client.close();
    await proxy.stop();
  }
}

for (const eio of [4, 3]) describe(`EIO ${eio}`, { concurrency: 4 }, () => {
  afterEach(() => normalClientWorks(server, eio));

  test("a proxy strips `Upgrade`", () => staysOnPolling(eio, { stripUpgrade: true }));

  test("the network stalls after the 101", () => staysOnPolling(eio, { stallAfter101: true }, { failed: false }));

  for (const how of ["fin", "rst"]) {
    for (const bytes of [1, 60, 129]) {
      test(`the WebSocket is cut (${how}) after ${bytes} bytes of the server's`, () =>
        staysOnPolling(eio, { cut: { side: "server", bytes, how } }));
    }
    for (const more of [0, 1, 6, 11]) {
      test(`the WebSocket is cut (${how}) ${more} bytes behind the client's handshake`, () =>
        staysOnPolling(eio, (first) => ({ cut: { side: "client", bytes: first.length + more, how } })));
    }
  }

  for (const how of ["fin", "rst"]) {
    test(`a POST is cut (${how}) in its body: the session ends, the client is told`, async () => {
      const proxy = await startProxy(server.port, (_, first) => (first.startsWith("POST") ? { cut: { side: "client", bytes: first.length + 1000, how } } : {}));
      const client = connect(proxy.port, eio, { transports: ["polling"], agent: undefined });
      try {
        await event(client, "open");
        const { id } = client;
        const closed = new Promise((resolve) => client.once("close", resolve));
        client.on("error", () => {});
        client.send("x".repeat(200000));
        await within(closed, 5000, "the client's close");
        await until(async () => !(await isKnown({ port: server.port, sid: id, eio })), 3000, "the session is gone");
      } finally {
        client.close();
        await proxy.stop();
      }
    });
  }

  test("a network that doubles polls: the session comes to a clear end", async () => {
    const proxy = await startProxy(server.port, { duplicateGet: true });
    const client = connect(proxy.port, eio, { transports: ["polling"] });
    try {
      const closed = new Promise((resolve) => client.once("close", resolve));
      client.on("error", () => {});
      await event(client, "open");
      const { id } = client;
      await within(closed, 5000, "the client's close");
      await until(async () => !(await isKnown({ port: server.port, sid: id, eio })), 3000, "the session is gone");
    } finally {
      client.close();
      await proxy.stop();
    }
  });

  test("byte by byte, polling and WebSocket both work", async () => {
    const proxy = await startProxy(server.port, { fragment: 1 });
    try {
      const session = await Polling.open(proxy.port, eio);
      await session.echoes("ä", "€", "\u{1F600}");
      await normalClientWorks({ ...server, port: proxy.port }, eio);
    } finally {
      await proxy.stop();
    }
  });
});
