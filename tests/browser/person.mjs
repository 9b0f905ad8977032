// A person in the chat, and one without a page.

import assert from "node:assert/strict";
import { Visitor } from "./support.mjs";

/** A bare session on polling, without a page, that joins and reads only when it is told to. */
export async function joinSilently(url, name, room = "lobby") {
  const endpoint = `${url}/engine.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(endpoint)).text()).slice(1).split("\x1e")[0]);
  const post = async (body) => {
    const answer = await fetch(`${endpoint}&sid=${sid}`, { method: "POST", body });
    assert.equal(answer.status, 200);
  };
  const send = (messages) => post(messages.map((message) => `4${JSON.stringify(message)}`).join("\x1e"));
  await send([{ type: "join", room, name }]);
  return {
    say: (texts) => send(texts.map((text) => ({ type: "say", text }))),
    /** The messages of one poll. */
    read: async () => {
      const payload = await (await fetch(`${endpoint}&sid=${sid}`)).text();
      return payload.split("\x1e").filter((packet) => packet[0] === "4").map((packet) => JSON.parse(packet.slice(1)));
    },
    close: () => post("1"),
  };
}

export class Person extends Visitor {
  async join(name) {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Join" }).click();
    await this.sees(`You joined as ${name.trim()}`);
  }

  async say(text) {
    await this.write(text);
    await this.page.keyboard.press("Enter");
    await this.page.locator(".own:not(.pending):not(.failed) .bubble").filter({ hasText: text }).last().waitFor();
  }

  async write(text) {
    await this.page.getByRole("textbox", { name: "Message" }).fill(text);
  }

  /** Waits for a notice. */
  async sees(text) {
    await this.page.locator(".notice").getByText(text, { exact: true }).last().waitFor();
  }

  async hears(from, text) {
    const message = this.page.locator(".message:not(.own)").filter({ has: this.page.getByText(text, { exact: true }) });
    await message.waitFor();
    assert.equal(await message.locator(".who").textContent(), from);
  }

  async people() {
    return (await this.page.locator("#people .name").allTextContents()).sort();
  }

  /** Waits until the list of rooms has this one with so many people in it. */
  async room(name, people) {
    await this.page.locator("#rooms a").filter({ hasText: new RegExp(`^${name}${people}$`) }).waitFor();
  }
}
