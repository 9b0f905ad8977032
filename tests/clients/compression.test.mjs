// permessage-deflate with the real clients: agreed on, used both ways, fewer bytes on the wire; and what breaks it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { CLIENTS, Client, MODES, binary } from "./support/client.mjs";
import { RawSocket } from "./support/http.mjs";
import { EchoServer, echoServer } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const BOTH = { server_no_context_takeover: true, client_no_context_takeover: true };

/** The parameters that a WebSocket of `ws` was answered, without the one that it sets itself. */
function agreed(ws) {
  const { client_max_window_bits: _, ...params } = ws._extensions["permessage-deflate"]?.params ?? {};
  return params;
}

/** JSON as applications send it, of about `size` characters. */
function json(size) {
  const items = Array.from({ length: size / 50 }, (_, id) => ({ id, name: `item ${id}`, tags: ["a", "b"], on: id % 3 === 0 }));
  return JSON.stringify(items).slice(0, size);
}

/** Characters that do not repeat. */
const noiseText = (size) => randomBytes(size).toString("base64").slice(0, size);

/** How many bytes `work` makes a WebSocket of `ws` read and write. */
async function wire(ws, work) {
  const [read, written] = [ws._socket.bytesRead, ws._socket.bytesWritten];
  await work();
  return { read: ws._socket.bytesRead - read, written: ws._socket.bytesWritten - written };
}

/** The last four bytes are left out on the wire. */
const squeeze = (data) => deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);

/** Pings that can be told from each other. */
class Pings {
  #sent = [];
  #heard = [];

  constructor(ws) {
    this.ws = ws;
    ws.on("pong", (data) => this.#heard.push(data.toString()));
  }

  ping() {
    const text = `ping ${this.#sent.length}`;
    this.#sent.push(text);
    this.ws.ping(text);
  }

  /** Waits for the pongs of all of them, in their order. */
  async answered() {
    await until(() => this.#heard.length >= this.#sent.length, "the pongs");
    assert.deepEqual(this.#heard, this.#sent);
  }
}

/** A client's frame, masked with zeros. */
function frame(first, payload) {
  const long = payload.length > 0xffff;
  const head = Buffer.alloc(payload.length < 126 ? 2 : long ? 10 : 4);
  head[0] = first;
  head[1] = 0x80 | (payload.length < 126 ? payload.length : long ? 127 : 126);
  if (long) head.writeBigUInt64BE(BigInt(payload.length), 2);
  else if (head.length === 4) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

for (const flags of [[], ["--no-handover"]]) describe(["permessage-deflate", ...flags].join(" "), () => {
  const server = echoServer({ before, after }, ...flags);

  for (const kind of CLIENTS) {
    for (const mode of MODES.filter(({ arrived }) => arrived === "websocket")) {
      it(`${kind.name}, ${mode.name}: 100 kB of JSON both ways in less than a fifth`, async () => {
        const client = await Client.open(kind, mode, server.url, { perMessageDeflate: { threshold: 1024 } });
        const { ws } = client.socket.transport;
        assert.deepEqual(agreed(ws), BOTH);
        const text = json(100_000);
        const { read, written } = await wire(ws, async () => assert.equal(await client.echo(text), text));
        assert.ok(read < 20_000 && written < 20_000, `${read} bytes read, ${written} written`);
        const data = Buffer.from(text);
        const bytes = await wire(ws, async () => assert.ok(data.equals(await client.echo(data))));
        assert.ok(bytes.read < 20_000, `${bytes.read} bytes read`);
        const short = await wire(ws, async () => assert.equal(await client.echo("a".repeat(1000)), "a".repeat(1000)));
        assert.ok(short.read > 1000, "below the threshold nothing is compressed");
        await client.close();
      });
    }
  }

  it("a client that offers nothing gets no compressed frame", async () => {
    const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: false });
    assert.equal(socket.ws.extensions, "");
    const text = `4${json(50_000)}`;
    socket.send(text);
    assert.equal(await socket.next(), text);
    await socket.close();
  });

  for (const [offer, bits] of [
    [{ serverMaxWindowBits: 9, clientMaxWindowBits: 9 }, 9],
    [{ serverMaxWindowBits: 12, serverNoContextTakeover: true }, 12],
    [{ clientMaxWindowBits: 15, clientNoContextTakeover: true }, undefined],
    [{ clientMaxWindowBits: 8 }, undefined],
  ]) {
    it(`ws with ${JSON.stringify(offer)}`, async () => {
      const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: { threshold: 0, ...offer } });
      assert.deepEqual(agreed(socket.ws), bits ? { ...BOTH, server_max_window_bits: bits } : BOTH);
      for (const text of ["4", "4short", `4${json(3000)}`, `4${json(200_000)}`, `4${"äb🦀".repeat(9000)}`]) {
        socket.send(text);
        assert.equal(await socket.next(), text);
      }
      for (const size of [1, 1500, 70_000, 900_000]) {
        socket.send(binary(size));
        assert.ok(binary(size).equals(await socket.next()));
      }
      await socket.close();
    });
  }

  it("a window of 256 bytes is declined", async () => {
    const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: { serverMaxWindowBits: 8 } });
    assert.equal(socket.ws.extensions, "");
    await socket.close();
  });

  it("compressed fragments with pings between them", async () => {
    const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: { threshold: 0 } });
    const text = `4${json(60_000)}`;
    const pings = new Pings(socket.ws);
    for (let at = 0; at < text.length; at += 10_000) {
      socket.ws.send(text.slice(at, at + 10_000), { compress: true, fin: at + 10_000 >= text.length });
      pings.ping();
    }
    assert.equal(await socket.next(), text);
    await pings.answered();
    await socket.close();
  });
});

for (const [budget, params] of [
  [8192, { server_max_window_bits: 12, client_max_window_bits: 12 }],
  [65_536, {}],
]) {
  describe(`permessage-deflate with context takeover within ${budget} bytes`, () => {
    const server = echoServer({ before, after }, "--context-takeover", budget);

    for (const kind of CLIENTS) {
      for (const mode of MODES.filter(({ arrived }) => arrived === "websocket")) {
        it(`${kind.name}, ${mode.name}: what repeats costs next to nothing`, async () => {
          const client = await Client.open(kind, mode, server.url, { perMessageDeflate: { threshold: 1024 } });
          const { ws } = client.socket.transport;
          assert.deepEqual({ ...ws._extensions["permessage-deflate"].params }, params);
          const text = noiseText(1500);
          const echo = () => wire(ws, async () => assert.equal(await client.echo(text), text));
          const first = await echo();
          assert.ok(first.read > 1000 && first.written > 1000, "it does not compress by itself");
          for (let round = 0; round < 5; round++) {
            const { read, written } = await echo();
            assert.ok(read < 100 && written < 100, `${read} bytes read, ${written} written`);
            assert.equal(await client.echo("short"), "short");
            assert.equal(await client.echo(json(700)), json(700));
          }
          for (const size of [1500, 100_000]) {
            const data = randomBytes(size);
            assert.ok(data.equals(await client.echo(data)), "what does not compress at all");
            const long = json(size);
            assert.equal(await client.echo(long), long);
          }
          await client.close();
        });
      }
    }

    for (const offer of [
      { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
      { serverMaxWindowBits: 10, clientNoContextTakeover: true },
      { clientMaxWindowBits: 11, serverNoContextTakeover: true },
      { clientMaxWindowBits: 8 },
      { clientMaxWindowBits: false },
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
    ]) {
      it(`ws with ${JSON.stringify(offer)}`, async () => {
        const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: { threshold: 0, ...offer } });
        const { params } = socket.ws._extensions["permessage-deflate"];
        assert.equal(!!params.server_no_context_takeover, !!offer.serverNoContextTakeover);
        for (let round = 0; round < 2; round++) {
          for (const text of ["4", "4short", `4${json(3000)}`, `4${noiseText(5000)}`, `4${json(100_000)}`]) {
            socket.send(text);
            assert.equal(await socket.next(), text);
          }
          for (const data of [binary(1), binary(1500), binary(70_000), randomBytes(3000)]) {
            socket.send(data);
            assert.ok(data.equals(await socket.next()));
          }
          socket.ws.send(`4${json(5000)}`, { compress: false });
          assert.equal(await socket.next(), `4${json(5000)}`);
        }
        await socket.close();
      });
    }

    it("compressed fragments with pings between them", async () => {
      const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: { threshold: 0 } });
      const text = `4${json(60_000)}`;
      const pings = new Pings(socket.ws);
      for (let round = 0; round < 3; round++) {
        for (let at = 0; at < text.length; at += 10_000) {
          socket.ws.send(text.slice(at, at + 10_000), { compress: true, fin: at + 10_000 >= text.length });
          pings.ping();
        }
        assert.equal(await socket.next(), text);
        await pings.answered();
      }
      await socket.close();
    });
  });
}

it("levels are read, and 9 is shorter than 1", async () => {
  const lengths = {};
  for (const level of [1, 9]) {
    const server = await EchoServer.start("--level", level);
    const socket = await RawSocket.open(server, 4, {}, { perMessageDeflate: { serverMaxWindowBits: 9 } });
    // many that do not compress, one after the other, in a small window
    for (let round = 0; round < 60; round++) {
      const data = randomBytes(3000);
      socket.ws.send(data, { compress: false });
      assert.ok(data.equals(await socket.next()));
    }
    const text = `4${json(50_000)}`;
    const { read } = await wire(socket.ws, async () => {
      socket.send(text);
      assert.equal(await socket.next(), text);
    });
    lengths[level] = read;
    await socket.close();
    await server.stop();
  }
  assert.ok(lengths[9] < lengths[1], JSON.stringify(lengths));
});

const abused = [["--context-takeover", 0], ["--context-takeover", 65_536], ["--no-handover"]];
for (const flags of abused) describe(`permessage-deflate abused, ${flags.join(" ")}`, () => {
  const server = echoServer({ before, after }, ...flags);
  const compressed = () => RawSocket.open(server, 4, {}, { perMessageDeflate: true });
  const peak = () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.it.pid}/status`, "utf8"))[1]) / 1024;

  const zeros = deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: constants.Z_FULL_FLUSH });
  const bomb = Buffer.concat(Array(200).fill(zeros));
  const cut = squeeze(Buffer.from(json(5000)));
  const cases = [
    ["200 MB against a limit of 1 MB", [frame(0xc2, bomb)], 1009],
    ["the same in two fragments", [frame(0x41, bomb.subarray(0, 999)), frame(0x80, bomb.subarray(999))], 1009],
    ["in fragments of a byte", Array.from(zeros, (byte, at) => frame((at ? 0 : 0x42) | (at === zeros.length - 1 ? 0x80 : 0), Buffer.of(byte))), 1009],
    ["without end in fragments of a byte", Array.from({ length: 20_000 }, (_, at) => frame(at ? 0 : 0x42, bomb.subarray(at, at + 1))), 1008],
    ["a window of zeros", [frame(0xc2, Buffer.alloc(32_768))], 1007],
    ["garbage", [frame(0xc1, Buffer.alloc(100, 0xff))], 1007],
    ["a stream that is cut off", [frame(0xc1, cut.subarray(0, cut.length / 2))], 1007],
    ["text that is no UTF-8", [frame(0xc1, squeeze(Buffer.from([0x34, 0xff])))], 1007],
    ["RSV1 on a continuation", [frame(0x41, cut.subarray(0, 9)), frame(0xc0, cut.subarray(9))], 1002],
    ["RSV1 on a ping", [frame(0xc9, Buffer.alloc(0))], 1002],
  ];

  it("ends that session, with its code, and nothing else", async () => {
    const [kind] = CLIENTS;
    const neighbour = await Client.open(kind, MODES.find(({ name }) => name === "websocket"), server.url);
    const big = `x${json(900_000)}`;
    assert.equal(await neighbour.echo(big), big);
    const before = peak();
    const abuse = cases.map(async ([name, frames, code]) => {
      const socket = await compressed();
      frames.forEach((bytes) => socket.ws._socket.write(bytes));
      assert.equal(await socket.end(), code, name);
    });
    let over = false;
    const ended = Promise.all(abuse).finally(() => { over = true; });
    while (!over) assert.equal(await neighbour.echo(json(2000)), json(2000), "meanwhile");
    await ended;
    assert.equal(await neighbour.echo(big), big);
    const plain = await RawSocket.open(server, 4, {}, { perMessageDeflate: false });
    plain.ws._socket.write(frame(0xc1, squeeze(Buffer.from("4hello"))));
    assert.equal(await plain.end(), 1002, "RSV1 without an agreement");
    const grown = peak() - before;
    assert.ok(grown < 10, `${grown.toFixed(1)} MB more at the peak`);
    await neighbour.close();
  });

  it("many messages below the limit come one after the other", async () => {
    const socket = await compressed();
    const large = Buffer.alloc(999_000);
    socket.ws.send(large);
    assert.equal((await socket.next()).length, large.length);
    const before = peak();
    // all in one write: a few bytes each
    socket.ws._socket.write(Buffer.concat(Array(60).fill(frame(0xc2, squeeze(large)))));
    for (let received = 0; received < 60; received++) assert.ok(large.equals(await socket.next()));
    const grown = peak() - before;
    assert.ok(grown < 10, `${grown.toFixed(1)} MB more at the peak`);
    await socket.close();
  });
});
