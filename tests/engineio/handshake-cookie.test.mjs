// engine.io's "handshake", its cases about the cookie, over polling of both revisions and over WebSocket.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { listen } from "./support/server.mjs";
import { frame, request, websocket } from "./support/client.mjs";
import { once } from "./support/wait.mjs";

/** The case's name, the option `cookie`, and the cookie with `*` for the session's id. */
const CASES = [
  ["should send the io cookie", true, "io=*; Path=/; HttpOnly; SameSite=Lax"],
  ["should send the io cookie custom name", { name: "woot" }, "woot=*; Path=/; HttpOnly; SameSite=Lax"],
  ["should send the cookie with custom path", { path: "/custom" }, "io=*; Path=/custom; HttpOnly; SameSite=Lax"],
  // engine.io 6 keeps HttpOnly without a path, the library documents engine.io 3's rule: without a path no HttpOnly
  ["should send the cookie with path=false", { path: false }, "io=*; SameSite=Lax"],
  ["should send the io cookie with httpOnly=true", { httpOnly: true }, "io=*; Path=/; HttpOnly; SameSite=Lax"],
  ["should send the io cookie with sameSite=strict", { sameSite: "strict" }, "io=*; Path=/; HttpOnly; SameSite=Strict"],
  ["should send the io cookie with httpOnly=false", { httpOnly: false }, "io=*; Path=/; SameSite=Lax"],
  // not one of engine.io's
  ["should send the io cookie with secure", { sameSite: "none", secure: true }, "io=*; Path=/; HttpOnly; SameSite=None; Secure"],
];

/** The attributes of a cookie may come in any order. */
const parts = (cookie) => cookie.split("; ").sort();

describe("handshake: cookie", () => {
  for (const [name, cookie, expected] of CASES) {
    test(name, async (t) => {
      const server = await listen(t, { config: { cookie } });
      const queries = [{ EIO: 4 }, { EIO: 3 }, { EIO: 3, b64: 1 }];
      for (const query of queries) {
        const response = await request(server, { transport: "polling", ...query });
        const [, sid] = /"sid":"([^"]+)"/.exec(response.text);
        assert.deepEqual(response.headers["set-cookie"].map(parts), [parts(expected.replace("*", sid))]);
      }
    });
  }

  test("should send the io cookie (websocket)", async (t) => {
    const server = await listen(t, { config: { cookie: true } });
    const socket = websocket(t, server);
    const [response] = await once(socket, "upgrade");
    const [, sid] = /"sid":"([^"]+)"/.exec(await frame(socket));
    assert.deepEqual(parts(response.headers["set-cookie"][0]), parts(`io=${sid}; Path=/; HttpOnly; SameSite=Lax`));
  });

  test("should send the io cookie with the handshake only", async (t) => {
    const server = await listen(t, { config: { cookie: true }, script: { connection: [{ do: "send", text: "a" }] } });
    const response = await request(server, { EIO: 4, transport: "polling" });
    const [, sid] = /"sid":"([^"]+)"/.exec(response.text);
    const poll = await request(server, { EIO: 4, transport: "polling", sid });
    assert.equal(poll.status, 200);
    assert.equal(poll.headers["set-cookie"], undefined);
  });

  test("should not send the io cookie", async (t) => {
    const server = await listen(t, { config: { cookie: false } });
    const response = await request(server, { EIO: 4, transport: "polling" });
    assert.equal(response.status, 200);
    assert.equal(response.headers["set-cookie"], undefined);
  });
});
