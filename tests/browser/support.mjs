// What the browser tests share: a server as a child process, Chromium, and the chat page's parts by name.
//
// ENGINEIO_CHAT  the built example (default: target/debug/examples/chat)
// ENGINEIO_ECHO  likewise (default: target/debug/examples/echo)
// CHROMIUM       the browser (default: /usr/bin/chromium)

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const chat = process.env.ENGINEIO_CHAT ?? `${root}target/debug/examples/chat`;
export const echo = process.env.ENGINEIO_ECHO ?? `${root}target/debug/examples/echo`;
/** The client as pages load it: it defines `eio`. */
export const clientScript = `${root}examples/chat/node_modules/engine.io-client/dist/engine.io.min.js`;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const DEADLINE = 20_000; // ms, for whatever a test waits for

export function checkTools() {
  assert.ok(existsSync(executablePath),
    `no Chromium at ${executablePath}: install it (Debian, Ubuntu: apt install chromium) or name it in CHROMIUM`);
  assert.ok(existsSync(chat),
    `no chat server at ${chat}: build it (cargo build --example chat) or name it in ENGINEIO_CHAT`);
  assert.ok(existsSync(echo),
    `no echo server at ${echo}: build it (cargo build --example echo) or name it in ENGINEIO_ECHO`);
  assert.ok(existsSync(clientScript),
    "the page's package is missing: run `npm ci` in examples/chat");
}

/** A path in output/, which git ignores. */
export function screenshotPath(name) {
  mkdirSync(`${root}output`, { recursive: true });
  return `${root}output/${name}`;
}

/** Starts the chat, or another server; resolves once it says where it listens. */
export async function startServer(port = 0, binary = chat) {
  const child = spawn(binary, ["--port", String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  const stop = async () => {
    child.kill("SIGTERM");
    return await within(ended, "the server did not end after SIGTERM", () => child.kill("SIGKILL"));
  };
  const lines = createInterface({ input: child.stdout });
  const listening = new Promise((resolve, reject) => {
    child.once("error", reject);
    ended.then(({ code, signal }) => reject(new Error(`the server ended at once: ${code ?? signal}`)));
    lines.on("line", (line) => {
      const found = /listening on (http:\/\/\S+:(\d+))/.exec(line);
      if (found) resolve({ url: found[1], port: Number(found[2]), stop, kill: (signal) => child.kill(signal) });
    });
  });
  return await within(listening, "the server did not say that it listens", () => child.kill("SIGKILL"));
}

async function within(promise, message, giveUp) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => { giveUp(); reject(new Error(message)); }, DEADLINE);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function launch() {
  return await chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

/** A bare session on polling, without a page, that joins and then says nothing more. */
export async function joinSilently(url, name) {
  const endpoint = `${url}/engine.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(endpoint)).text()).slice(1));
  const post = async (body) => {
    const answer = await fetch(`${endpoint}&sid=${sid}`, { method: "POST", body });
    assert.equal(answer.status, 200);
  };
  await post(`4${JSON.stringify({ type: "join", name })}`);
  return { close: () => post("1") };
}

/** One person with a page of its own. Everything waits with a deadline. */
export class Person {
  constructor(page, problems) {
    this.page = page;
    this.problems = problems; // errors and missing files, as the page met them
  }

  static async open(browser, url, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(DEADLINE);
    const page = await context.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("response", (response) => { if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`); });
    // Every state that the pill went through, in order.
    await page.addInitScript(() => {
      window.pillStates = [];
      document.addEventListener("DOMContentLoaded", () => {
        const pill = document.querySelector("#pill");
        const note = () => { if (window.pillStates.at(-1) !== pill.dataset.state) window.pillStates.push(pill.dataset.state); };
        note();
        new MutationObserver(note).observe(pill, { attributes: true, attributeFilter: ["data-state"] });
      });
    });
    await page.goto(url);
    return new Person(page, problems);
  }

  async join(name) {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Join" }).click();
    await this.sees(`You joined as ${name.trim()}`);
  }

  async say(text) {
    await this.page.getByRole("textbox", { name: "Message" }).fill(text);
    await this.page.keyboard.press("Enter");
    await this.page.locator(".own:not(.pending):not(.failed) .bubble").filter({ hasText: text }).waitFor();
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

  async pill(text) {
    await this.page.locator("#pill-text").getByText(text).waitFor();
  }

  async pillStates() {
    return await this.page.evaluate(() => window.pillStates);
  }

  async people() {
    return (await this.page.locator("#people .name").allTextContents()).sort();
  }

  /** Whether nothing is cut off or pushed out of the window at this width, in CSS pixels. */
  async fits(width) {
    await this.page.setViewportSize({ width, height: 700 });
    return await this.page.evaluate(() => {
      const wide = [document.documentElement, document.querySelector(".bar"), document.querySelector(".shell")];
      return wide.every((node) => node.scrollWidth <= node.clientWidth);
    });
  }

  async leaves() {
    await this.page.goto("about:blank");
  }
}
