// Bursts of thousands of numbered messages both ways: nothing lost, doubled or reordered, also while the upgrade is on.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CLIENTS, Client, MODES, PAIRS, binary } from "./support/client.mjs";
import { echoServer } from "./support/server.mjs";

const COUNT = 5_000;
const BURST_DEADLINE = 30_000;

const numbered = (count, from = 0) => Array.from({ length: count }, (_, index) => `${from + index} ü🦀`);

/** Takes `expected.length` messages and names the first that is not what it should be. */
async function arrivesInOrder(client, expected) {
  const came = await client.inbox.takeMany(expected.length, "the burst's echo", BURST_DEADLINE);
  const wrong = came.findIndex((item, index) => item !== expected[index]);
  assert.equal(wrong, -1, `at ${wrong} came ${JSON.stringify(came[wrong])} for ${JSON.stringify(expected[wrong])}`);
  assert.equal(await client.echo("last"), "last", "nothing came twice");
}

for (const [title, flags] of [["one worker", ["--workers", 1]], ["two workers", ["--workers", 2]]]) {
  describe(`bursts of ${COUNT}, ${title}`, () => {
    const server = echoServer({ before, after }, ...flags);

    for (const pair of PAIRS) {
      it(`${pair.name}: sent at once, all back in order`, async () => {
        const client = await Client.open(pair.client, pair.mode, server.url);
        const sent = numbered(COUNT);
        for (const text of sent) client.send(text);
        await arrivesInOrder(client, sent);
        await client.close();
      });
    }

    for (const kind of CLIENTS) {
      it(`${kind.name}: sent before, during and after the upgrade`, async () => {
        const client = new Client(kind, server.url, MODES[2].options);
        let upgraded = false;
        client.upgraded.then(() => (upgraded = true));
        await client.when(client.opened, "open");
        const sent = numbered(COUNT);
        let next = 0;
        // a few per turn of the loop until the swap, so that it happens in the middle; the rest behind it
        while (!upgraded && next < COUNT - 500) {
          for (const end = next + 5; next < end; next += 1) client.send(sent[next]);
          await client.when(new Promise(setImmediate), "the next turn");
        }
        const before = next;
        await client.when(client.upgraded, "upgrade");
        while (next < COUNT) client.send(sent[next++]);
        await arrivesInOrder(client, sent);
        assert.ok(before > 0, "some were sent before the upgrade");
        assert.equal(client.transport, "websocket");
        await client.close();
      });
    }
  });
}

describe("bursts of text and binary", () => {
  const server = echoServer({ before, after });

  for (const pair of PAIRS) {
    it(`${pair.name}: 1,000 alternating`, async () => {
      const client = await Client.open(pair.client, pair.mode, server.url);
      const sent = Array.from({ length: 1_000 }, (_, index) => (index % 2 ? binary(index % 200) : `${index}`));
      for (const item of sent) client.send(item);
      const came = await client.inbox.takeMany(sent.length, "the burst's echo", BURST_DEADLINE);
      assert.deepEqual(came, sent);
      await client.close();
    });
  }
});

describe("many clients that upgrade at once", () => {
  const server = echoServer({ before, after }, "--workers", 2);

  it("20 of each generation, 100 messages each, sent from the first moment on", async () => {
    const clients = CLIENTS.flatMap((kind) =>
      Array.from({ length: 20 }, () => new Client(kind, server.url, MODES[2].options)),
    );
    await Promise.all(clients.map(async (client, index) => {
      const sent = numbered(100, index * 1_000);
      for (const text of sent) client.send(text);
      await client.when(client.upgraded, `upgrade of client ${index}`);
      await arrivesInOrder(client, sent);
      await client.close();
    }));
  });
});
