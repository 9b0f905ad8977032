// The drain: 2,000 sessions under load when SIGTERM comes. Nothing that was acknowledged as flushed is missing at its client.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, event } from "./support/client.mjs";
import { until, within } from "./support/deadline.mjs";
import { Connection, head } from "./support/raw.mjs";
import { startFeeder } from "./support/server.mjs";
import { CLOSE, TEXT, WebSocket, closeBody } from "./support/websocket.mjs";

const REAL = 300;
const WEBSOCKETS = 1200;
const POLLINGS = 500;
const ALL = REAL + WEBSOCKETS + POLLINGS;
const EVERY_MS = 1000;
const WINDOW_MS = 4000;
const DEADLINE_MS = 20000;
/** How many sessions are opened at a time. */
const BATCH = 50;

/** What one session has received, and when and how it ended. */
class Session {
  numbers = [];
  echoes = [];
  sent = 0;
  /** What its POSTs were answered, if it makes them by hand. */
  posts = [];

  take(text) {
    if (/^\d+$/.test(text)) this.numbers.push(Number(text));
    else this.echoes.push(text);
  }

  end(how) {
    this.how = how;
    this.endedAt = performance.now();
  }
}

/** The real client: on polling, on WebSocket, or on the way from one to the other. */
async function real(port, at) {
  const options = [{ transports: ["polling"] }, { transports: ["websocket"] }, {}][at % 3];
  const session = new Session();
  const client = connect(port, 4, options);
  client.on("message", (text) => session.take(text));
  const closed = new Promise((resolve) => client.once("close", resolve));
  client.on("error", () => {});
  await event(client, "open", DEADLINE_MS);
  session.sid = client.id;
  session.speak = () => client.send(`m${session.sent++}`);
  session.over = closed.then((reason) => session.end(reason));
  return session;
}

/** A WebSocket by hand. */
async function websocket(port) {
  const session = new Session();
  const peer = await WebSocket.open(port, { EIO: 4 });
  session.sid = peer.sid;
  session.speak = () => peer.send(`4m${session.sent++}`);
  session.over = (async () => {
    for (;;) {
      const { opcode, payload } = await peer.next("a frame", DEADLINE_MS);
      const text = payload.toString();
      if (opcode === CLOSE) {
        session.end(payload.readUInt16BE(0));
        peer.frame(CLOSE, closeBody(1001));
        await peer.connection.closed(DEADLINE_MS);
        return peer.destroy();
      }
      assert.equal(opcode, TEXT);
      if (text[0] === "4") session.take(text.slice(1));
      else if (text === "2") peer.send("3");
    }
  })();
  return session;
}

/** Polling by hand, with one connection for its polls and one for what it posts. */
async function polling(port) {
  const session = new Session();
  const polls = await Connection.open(port);
  let posts; // opened with its first POST: a connection that says nothing for some seconds is closed
  const params = { EIO: 4, transport: "polling" };
  polls.write(head({ params }));
  const open = await polls.response("a handshake", DEADLINE_MS);
  assert.equal(open.status, 200, open.body);
  params.sid = session.sid = JSON.parse(open.body.slice(1)).sid;
  const post = (body) => posts.write(head({ method: "POST", params, headers: { "Content-Type": "text/plain" }, body }));
  // The answer to the one before is waited for: two POSTs at once end a session.
  let answered = Promise.resolve();
  const say = (body) => {
    answered = answered.then(async () => {
      if (session.how) return;
      posts ??= await Connection.open(port);
      if (session.how) return posts.destroy();
      await post(body);
      if (session.how) return;
      const answer = await posts.response("a POST", DEADLINE_MS);
      session.posts.push({ status: answer.status, body: answer.body, at: performance.now() });
    });
    answered.catch(() => {});
  };
  session.speak = () => say(`4m${session.sent++}`);
  session.over = (async () => {
    while (!session.how) {
      polls.write(head({ params }));
      const answer = await polls.response("a poll", DEADLINE_MS);
      assert.equal(answer.status, 200, answer.body);
      for (const packet of answer.body.split("\x1e")) {
        if (packet[0] === "4") session.take(packet.slice(1));
        else if (packet === "2") say("3");
        else if (packet === "1") session.end("closed");
      }
    }
    polls.destroy();
    posts?.destroy();
  })();
  return session;
}

/** Opens sessions, a few at a time. */
async function open(count, one) {
  const sessions = [];
  while (sessions.length < count) {
    const batch = Array.from({ length: Math.min(BATCH, count - sessions.length) }, (_, at) => one(sessions.length + at));
    sessions.push(...(await Promise.all(batch)));
  }
  return sessions;
}

test(`SIGTERM with ${ALL} sessions under load: all ends over the window, nothing that was flushed is lost`, { timeout: 120000 }, async () => {
  const server = await startFeeder(["--every", EVERY_MS, "--drain", WINDOW_MS, "--deadline", DEADLINE_MS]);
  let load;
  try {
    const { port } = server;
    const sessions = [
      ...(await open(REAL, (at) => real(port, at))),
      ...(await open(WEBSOCKETS, () => websocket(port))),
      ...(await open(POLLINGS, () => polling(port))),
    ];
    for (const session of sessions) session.over.catch(() => {});
    // Each session speaks once in a while, all the time.
    let next = 0;
    load = setInterval(() => {
      for (let count = 0; count < ALL / 100; count++) {
        const session = sessions[next++ % ALL];
        if (!session.how) session.speak();
      }
    }, 20);

    await until(() => sessions.every(({ echoes, numbers }) => echoes.length > 0 && numbers.length > 0), DEADLINE_MS, "all have spoken and heard");

    const began = performance.now();
    server.signal("SIGTERM");
    await within(Promise.all(sessions.map((session) => session.over)), DEADLINE_MS + WINDOW_MS, "all sessions end");
    assert.deepEqual(await within(server.exited, DEADLINE_MS, "the process ends"), { code: 0, signal: null });
    const exitedAt = performance.now();
    clearInterval(load);

    // How they ended.
    const ends = {};
    for (const { how } of sessions) ends[how] = (ends[how] ?? 0) + 1;
    assert.equal(ends[1001], WEBSOCKETS, JSON.stringify(ends));
    assert.equal(ends.closed, POLLINGS, JSON.stringify(ends));
    assert.equal(ends["transport close"], REAL, JSON.stringify(ends));

    // When: about as many in each quarter of the window. A client on a busy machine sees its end late, so that less is asked for.
    const quarters = [0, 0, 0, 0];
    for (const { endedAt } of sessions) quarters[Math.min(3, Math.floor(((endedAt - began) / WINDOW_MS) * 4))]++;
    console.log(`ends in each quarter of the window: ${quarters}; the process ended ${Math.round(exitedAt - began)} ms after the signal`);
    const early = quarters[0] + quarters[1];
    assert.ok(early > ALL / 10 && early < ALL - ALL / 10, `ends in each quarter of the window: ${quarters}`);

    // What they have received.
    const { sessions: left, flushed } = JSON.parse(await server.line());
    assert.equal(left, 0);
    assert.equal(Object.keys(flushed).length, ALL);
    let acknowledged = 0;
    for (const { sid, numbers, echoes, sent } of sessions) {
      acknowledged += flushed[sid];
      assert.deepEqual(echoes, Array.from(echoes, (_, at) => `m${at}`), "echoes in order, without a gap");
      assert.ok(echoes.length <= sent, `${sent} were said, ${echoes.length} echoed`);
      assert.deepEqual(numbers, Array.from(numbers, (_, at) => at + 1), "in order, without a gap");
      assert.ok(numbers.length >= flushed[sid], `${flushed[sid]} were acknowledged, ${numbers.length} arrived`);
    }
    console.log(`${acknowledged} messages acknowledged as flushed, ${sessions.reduce((sum, { numbers }) => sum + numbers.length, 0)} arrived`);
    // What was posted was taken, until the session was closed.
    const posts = sessions.flatMap((session) => session.posts);
    assert.ok(posts.length >= POLLINGS, `${posts.length} POSTs were answered`);
    for (const { status, body, at } of posts) {
      if (status === 200) assert.equal(body, "ok");
      else assert.ok(at > began && status === 400 && JSON.parse(body).code === 1, `${Math.round(at - began)} ms after the signal: ${status} ${body}`);
    }
    await assert.rejects(Connection.open(port), "nobody listens any more");
  } finally {
    clearInterval(load);
    await server.stop();
  }
});
