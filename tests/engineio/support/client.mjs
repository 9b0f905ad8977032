// Clients: npm's engine.io-client 6 (EIO 4) and 3 (EIO 3), raw requests and raw WebSockets.

import "./globals.mjs";
import http from "node:http";
import net from "node:net";
import { Socket as Socket6 } from "engine.io-client-6";
import Socket3 from "engine.io-client-3";
import WebSocket from "ws";
import { DEADLINE, once, within } from "./wait.mjs";

/**
 * A real client for the test `t`, closed at its end. `options` are engine.io-client's; `options.eio` 3 takes the
 * client of revision 3. `server` is a TestServer or a URL. What comes in is kept: `client.messages` is the list,
 * `await message(client)` takes the next one. `client.closed` resolves to `{reason, description}`.
 */
export function connect(t, server, { eio = 4, ...options } = {}) {
  const url = typeof server === "string" ? server : server.ws;
  const client = eio === 3 ? new Socket3(url, options) : new Socket6(url, options);
  Object.assign(client, { messages: [], takers: [], taken: 0 });
  client.on("message", (data) => {
    client.messages.push(plain(data));
    while (client.takers.length && client.taken < client.messages.length) {
      client.takers.shift()(client.messages[client.taken++]);
    }
  });
  client.on("error", (error) => (client.failure = error));
  client.opened = new Promise((resolve) => client.once("open", resolve));
  client.handshaken = new Promise((resolve) => client.once("handshake", resolve));
  client.upgraded = new Promise((resolve) => client.once("upgrade", resolve));
  client.closed = new Promise((resolve) => {
    client.once("close", (reason, description) => resolve({ reason, description }));
  });
  t.after(() => client.close());
  return client;
}

/** A client that is open. */
export async function open(t, server, options) {
  const client = connect(t, server, options);
  await within(client.opened, "the client's open");
  return client;
}

/** The next message of a client: text as a string, binary as a Buffer. */
export function message(client, ms = DEADLINE) {
  if (client.taken < client.messages.length) return Promise.resolve(client.messages[client.taken++]);
  return within(new Promise((resolve) => client.takers.push(resolve)), "a message for the client", ms);
}

/** The clients give an empty text as `undefined`. */
function plain(data = "") {
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  return typeof data === "string" ? data : Buffer.from(data);
}

/** Makes a client deaf: what its transport brings from here on is lost, its timers run on. */
export function deafen(client) {
  for (const event of ["packet", "close", "error"]) client.transport.off(event);
}

/** Makes a client mute: no packet leaves it any more, pongs included. */
export function mute(client) {
  client._sendPacket = client.sendPacket = () => {};
}

/**
 * `{status, headers, text, bytes, body}` of a request to `/engine.io/`, `body` being the parsed JSON if it is some;
 * `headers` an object with lower-case names, `set-cookie` a list. With `path` instead of the default one. Sends
 * whatever headers it is told (fetch does not).
 */
export function request(server, query = {}, { method = "GET", headers = {}, body, path = "/engine.io/", agent } = {}) {
  const search = new URLSearchParams(query).toString();
  const answer = new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const req = http.request(`${server.url}${path}${search && `?${search}`}`, {
      method,
      headers: { ...length, ...headers },
      agent: agent ?? false,
    });
    req.once("error", reject);
    const answered = async (response) => {
      const bytes = Buffer.concat(await response.toArray());
      const text = bytes.toString();
      let json;
      try {
        json = JSON.parse(text);
      } catch {}
      resolve({ status: response.statusCode, headers: response.headers, bytes, text, body: json });
    };
    req.once("response", (response) => answered(response).catch(reject));
    req.once("upgrade", (response, socket) => {
      socket.on("error", () => {});
      socket.destroy();
      resolve({ status: 101, headers: response.headers, text: "" });
    });
    req.end(body);
  });
  return within(answer, `${method} ${path}?${search}`);
}

/** A polling handshake by hand: `{sid, upgrades, pingInterval, pingTimeout, maxPayload}`, and the `response`. */
export async function handshake(server, query = {}) {
  const response = await request(server, { EIO: 4, transport: "polling", ...query });
  const json = /^(?:\d+:)?0(\{[^\x1e]*\})/.exec(response.text)?.[1];
  if (response.status !== 200 || !json) throw new Error(`handshake: ${response.status} ${response.text}`);
  return { ...JSON.parse(json), response };
}

/**
 * A raw WebSocket (ws) for the test `t`. `frames` is the list of what came in (text as a string, binary as a
 * Buffer), `opened` and `closed` (its code) and `refused` (`{status, text}`) are promises.
 */
export function websocket(t, server, query = {}, options = {}) {
  const search = new URLSearchParams({ EIO: 4, transport: "websocket", ...query });
  const ws = new WebSocket(`${server.ws}/engine.io/?${search}`, options);
  ws.frames = [];
  ws.on("message", (data, binary) => ws.frames.push(binary ? data : data.toString()));
  ws.on("error", () => {});
  ws.opened = new Promise((resolve) => ws.once("open", resolve));
  ws.closed = new Promise((resolve) => ws.once("close", resolve));
  ws.refused = new Promise((resolve) => {
    ws.once("unexpected-response", async (_, response) => {
      const text = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode, headers: response.headers, text });
      ws.terminate();
    });
  });
  t.after(() => ws.terminate());
  return ws;
}

/** The frame number `index` (from 0) of a raw WebSocket, waiting for it. */
export async function frame(ws, index = 0) {
  const due = performance.now() + DEADLINE;
  while (ws.frames.length <= index) await once(ws, "message", Math.max(1, due - performance.now()));
  return ws.frames[index];
}

/** A TCP connection for the test `t` that has sent `text`. `heard()` is all that came, `ended` resolves at the end. */
export async function tcp(t, server, text) {
  const socket = net.connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: false });
  t.after(() => socket.destroy());
  let heard = "";
  socket.setEncoding("latin1").on("data", (chunk) => (heard += chunk));
  socket.on("error", () => {});
  socket.heard = () => heard;
  socket.ended = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  socket.write(text);
  return socket;
}
