// JSONP polling by raw HTTP, as old browsers do it: a script around the payload, a form around what they send.

import assert from "node:assert/strict";
import vm from "node:vm";
import { after, before, describe, it } from "node:test";
import { PollingSession, RS, openPacket, request } from "./support/http.mjs";
import { echoServer } from "./support/server.mjs";

/** Runs the script as a browser would: which callback it called, and with what. */
function run(script) {
  const calls = [];
  const slots = new Proxy({}, { get: (_, index) => (payload) => calls.push([index, payload]) });
  vm.runInNewContext(script, { ___eio: slots }, { timeout: 1_000 });
  assert.equal(calls.length, 1, script);
  return { index: calls[0][0], payload: calls[0][1] };
}

/** A JSONP session driven by hand; as with the field's client, `j` is one number for the whole session. */
class JsonpSession {
  static async open(server, eio) {
    const session = new JsonpSession();
    session.query = { EIO: eio, transport: "polling", b64: 1, j: 3 };
    session.server = server;
    session.handshake = openPacket((await session.poll()).payload);
    session.query.sid = session.handshake.sid;
    return session;
  }

  async poll() {
    const response = await request(this.server, this.query);
    assert.equal(response.status, 200, response.text);
    const called = run(response.text);
    assert.equal(called.index, "3");
    return { ...response, ...called };
  }

  /** What the field's JSONP client does: newlines are escaped before the form encodes them. */
  post(payload) {
    const escaped = payload.replaceAll("\\n", "\\\\n").replaceAll("\n", "\\n");
    return this.postForm(new URLSearchParams({ d: escaped }).toString());
  }

  postForm(body) {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return request(this.server, this.query, { method: "POST", body, headers });
  }
}

/** `text` as the payload of one message packet in revision `eio`. */
const message = (eio, text) => (eio === 4 ? `4${text}` : `${text.length + 1}:4${text}`);
const payload = (eio, ...texts) => texts.map((text) => message(eio, text)).join(eio === 4 ? RS : "");

for (const eio of [4, 3]) {
  describe(`JSONP, EIO ${eio}`, () => {
    const server = echoServer({ before, after });
    const open = () => JsonpSession.open(server, eio);

    it("the handshake is a script that calls ___eio[j]", async () => {
      const response = await request(server, { EIO: eio, transport: "polling", b64: 1, j: 0 });
      assert.equal(response.status, 200);
      assert.match(response.text, /^___eio\[0\]\("(?:\d+:)?0\{\\"sid\\":.*"\);$/s);
      const open = openPacket(run(response.text).payload);
      assert.deepEqual(open.upgrades, ["websocket"]);
    });

    // with "nosniff" a browser runs a script only if its type says that it is one
    it("it is JavaScript that no browser takes for something else", async () => {
      const { headers, bytes } = await request(server, { EIO: eio, transport: "polling", j: 0 });
      assert.match(headers.get("content-type"), /^(text|application)\/javascript; *charset=utf-8$/i);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(headers.get("content-length"), String(bytes.length));
    });

    it("a form comes in, and the echo goes out", async () => {
      const session = await open();
      const posted = await session.post(message(eio, "hello"));
      assert.equal(posted.status, 200);
      assert.equal(posted.text, "ok");
      assert.equal((await session.poll()).payload, message(eio, "hello"));
    });

    for (const [name, text] of [
      ["multi-byte and emoji", "Grüße 日本語 🦀"],
      ["quotes, tags and backslashes", `"'</script><b>\\ \\\\ \\t &amp; % + =`],
      ["a newline", "one\ntwo\n\nthree"],
      ["a backslash before an n", "one\\ntwo"],
      ["both, mixed", "a\nb\\nc\n\\n\nd"],
      ["a carriage return and NUL", "one\r\ntwo\0three"],
      ["U+2028 and U+2029", "line\u2028paragraph\u2029end"],
      ["nothing", ""],
    ]) {
      it(`round trip: ${name}`, async () => {
        const session = await open();
        assert.equal((await session.post(message(eio, text))).text, "ok");
        assert.equal((await session.poll()).payload, message(eio, text));
      });
    }

    it("U+2028 and U+2029 are escaped in the script", async () => {
      const session = await open();
      await session.post(message(eio, "a\u2028b\u2029c"));
      const { text } = await session.poll();
      assert.ok(text.includes("\\u2028") && text.includes("\\u2029"), text);
      assert.ok(!/[\u2028\u2029]/.test(text), "raw separators end a line of old JavaScript");
    });

    it("the escapes of the newline, by the letter", async () => {
      const session = await open();
      // d=...one\ntwo: backslash and n on the wire mean a newline
      const newline = message(eio, "one\ntwo").replace("\n", "\\n");
      assert.equal((await session.postForm(`d=${encodeURIComponent(newline)}`)).text, "ok");
      assert.equal((await session.poll()).payload, message(eio, "one\ntwo"));
      // d=...one\\ntwo: two backslashes and n mean one backslash and n
      const escaped = message(eio, "one\\ntwo").replace("\\n", "\\\\n");
      assert.equal((await session.postForm(`d=${encodeURIComponent(escaped)}`)).text, "ok");
      assert.equal((await session.poll()).payload, message(eio, "one\\ntwo"));
    });

    it("a plus in the form is a space", async () => {
      const session = await open();
      const form = message(eio, "one two+three").replace("+", "%2B").replace(" ", "+");
      assert.equal((await session.postForm(`d=${form}`)).text, "ok");
      assert.equal((await session.poll()).payload, message(eio, "one two+three"));
    });

    it("several packets in one form, binary among them as base64", async () => {
      const session = await open();
      const binary = eio === 4 ? `${RS}bAQIDBA==` : "10:b4AQIDBA==";
      const sent = payload(eio, "one", "two") + binary;
      assert.equal((await session.post(sent)).text, "ok");
      assert.equal((await session.poll()).payload, sent);
    });

    it("a parked poll is answered by its own script", async () => {
      const session = await open();
      const parked = session.poll();
      const [polled, posted] = await Promise.all([parked, session.post(message(eio, "later"))]);
      assert.equal(posted.text, "ok");
      assert.equal(polled.payload, message(eio, "later"));
    });

    it("of j only the digits count", async () => {
      for (const [j, index] of [["7", "7"], ["12a3", "123"], ["0);alert(1", "01"], ["", ""], ["abc", ""]]) {
        const { status, text } = await request(server, { EIO: eio, transport: "polling", j });
        assert.equal(status, 200);
        assert.ok(text.startsWith(`___eio[${index}]("`), text);
      }
    });

    it("!close ends with a close packet in a script", async () => {
      const session = await open();
      assert.equal((await session.post(message(eio, "!close"))).status, 200);
      // a noop may travel along
      assert.match((await session.poll()).payload, eio === 4 ? /^(6\x1e)?1$/ : /^(1:6)?1:1$/);
    });

    it("sessions without j get no script", async () => {
      const session = await PollingSession.open(server, eio);
      assert.equal((await session.post(message(eio, "plain"))).text, "ok");
      assert.equal((await session.poll()).text, message(eio, "plain"));
    });
  });
}
