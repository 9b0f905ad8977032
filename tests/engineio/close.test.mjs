// engine.io's "close": who ends a session, and what each side hears of it.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import http from "node:http";
import { listen } from "./support/server.mjs";
import { connect, frame, handshake, message, open, request, tcp, websocket } from "./support/client.mjs";
import { once, pass, within } from "./support/wait.mjs";

const POLLING = { allowUpgrades: false };
const WEBSOCKET = { allowUpgrades: false, transports: ["websocket"] };

/** The two ways in, as engine.io's cases have them: on polling (the plain name), and on WebSocket ("(ws)"). */
const WAYS = [
  { suffix: "", config: POLLING, options: {} },
  { suffix: " (ws)", config: WEBSOCKET, options: { transports: ["websocket"] } },
];

const reason = (client) => within(client.closed, "the client's close").then(({ reason }) => reason);

describe("close", () => {
  test("should be able to access non-empty writeBuffer at closing (server)", async (t) => {
    // the buffer itself is not public: its size is, and an awaited send tells what became of a message
    const server = await listen(t, { config: POLLING, script: { connection: [{ do: "send", text: "foo", tag: 1 }] } });
    const { sid } = await handshake(server);
    const { clients } = await server.stats();
    assert.deepEqual(clients.map(({ id, bufferedBytes }) => [id, bufferedBytes > 0]), [[sid, true]]);
    await request(server, { EIO: 4, transport: "polling", sid }, { method: "POST", body: "no packet" });
    const close = await server.waitFor("close", { id: sid, reason: "parse error" });
    const sent = await server.waitFor("sent", { tag: 1, result: "closed" });
    const order = server.events();
    assert.ok(order.indexOf(close) < order.indexOf(sent));
  });

  for (const { suffix, config, options } of WAYS) {
    test(`should trigger when server closes a client${suffix}`, async (t) => {
      const server = await listen(t, { config, script: { connection: [{ do: "close", delay: 10 }] } });
      const client = await open(t, server, options);
      await server.waitFor("close", { id: client.id, reason: "forced close" });
      assert.equal(await reason(client), "transport close");
    });

    test(`should trigger when client closes${suffix}`, async (t) => {
      const server = await listen(t, { config });
      const client = await open(t, server, options);
      const { id } = client;
      client.close();
      assert.equal(await reason(client), "forced close");
      await server.waitFor("close", { id, reason: "transport close" });
      await server.untilClients(0);
    });
  }

  test("should allow client reconnect after restarting (ws)", async (t) => {
    const server = await listen(t, { config: { transports: ["websocket"] } });
    const [first] = server.events("listening");
    server.send({ do: "restartHttp" });
    await server.waitFor("listening", { port: server.port }, { after: first });
    const client = await open(t, server, { transports: ["websocket"] });
    server.send({ do: "close", id: client.id });
    assert.equal(await reason(client), "transport close");
  });

  test("should trigger when calling socket.close() in payload", async (t) => {
    const script = { connection: [{ do: "send", text: "" }, { do: "send", text: "this should not be handled" }] };
    const server = await listen(t, { config: POLLING, script });
    const client = connect(t, server);
    client.once("message", () => client.close());
    assert.equal(await reason(client), "forced close");
    await server.waitFor("close", { reason: "transport close" });
    assert.deepEqual(client.messages, [""]);
  });

  test("should abort upgrade if socket is closed (GH-35)", async (t) => {
    const server = await listen(t);
    const client = await open(t, server);
    const { id } = client;
    client.close();
    assert.equal(await reason(client), "forced close");
    await server.waitFor("close", { id });
    await server.untilClients(0);
  });

  test("should abort connection when upgrade fails", async (t) => {
    const server = await listen(t);
    const lines = ["GET /engine.io/ HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "", ""];
    const socket = await tcp(t, server, lines.join("\r\n"));
    await within(socket.ended, "the server's end of the connection");
    assert.match(socket.heard(), /^HTTP\/1\.1 400 /);
    assert.match(socket.heard(), /\r\nconnection: close\r\n/i); // not for being idle
    assert.ok(socket.heard().endsWith('\r\n\r\n{"code":0,"message":"Transport unknown"}'), socket.heard());
    await server.waitFor("connection_error", { code: 0, context: "UNKNOWN_TRANSPORT" });
  });

  test("should trigger if a poll request is ongoing and the underlying socket closes, as in a browser tab close", async (t) => {
    const server = await listen(t, { config: POLLING });
    const { sid } = await handshake(server);
    const poll = `GET /engine.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const socket = await tcp(t, server, poll);
    await pass(50); // the poll reaches the server, and waits there
    assert.equal((await server.stats()).clients[0].readyState, "open");
    socket.end();
    await server.waitFor("close", {
      id: sid,
      reason: "transport error",
      description: "poll connection closed prematurely",
    });
    assert.equal(socket.heard(), "");
  });

  test("should not trigger with connection: close header", async (t) => {
    const script = { message: [{ do: "send", text: "woot", when: ["test"] }] };
    const server = await listen(t, { config: POLLING, script, events: ["headers"] });
    const client = await open(t, server, { extraHeaders: { connection: "close" } });
    client.send("test");
    assert.equal(await message(client), "woot");
    for (const { req } of server.events("headers")) assert.equal(req.headers.connection, "close");
    assert.equal(server.events("close").length, 0);
  });

  test("should trigger early with connection `transport close` after missing pong", async (t) => {
    const config = { ...POLLING, pingInterval: 80, pingTimeout: 5_000 };
    const server = await listen(t, { config, script: { heartbeat: [{ do: "close", delay: 20 }] } });
    const client = await open(t, server);
    assert.equal(await reason(client), "transport close");
  });

  test("should abort the polling data request if it is in progress", async (t) => {
    const server = await listen(t, { config: { transports: ["polling"] } });
    const { sid } = await handshake(server);
    const url = `${server.url}/engine.io/?EIO=4&transport=polling&sid=${sid}`;
    const post = http.request(url, { method: "POST", agent: false, headers: { "content-length": 5 } });
    post.on("error", () => {});
    const answer = once(post, "response");
    post.write("4t");
    await pass(50); // its beginning reaches the server
    server.send({ do: "close", id: sid, discard: true });
    await server.waitFor("close", { id: sid, reason: "forced close" });
    const [response] = await answer;
    response.resume();
    assert.equal(response.statusCode, 400);
    await once(post, "close");
    assert.equal(server.events("message").length, 0);
  });

  test("should abort the polling data request if the content type is invalid", async (t) => {
    const server = await listen(t);
    const { sid } = await handshake(server);
    const post = { method: "POST", body: Buffer.of(1, 2, 3), headers: { "content-type": "application/octet-stream" } };
    assert.equal((await request(server, { EIO: 4, transport: "polling", sid }, post)).status, 400);
  });

  test("should trigger transport close before open for ws", async (t) => {
    // theirs ask a host that is not there; here it is the server that refuses
    const server = await listen(t, { config: { transports: ["polling"] } });
    assert.equal(await reason(connect(t, server, { transports: ["websocket"] })), "transport error");
  });

  test("should trigger transport close before open for xhr", async (t) => {
    const server = await listen(t, { config: { transports: ["websocket"] } });
    assert.equal(await reason(connect(t, server, { transports: ["polling"] })), "transport error");
  });

  for (const [name, transport] of [["ws", "websocket"], ["xhr", "polling"]]) {
    test(`should trigger force close before open for ${name}`, async (t) => {
      const server = await listen(t, { config: { transports: [transport], pingInterval: 50, pingTimeout: 50 } });
      const client = connect(t, server, { transports: [transport] });
      client.on("open", () => assert.fail("it opened"));
      client.close();
      assert.equal(await reason(client), "forced close");
    });
  }

  test("should close transport upon parse error (ws)", async (t) => {
    const server = await listen(t, { config: WEBSOCKET });
    const client = await open(t, server, { transports: ["websocket"] });
    client.transport.ws.send("invalid");
    await server.waitFor("error", { id: client.id, reason: "parse error" });
    await server.waitFor("close", { id: client.id, reason: "parse error" });
    assert.equal(await reason(client), "transport close");
  });

  test("should close transport upon parse error (polling)", async (t) => {
    const server = await listen(t, { config: { ...POLLING, transports: ["polling"] } });
    const client = await open(t, server, { transports: ["polling"] });
    client.transport.doWrite("invalid", () => {});
    await server.waitFor("error", { id: client.id, reason: "parse error" });
    await server.waitFor("close", { id: client.id, reason: "parse error" });
    // the poll that waits is answered too, with a close packet or by the refusal of what follows
    assert.match(await reason(client), /^transport (close|error)$/);
  });

  test("should say no more than the code to a client that sends too much", async (t) => {
    // from engine.io-client's own tests: they compare the body and the reason
    const server = await listen(t, { config: { maxHttpBufferSize: 100 } });
    const { sid } = await handshake(server);
    const post = { method: "POST", body: `4${"a".repeat(100)}` };
    const response = await request(server, { EIO: 4, transport: "polling", sid }, post);
    assert.deepEqual([response.status, response.text], [413, ""]);
    const socket = websocket(t, server);
    const closing = once(socket, "close");
    await frame(socket);
    socket.send(post.body);
    const [code, text] = await closing;
    assert.deepEqual([code, text.toString()], [1009, ""]);
  });

  test("should close upgrading transport upon socket close", async (t) => {
    const server = await listen(t, { events: ["upgrading"], script: { upgrading: [{ do: "close" }] } });
    const { sid } = await handshake(server);
    const probe = websocket(t, server, { sid });
    await within(probe.opened, "the WebSocket's open");
    probe.send("2probe");
    await server.waitFor("upgrading", { id: sid, transport: "websocket" });
    // closing is graceful: the poll that takes the close packet ends the session, and the probe with it
    const poll = await request(server, { EIO: 4, transport: "polling", sid });
    assert.match(poll.text, /(^|\x1e)1$/);
    await within(probe.closed, "the end of the upgrading transport");
    await server.waitFor("close", { id: sid, reason: "forced close" });
  });

  test("should close upgrading transport upon socket close (client)", async (t) => {
    const server = await listen(t, { script: { upgrading: [{ do: "close" }] } });
    const client = await open(t, server);
    assert.equal(await reason(client), "transport close");
    await server.waitFor("close", { reason: "forced close" });
  });

  test("should discard the packets in the writeBuffer when stopping the server", async (t) => {
    // ours differs on purpose: `Server::close` lets what was sent before arrive, and cuts off after its deadline
    const script = { connection: [{ do: "send", text: "hello" }, { do: "closeServer" }] };
    const server = await listen(t, { script });
    const client = connect(t, server);
    assert.equal(await message(client), "hello");
    assert.equal(await reason(client), "transport close");
    await server.waitFor("close", { reason: "server shutting down" });
    assert.equal((await server.waitFor("server_closed")).clientsCount, 0);
  });

  test("should discard the packets in the writeBuffer when stopping the server: after the deadline", async (t) => {
    const server = await listen(t, { script: { connection: [{ do: "send", text: "hello", tag: 1 }] } });
    const { sid } = await handshake(server);
    server.send({ do: "closeServer", deadline: 10 });
    await server.waitFor("server_closed", { clientsCount: 0 });
    await server.waitFor("sent", { tag: 1, result: "closed" });
    assert.equal((await request(server, { EIO: 4, transport: "polling", sid })).body.code, 1);
  });

  test("should discard the packets in the writeBuffer when stopping the server (2)", async (t) => {
    const script = { connection: [{ do: "send", text: "hello" }, { do: "close" }, { do: "closeServer" }] };
    const server = await listen(t, { script });
    const client = connect(t, server);
    assert.equal(await message(client), "hello");
    assert.equal(await reason(client), "transport close");
    await server.waitFor("close", { reason: "forced close" });
    assert.equal((await server.waitFor("server_closed")).clientsCount, 0);
  });

  for (const { suffix, options } of WAYS) {
    test(`should not discard the packets in the writeBuffer when closing gracefully${suffix}`, async (t) => {
      const server = await listen(t, { script: { connection: [{ do: "send", text: "hello" }, { do: "close" }] } });
      const client = connect(t, server, options);
      assert.equal(await message(client), "hello");
      assert.equal(await reason(client), "transport close");
    });
  }

  test("should take no new session when the server is closed", async (t) => {
    // not one of engine.io's
    const server = await listen(t);
    const socket = websocket(t, server);
    await frame(socket);
    server.send({ do: "closeServer" });
    assert.equal(await within(socket.closed, "the WebSocket's close"), 1001);
    assert.equal((await request(server, { EIO: 4, transport: "polling" })).status, 503);
  });
});
