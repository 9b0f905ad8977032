// The chat example in real browsers: people, rooms, two transports, a server that goes away and comes back.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { joinSilently, Person } from "./person.mjs";
import { checkTools, launch, startServer } from "./support.mjs";

checkTools(); // before any test: what is missing is then the only thing that the run says

describe("the chat", { timeout: 120_000 }, () => {
  let first, second, server;
  const opened = [];

  before(async () => {
    [first, second] = await Promise.all([launch(), launch()]);
  });
  after(async () => { await Promise.all([first?.close(), second?.close()]); });
  beforeEach(async () => { server = await startServer("chat"); });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((person) => person.page.context().close()));
    await server?.stop();
  });

  async function person(browser, name, query = "", options = {}) {
    const one = await Person.open(browser, `${server.url}/${query}`, options);
    opened.push(one);
    if (name) await one.join(name);
    return one;
  }

  it("lets two browsers talk, moves both to websocket, and says who leaves", async () => {
    const ada = await person(first, "Ada");
    const bob = await person(second, "Bob");
    await ada.sees("Bob joined");

    await ada.say("Hello Bob");
    await bob.hears("Ada", "Hello Bob");
    await bob.say("Hello Ada, ça va? 日本語 🎈\nsecond line");
    await ada.page.locator(".message:not(.own) .bubble").filter({ hasText: "🎈" }).waitFor();
    assert.deepEqual(await ada.people(), ["Ada", "Bob"]);
    assert.deepEqual(await bob.people(), ["Ada", "Bob"]);

    for (const one of [ada, bob]) {
      await one.pill("websocket");
      assert.deepEqual(await one.pillStates(), ["connecting", "polling", "websocket"]);
      assert.deepEqual(one.problems, []);
    }

    await bob.page.close();
    await ada.sees("Bob left");
    assert.deepEqual(await ada.people(), ["Ada"]);
  });

  it("stays on polling when asked to, and sees at once who leaves", async () => {
    const ada = await person(first, "Ada", "?transport=polling");
    const bob = await person(second, "Bob", "?transport=polling");
    for (let i = 1; i <= 5; i++) {
      await ada.say(`question ${i}`);
      await bob.hears("Ada", `question ${i}`);
      await bob.say(`answer ${i}`);
      await ada.hears("Bob", `answer ${i}`);
    }
    for (const one of [ada, bob]) {
      assert.deepEqual(await one.pillStates(), ["connecting", "polling"]);
      assert.deepEqual(one.problems, []);
    }
    await bob.leaves();
    await ada.sees("Bob left");
  });

  it("goes on by polling when the page's switch blocks WebSocket, and back", async () => {
    const ada = await person(first, "Ada");
    const bob = await person(second, "Bob");
    await Promise.all([ada.pill("websocket"), bob.pill("websocket")]);
    await ada.say("before");
    await bob.allowWebSocket(false);
    await bob.sees("You are back as Bob");
    await bob.pill("polling");
    await ada.say("can you hear me?");
    await bob.hears("Ada", "can you hear me?");
    await bob.say("by polling");
    await ada.hears("Bob", "by polling");
    assert.deepEqual((await bob.pillStates()).slice(3), ["connecting", "polling"]);

    await bob.page.reload();
    await bob.sees("You joined as Bob");
    await bob.pill("polling"); // the address keeps it
    await bob.allowWebSocket(true);
    await bob.pill("websocket");
    await bob.sees("You are back as Bob");
    await bob.say("and by websocket again");
    await ada.hears("Bob", "and by websocket again");
    assert.deepEqual(bob.problems, []);
  });

  it("has rooms with links, which remember what was said", async () => {
    const ada = await person(first, "Ada");
    await ada.say("this stays in the lobby");
    const bob = await person(second, "Bob", "#/rust");
    await bob.say("first");
    await bob.say("second");
    await ada.room("rust", 1);
    await ada.room("lobby", 1);
    assert.equal(await ada.page.getByText("first", { exact: true }).count(), 0);

    await ada.page.locator("#rooms a", { hasText: "rust" }).click();
    await ada.hears("Bob", "first");
    assert.equal(await ada.page.locator(".bubble", { hasText: "second" }).count(), 1);
    assert.equal(await ada.page.locator(".bubble", { hasText: "lobby" }).count(), 0);
    assert.match(ada.page.url(), /#\/rust$/);
    await bob.sees("Ada joined");
    assert.deepEqual(await ada.people(), ["Ada", "Bob"]);

    await bob.page.getByLabel("Another room").fill("Äther & Tea!");
    await bob.page.getByRole("button", { name: "Go" }).click();
    await ada.sees("Bob left");
    await ada.room("ther-tea", 1);
    await bob.page.goBack();
    await ada.sees("Bob joined");
    await bob.page.locator(".own .bubble", { hasText: "second" }).waitFor();
    assert.deepEqual(await bob.page.locator(".own .bubble").allTextContents(), ["first", "second"]);
  });

  it("stays in its room when the name is taken in the other", async () => {
    const ada = await person(first, "Ada");
    const other = await person(second, "ada", "#/rust");
    await ada.page.evaluate(() => { location.hash = "/rust"; });
    await ada.page.getByText("You cannot enter #rust").waitFor();
    assert.match(ada.page.url(), /#\/lobby$/);
    await ada.say("still here");
    assert.deepEqual(await other.people(), ["ada"]);
  });

  it("shows who is typing, until the message is there", async () => {
    const ada = await person(first, "Ada");
    const bob = await person(second, "Bob");
    await Promise.all([ada.sees("Bob joined"), bob.pill("websocket"), ada.pill("websocket")]);
    const typing = ada.page.locator("#typing");
    await bob.write("I am about to");
    await typing.getByText("Bob is typing").waitFor();
    assert.equal(await bob.page.locator("#typing").textContent(), "");
    await bob.say("done");
    await ada.hears("Bob", "done");
    assert.equal(await typing.textContent(), "");
  });

  it("shows who does not read, holds nobody up for it, and tells the slow one what it missed", async () => {
    const ada = await person(first, "Ada");
    const silent = await joinSilently(server.url, "Silent");
    await ada.sees("Silent joined");
    const texts = [...Array(123).keys()].map((number) => `${number}. ${"All talk and no listening. ".repeat(80)}`.slice(0, 2000));
    texts.push("Anyway.", "Where was I?");
    for (let from = 0; from < texts.length; from += 25) { // it reads none of it, while it comes back to all
      const some = texts.slice(from, from + 25);
      await silent.say(some);
      await ada.hears("Silent", some.at(-1));
    }
    await ada.sees("Silent does not read: messages are held back");
    await ada.page.locator("#people li").filter({ hasText: "Silent" }).getByText("not reading").waitFor();
    await ada.say("Silent, do you read me?");
    await ada.screenshot("chat-slow");

    const heard = (await silent.read()).filter(({ type }) => type === "said");
    assert.ok(heard.length > 100 && heard.length < 123, `${heard.length} waited for it`);
    const caughtUp = (await silent.read()).find(({ type }) => type === "caughtup");
    assert.equal(heard.length + caughtUp.missed, texts.length + 2); // the question, and the notice about itself
    assert.equal(caughtUp.lines.at(-1).text, "Silent, do you read me?");
    await ada.sees("Silent reads again");
    assert.equal(await ada.page.locator(".tag.slow").count(), 0);
    await silent.close();
  });

  for (const query of ["", "?transport=polling"]) {
    it(`comes back when the server does (${query || "both transports"})`, async () => {
      const ada = await person(first, "Ada", query);
      const bob = await person(second, "Bob", query);
      const transport = query ? "polling" : "websocket";
      await Promise.all([ada.pill(transport), bob.pill(transport)]);
      await ada.say("before");
      await bob.hears("Ada", "before");

      const { port } = server;
      await server.stop();
      await Promise.all([ada.pill(/^reconnecting in \d+ s$/), bob.pill(/^reconnecting in \d+ s$/)]);
      await ada.page.getByRole("textbox", { name: "Message" }).fill("kept while away");
      assert.ok(await ada.page.getByRole("button", { name: "Send" }).isDisabled());
      server = await startServer("chat", port);

      await Promise.all([ada.sees("You are back as Ada"), bob.sees("You are back as Bob")]);
      await Promise.all([ada.pill(transport), bob.pill(transport)]);
      await ada.page.getByRole("button", { name: "Send" }).click();
      await bob.hears("Ada", "kept while away");
      await bob.say("after");
      await ada.hears("Bob", "after");
      await bob.hears("Ada", "before"); // the conversation is still there
      await ada.page.locator("#people .name", { hasText: "Bob" }).waitFor();
      assert.deepEqual(await ada.people(), ["Ada", "Bob"]);
    });
  }

  it("comes back after the network was away", async () => {
    const ada = await person(first, "Ada");
    const bob = await person(second, "Bob");
    await Promise.all([ada.pill("websocket"), ada.sees("Bob joined")]);
    await ada.page.context().setOffline(true);
    await ada.pill("offline");
    await bob.sees("Ada left");
    await bob.say("while you were away");
    await ada.page.context().setOffline(false);
    await ada.sees("You are back as Ada");
    await ada.hears("Bob", "while you were away");
    await ada.say("here again");
    await bob.hears("Ada", "here again");
  });

  it("waits for its name while the server still holds the lost session", async () => {
    const ada = await person(first, "Ada");
    const bob = await person(second, "Bob");
    await Promise.all([ada.pill("websocket"), ada.sees("Bob joined")]);
    await ada.page.context().setOffline(true);
    await bob.sees("Ada left");
    const ghost = await joinSilently(server.url, "Ada");
    await bob.sees("Ada joined");
    await ada.page.context().setOffline(false);
    await ada.page.getByText(/^Waiting until the server lets go of your lost session/).waitFor();
    await ghost.close();
    await ada.sees("You are back as Ada");
    await ada.say("finally");
    await bob.hears("Ada", "finally");
  });

  it("tells when a message may not have arrived, and sends it again when asked to", async () => {
    const ada = await person(first, "Ada");
    const bob = await person(second, "Bob");
    await Promise.all([ada.pill("websocket"), bob.pill("websocket")]);
    server.kill("SIGSTOP");
    await ada.page.getByRole("textbox", { name: "Message" }).fill("into the void");
    await ada.page.keyboard.press("Enter");
    await ada.page.locator(".pending").waitFor();
    server.kill("SIGKILL");
    await ada.page.getByText("maybe not delivered").waitFor();
    await server.stop();
    server = await startServer("chat", server.port);
    await Promise.all([ada.sees("You are back as Ada"), bob.sees("You are back as Bob")]);
    await ada.page.getByRole("button", { name: "Send again" }).click();
    await bob.hears("Ada", "into the void");
    assert.equal(await ada.page.locator(".failed").count(), 0);
  });

  it("keeps the name over a reload", async () => {
    for (const query of ["", "?transport=polling"]) {
      const ada = await person(first, "Ada", query);
      await ada.page.reload();
      await ada.sees("You joined as Ada");
      assert.deepEqual(await ada.people(), ["Ada"]);
      await ada.leaves();
    }
  });

  it("refuses a name that is taken, and an empty one, and lets one choose again", async () => {
    const ada = await person(first, "Ada");
    const bob = await person(second);
    const name = bob.page.getByLabel("Your name");
    for (const [wish, answer] of [["", /type a name/], ["   ", /type a name/], ["Ada", /has this name/], [" aDA ", /has this name/]]) {
      await name.fill(wish);
      await name.press("Enter");
      await bob.page.getByRole("alert").getByText(answer).waitFor();
    }
    await bob.join(" Bob ");
    await ada.sees("Bob joined");
    await bob.page.getByRole("button", { name: "Leave" }).click();
    await ada.sees("Bob left");
    await bob.join("Ben");
    await ada.sees("Ben joined");
    assert.deepEqual(await ada.people(), ["Ada", "Ben"]);
  });

  it("shows a name and a text with HTML in them as text", async () => {
    const markup = "<img src=x id=evil>"; // 19 of the 24 characters
    const ada = await person(first, "Ada");
    const evil = await person(second, markup);
    await ada.sees(`${markup} joined`);
    await evil.say("<script>document.title = 'evil'</script><b id=evil>bold</b>");
    await ada.hears(markup, "<script>document.title = 'evil'</script><b id=evil>bold</b>");
    assert.deepEqual(await ada.people(), [markup, "Ada"]);
    for (const one of [ada, evil]) {
      assert.equal(await one.page.locator("#evil").count(), 0);
      assert.equal(await one.page.title(), "engineio chat");
      assert.deepEqual(one.problems, []);
    }
  });

  it("looks like something one would show", async () => {
    const ada = await person(first, "Ada", "#/rust");
    const grace = await person(second, "Grace", "#/rust");
    const dark = await person(second, "Linus", "#/rust", { colorScheme: "dark" });
    const phone = await person(first, "Margaret", "#/rust", {
      viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true,
    });
    await Promise.all([person(first, "Ken"), person(second, "Barbara"), person(second, "Dennis", "#/lisp")]);
    await Promise.all([ada, grace, dark, phone].map((one) => one.pill("websocket")));
    await ada.say("Morning! The new build is up, could somebody look at the upgrade?");
    await grace.say("Looking. It opened on polling and moved to websocket before I could blink.");
    await grace.say("Nothing lost in between.");
    await ada.say("That was the idea.");
    await dark.say("What happens when the server restarts?");
    await ada.say("The page waits a moment, comes back under your name, and keeps what you were writing. Waiting times grow and are partly random, so that not everybody knocks at once.");
    await phone.say("Works from the train, too");
    await Promise.all([ada, grace, dark].map((one) => one.hears("Margaret", "Works from the train, too")));
    await grace.write("I wonder");
    await Promise.all([ada, dark, phone].map((one) => one.page.getByText("Grace is typing").waitFor()));

    await ada.room("lobby", 2);
    await ada.screenshot("chat-desktop");
    await dark.screenshot("chat-dark");
    await phone.screenshot("chat-phone");
    await phone.page.getByRole("button", { name: /people/ }).click();
    await phone.screenshot("chat-phone-side");
    const visitor = await person(second, null, "#/go");
    await visitor.pill("websocket");
    await visitor.screenshot("chat-join");

    await server.stop();
    await Promise.all([ada.pill(/reconnecting/), dark.pill(/reconnecting/)]);
    await ada.screenshot("chat-reconnecting");
  });

  it("fits every width, whatever the pill says", async () => {
    const ada = await person(first, "Ada");
    const visitor = await person(second);
    await Promise.all([ada.pill("websocket"), visitor.pill("websocket")]);
    await ada.say("W".repeat(300));
    for (const one of [ada, visitor]) {
      for (const width of [320, 360, 390, 430, 600, 761, 1400]) assert.ok(await one.fits(width), `${width} pixels`);
    }
    await server.stop();
    await ada.pill(/reconnecting/);
    for (const width of [320, 360, 390, 430]) assert.ok(await ada.fits(width), `${width} pixels`);
    await ada.screenshot("chat-phone-reconnecting");
  });
});
