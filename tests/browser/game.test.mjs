// The game example in real browsers: players who see each other, two transports, a server that comes back.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { checkTools, launch, startServer, Visitor } from "./support.mjs";

checkTools();

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

class Player extends Visitor {
  async join(name) {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Play" }).click();
    await this.plays();
  }

  /** Waits until the own blob is drawn. */
  async plays() {
    await this.page.waitForFunction(() => {
      const { me, blobs } = document.querySelector("#canvas").scene();
      return me && blobs?.has(me);
    });
  }

  /** The blob of this name, as soon as it is drawn here. */
  async blob(name) {
    const handle = await this.page.waitForFunction((name) => {
      const { names, blobs } = document.querySelector("#canvas").scene();
      const id = [...(names ?? [])].find(([, one]) => one === name)?.[0];
      return blobs?.get(id);
    }, name);
    return await handle.jsonValue();
  }

  /** Waits until the blob of this name is drawn at least so many units away from a point, to the right or below. */
  async seesMove(name, from, axis, units = 100) {
    await this.page.waitForFunction(([name, from, axis, units]) => {
      const { names, blobs } = document.querySelector("#canvas").scene();
      const id = [...(names ?? [])].find(([, one]) => one === name)?.[0];
      const blob = blobs?.get(id);
      return blob && (units > 0 ? blob[axis] > from[axis] + units : blob[axis] < from[axis] + units);
    }, [name, from, axis, units]);
  }

  /** Which way there is room to go. */
  async wayOut(axis) {
    const { [axis]: at } = await this.blob(this.name);
    return at < (axis === "x" ? 1000 : 700) ? 1 : -1;
  }

  /** Waits until the page shows how long a message and its answer take. */
  async measures() {
    await this.page.waitForFunction(() => parseFloat(document.querySelector("#latency").textContent) >= 0);
  }

  async leaderNames() {
    return await this.page.locator("#leaders .name").allTextContents();
  }
}

describe("the game", { timeout: 120_000 }, () => {
  let first, second, server;
  const opened = [];

  before(async () => {
    [first, second] = await Promise.all([launch(), launch()]);
  });
  after(async () => { await Promise.all([first?.close(), second?.close()]); });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((player) => player.page.context().close()));
    await server?.stop();
  });

  async function player(browser, name, query = "", options = {}) {
    const one = await Player.open(browser, `${server.url}/${query}`, options);
    opened.push(one);
    one.name = name;
    if (name) await one.join(name);
    return one;
  }

  describe("without bots", () => {
    beforeEach(async () => { server = await startServer("game", 0, ["--fill", "0", "--seed", "1"]); });

    for (const query of ["", "?transport=polling"]) {
      it(`shows two players each other's moves (${query || "both transports"})`, async () => {
        const ada = await player(first, "Ada", query);
        const bob = await player(second, "Bob", query);
        await Promise.all([ada, bob].map((one) => one.pill(query ? "polling" : "websocket")));
        for (const [mover, other, axis, keys] of [[ada, bob, "x", ["KeyA", "KeyD"]], [bob, ada, "y", ["ArrowUp", "ArrowDown"]]]) {
          const way = await mover.wayOut(axis);
          const from = await other.blob(mover.name);
          await mover.page.keyboard.down(keys[(way + 1) / 2]);
          await Promise.all([mover, other].map((one) => one.seesMove(mover.name, from, axis, 100 * way)));
          await mover.page.keyboard.up(keys[(way + 1) / 2]);
        }
        assert.deepEqual((await ada.leaderNames()).sort(), ["Ada", "Bob"]);
        assert.deepEqual([...ada.problems, ...bob.problems], []);

        await bob.leaves();
        await ada.page.waitForFunction(() => document.querySelector("#canvas").scene().blobs.size === 1);
      });
    }

    it("goes on by polling when the page's switch blocks WebSocket", async () => {
      const ada = await player(first, "Ada");
      const bob = await player(second, "Bob");
      await Promise.all([ada.pill("websocket"), bob.pill("websocket")]);
      await bob.allowWebSocket(false);
      await bob.pill("polling");
      await bob.plays();
      const way = await bob.wayOut("x");
      const from = await ada.blob("Bob");
      await bob.page.locator("#canvas").focus();
      await bob.page.keyboard.down(way > 0 ? "KeyD" : "KeyA");
      await Promise.all([ada, bob].map((one) => one.seesMove("Bob", from, "x", 100 * way)));
      await bob.page.waitForFunction(() => parseFloat(document.querySelector("#rate").textContent) >= 1);
      assert.deepEqual(bob.problems, []);
    });

    it("steers by mouse and by touch, and dashes", async () => {
      const ada = await player(first, "Ada");
      const from = await ada.blob("Ada");
      const way = await ada.wayOut("x");
      const box = await ada.page.locator("#canvas").boundingBox();
      await ada.page.mouse.move(way > 0 ? box.x + box.width - 20 : box.x + 20, box.y + box.height / 2);
      await ada.seesMove("Ada", from, "x", 60 * way);
      await ada.page.mouse.down();
      await ada.page.waitForFunction(() => {
        const { me, blobs } = document.querySelector("#canvas").scene();
        return blobs.get(me)?.dashing;
      });
      await ada.page.mouse.up();

      const bob = await player(second, "Bob", "", PHONE);
      const start = await bob.blob("Bob");
      const down = await bob.wayOut("y");
      const touch = await bob.page.context().newCDPSession(bob.page);
      await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: 150, y: 500 }] });
      await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x: 150, y: 500 + 80 * down }] });
      await bob.page.locator("#stick").waitFor();
      await Promise.all([ada, bob].map((one) => one.seesMove("Bob", start, "y", 60 * down)));
      await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
      await bob.page.locator("#stick").waitFor({ state: "hidden" });
      assert.deepEqual([...ada.problems, ...bob.problems], []);
    });

    it("comes back when the server does", async () => {
      const ada = await player(first, "Ada");
      const bob = await player(second, "Bob", "?transport=polling");
      await Promise.all([ada.pill("websocket"), bob.pill("polling")]);
      const { port } = server;
      await server.stop();
      await Promise.all([ada.pill(/^reconnecting in \d+ s$/), bob.pill(/^reconnecting in \d+ s$/)]);
      await ada.page.getByText("Connection lost.").waitFor();
      server = await startServer("game", port, ["--fill", "0"]);
      await Promise.all([ada.pill("websocket"), bob.pill("polling")]);
      await Promise.all([ada.plays(), bob.plays()]);
      await ada.page.locator("#leaders .name", { hasText: "Bob" }).waitFor();
      assert.ok(await ada.page.locator("#banner").isHidden());
    });

    it("keeps one snapshot, and no queue, for who does not read", async () => {
      const endpoint = `${server.url}/engine.io/?EIO=4&transport=polling`;
      const packets = async (query) => (await (await fetch(endpoint + query)).text()).split("\x1e");
      const handshake = async () => JSON.parse((await packets(""))[0].slice(1)).sid;
      const snapshots = async (sid) => {
        const bytes = (await packets(`&sid=${sid}`)).filter((packet) => packet[0] === "b").map((packet) => Buffer.from(packet.slice(1), "base64"));
        return bytes.filter((one) => one[0] === 0x81).map((one) => one.readUInt32LE(1));
      };
      const [silent, reader] = [await handshake(), await handshake()];
      let first, last;
      do {
        [last = 0] = await snapshots(reader);
        first ??= last;
      } while (last < first + 30);
      assert.equal((await snapshots(silent)).length, 1);
      const [next] = await snapshots(silent);
      assert.ok(next >= last, `tick ${next} after ${last}`);
    });

    it("refuses an empty name and shows markup as text", async () => {
      const ada = await player(first);
      await ada.page.getByRole("button", { name: "Play" }).click();
      await ada.page.getByRole("alert").getByText(/type a name/).waitFor();
      await ada.join("<b id=evil>");
      await ada.page.locator("#leaders .name", { hasText: "<b id=evil>" }).waitFor();
      assert.equal(await ada.page.locator("#evil").count(), 0);
      await ada.page.getByRole("button", { name: "Leave" }).click();
      await ada.join("Ada");
      await ada.page.locator("#leaders .name").getByText("Ada", { exact: true }).waitFor();
      assert.deepEqual(await ada.leaderNames(), ["Ada"]);
    });
  });

  it("fills up with bots, shows its numbers, and looks like something one would play", async () => {
    server = await startServer("game", 0, ["--seed", "5", "--fill", "18"]);
    const lively = { reducedMotion: "no-preference" };
    const visitor = await player(first, null, "", { ...lively, viewport: { width: 1400, height: 900 } });
    await visitor.pill("websocket");
    await visitor.page.waitForFunction(() => document.querySelectorAll("#leaders li").length === 10);
    await visitor.page.waitForFunction(() => parseFloat(document.querySelector("#rate").textContent) >= 25);
    await visitor.screenshot("game-join");
    await visitor.join("Ada");
    await visitor.page.mouse.move(600, 300);
    await visitor.page.waitForFunction(() => document.querySelector("#feed li")); // somebody was swallowed
    await visitor.measures();
    assert.equal(await visitor.page.locator("#count").textContent(), "18", "a bot has gone for Ada");
    await visitor.screenshot("game-desktop");
    await opened.pop().page.context().close();

    for (const [name, options] of [["game-dark", { colorScheme: "dark" }], ["game-phone", PHONE], ["game-phone-dark", { ...PHONE, colorScheme: "dark" }]]) {
      const one = await player(second, "Grace", "", { ...lively, ...options });
      await one.measures();
      await one.screenshot(name);
      if (name === "game-phone") {
        await one.page.getByRole("button", { name: /Leaders/ }).click();
        await one.screenshot("game-phone-side");
      }
      assert.deepEqual(one.problems, []);
      await opened.pop().page.context().close();
    }
  });

  it("fits every width, whatever the pill says", async () => {
    server = await startServer("game");
    const visitor = await player(first);
    const ada = await player(second, "W".repeat(16));
    await Promise.all([visitor.pill("websocket"), ada.pill("websocket")]);
    for (const one of [visitor, ada]) {
      for (const width of [320, 360, 390, 430, 600, 761, 1400]) assert.ok(await one.fits(width), `${width} pixels`);
    }
    await server.stop();
    await ada.pill(/reconnecting/);
    for (const width of [320, 360, 390, 430]) assert.ok(await ada.fits(width), `${width} pixels`);
    await ada.screenshot("game-phone-reconnecting");
  });
});
