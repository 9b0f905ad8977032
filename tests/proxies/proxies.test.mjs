// Sessions of real clients through nginx and HAProxy, in front of two server processes with two threads each.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { TestServer } from "../engineio/support/server.mjs";
import { once } from "../engineio/support/wait.mjs";
import { Client } from "./support/client.mjs";
import { deployed, haproxy, haproxyWithoutCookies, nginx, nginxWithoutMap } from "./support/proxy.mjs";

const POLLING = { transports: ["polling"] };
const WEBSOCKET = { transports: ["websocket"] };
const UPGRADE = { transports: ["polling", "websocket"] };

/** A server whose sessions' ids begin with its name. */
function server(name, options) {
  return TestServer.start({
    listen: true,
    ...options,
    workers: 2,
    generateId: `prefix:${name}-`,
    config: {
      preset: "default",
      pingInterval: 400,
      pingTimeout: 20_000,
      keepHeaders: ["host", "cookie", "x-forwarded-for"],
    },
    script: { message: [{ do: "echo" }] },
  });
}

/** Two servers and a proxy in front of them. */
async function site(proxy, options = {}) {
  const [a, b] = await Promise.all([server("a", options), server("b", options)]);
  try {
    const front = await proxy.start({ a: a.port, b: b.port });
    return { servers: { a, b }, front, url: front.url };
  } catch (error) {
    await Promise.all([a.close(), b.close()]);
    throw error;
  }
}

/** `count` sessions, which must have come to both processes. */
async function sessions(url, count, options) {
  const clients = await Promise.all(Array.from({ length: count }, () => Client.open(url, options)));
  assert.deepEqual([...new Set(clients.map(({ id }) => id[0]))].sort(), ["a", "b"], "both processes have some");
  return clients;
}

const numbers = (from, to) => Array.from({ length: to - from }, (_, at) => `message ${from + at}`);

/** The response of a plain request. */
async function fetched(url, path, headers = {}) {
  const asked = request(`${url}/engine.io/?EIO=4&transport=polling${path}`, { headers }).end();
  const [response] = await once(asked, "response");
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

for (const proxy of [nginx, haproxy, haproxyWithoutCookies]) {
  describe(proxy.name, () => {
    let at;
    const client = { withCredentials: proxy === haproxy };
    before(async () => (at = await site(proxy)));
    after(async () => {
      await at?.front.stop();
      await Promise.all(Object.values(at?.servers ?? {}).map((server) => server.close()));
    });

    it("sessions upgrade, and lose nothing by it", async () => {
      const clients = await sessions(at.url, 20, { ...UPGRADE, ...client });
      await Promise.all(clients.map(async (client) => {
        await client.echoes(...numbers(0, 20), Buffer.from([1, 2, 3]));
        await client.toWebSocket();
        assert.equal(client.transport, "websocket");
        await client.echoes(...numbers(20, 40), Buffer.from([4, 5, 6]));
        await client.close();
      }));
    });

    it("sessions that only poll stay where they began", async () => {
      const clients = await sessions(at.url, 10, { ...POLLING, ...client });
      await Promise.all(clients.map(async (client) => {
        for (let round = 0; round < 10; round++) await client.echoes(...numbers(0, 3), Buffer.from([round]));
        await client.close();
      }));
    });

    it("sessions begin on WebSocket", async () => {
      const clients = await sessions(at.url, 6, { ...WEBSOCKET, ...client });
      await Promise.all(clients.map(async (client) => {
        await client.echoes(...numbers(0, 10));
        await client.close();
      }));
    });

    for (const [name, options] of Object.entries({ polling: POLLING, websocket: WEBSOCKET })) {
      it(`${name}: messages of nearly a million bytes, both ways`, async () => {
        const session = await Client.open(at.url, { ...options, ...client });
        await session.echoes("ä".repeat(450_000));
        await session.echoes(Buffer.alloc(name === "polling" ? 740_000 : 999_999, 7));
        await session.close();
      });

      it(`${name}: a session lives on while nobody says anything`, async () => {
        const session = await Client.open(at.url, { ...options, ...client });
        await session.pings(4);
        await session.echoes("still here");
        await session.close();
      });
    }

    it("the server sees the client's address, the site's name, and no cookie of the proxy", async () => {
      const session = await Client.open(at.url, { ...POLLING, ...client });
      const { headers } = await at.servers[session.id[0]].waitFor("connection", { id: session.id });
      assert.equal(headers["x-forwarded-for"], "127.0.0.1");
      assert.equal(headers.host, at.url.replace("http://", ""));
      await session.echoes("another request");
      await session.close();
      const { headers: answer } = await fetched(at.url, "");
      const cookie = answer["set-cookie"].map((line) => line.split(";")[0]).join("; ");
      assert.match(cookie, /(^| )io=[ab]-/);
      const { body } = await fetched(at.url, "", { cookie });
      const { sid } = JSON.parse(body.slice(1));
      const seen = await at.servers[sid[0]].waitFor("connection", { id: sid });
      assert.doesNotMatch(seen.headers.cookie, /engine/);
    });

    it("a page of this site may connect with its cookies, another one may not", async () => {
      const cookie = "session=secret";
      const own = await fetched(at.url, "", { cookie, origin: at.url });
      assert.equal(own.status, 200, own.body);
      const foreign = await fetched(at.url, "", { cookie, origin: "http://elsewhere.example" });
      assert.equal(foreign.status, 403, foreign.body);
    });

    it("the server hears at once of a WebSocket and of a poll that are cut off", async () => {
      const session = await Client.open(at.url, { ...WEBSOCKET, ...client });
      const { id } = session;
      session.socket.transport.ws.terminate();
      const end = await at.servers[id[0]].waitFor("close", { id });
      assert.match(end.reason, /^transport/, "no ping timeout");

      const opened = await fetched(at.url, "");
      const { sid } = JSON.parse(opened.body.slice(1));
      const cookie = opened.headers["set-cookie"].map((line) => line.split(";")[0]).join("; ");
      // The first ping answers a poll; the next poll waits for the next one.
      assert.equal((await fetched(at.url, `&sid=${sid}`, { cookie })).body, "2");
      const poll = request(`${at.url}/engine.io/?EIO=4&transport=polling&sid=${sid}`, { headers: { cookie } }).end();
      poll.on("error", () => {});
      await once(poll, "finish");
      // Time for the poll to arrive; nothing tells us that it has.
      for (let more = 0; more < 3; more++) await fetched(at.url, "");
      poll.destroy();
      const gone = await at.servers[sid[0]].waitFor("close", { id: sid });
      assert.match(gone.reason, /^transport/, "no ping timeout");
    });
  });

  describe(`${proxy.name}, a process goes down`, () => {
    it("its clients hear of it, and new sessions begin at the other one", async () => {
      const { servers, front, url } = await site(proxy);
      const options = { withCredentials: proxy === haproxy };
      const clients = await sessions(url, 6, { ...UPGRADE, ...options });
      await Promise.all(clients.map((client) => client.toWebSocket()));
      await servers.a.close();
      for (const client of clients) {
        if (client.id[0] === "a") await client.closed;
        else await client.echoes("still here");
      }
      const later = await Promise.all(Array.from({ length: 6 }, () => Client.open(url, { ...UPGRADE, ...options })));
      for (const client of later) {
        assert.equal(client.id[0], "b");
        await client.toWebSocket();
        await client.echoes("again");
      }
      await Promise.all([...clients, ...later].map(({ socket }) => socket.close()));
      await front.stop();
      await servers.b.close();
    });
  });
}

for (const ownListeners of [false, true]) {
  describe(`${nginxWithoutMap.name}${ownListeners ? ", own listeners" : ""}`, () => {
    it("no session is lost that only polls", async () => {
      const { servers, front, url } = await site(nginxWithoutMap, { ownListeners });
      const clients = await sessions(url, 30, POLLING);
      await Promise.all(clients.map(async (client) => {
        for (let round = 0; round < 100; round++) await client.echoes(`message ${round}`);
        await client.close();
      }));
      await front.stop();
      await Promise.all([servers.a.close(), servers.b.close()]);
    });
  });
}

describe("the documented files", () => {
  // Config::default(): ping_interval 25 s, ping_timeout 60 s.
  const patience = 25 + 60;
  for (const [file, pattern, count] of [
    ["nginx.conf", /proxy_(?:read|send)_timeout (\d+)s;/g, 2],
    ["haproxy.cfg", /timeout (?:client|server|tunnel) (\d+)s/g, 3],
  ]) {
    it(`${file} waits for longer than the server`, () => {
      const timeouts = [...deployed(file).matchAll(pattern)].map(([, seconds]) => Number(seconds));
      assert.equal(timeouts.length, count);
      timeouts.forEach((seconds) => assert.ok(seconds > patience, `${seconds} s`));
    });
  }
});
