// What the browser tests share: the examples' servers as child processes, Chromium, and what the pages have in common.
//
// ENGINEIO_CHAT, ENGINEIO_GAME, ENGINEIO_ECHO  the built examples (default: target/debug/examples/chat, ...)
// CHROMIUM                                     the browser (default: /usr/bin/chromium)

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const servers = {
  chat: process.env.ENGINEIO_CHAT ?? `${root}target/debug/examples/chat`,
  game: process.env.ENGINEIO_GAME ?? `${root}target/debug/examples/game`,
  echo: process.env.ENGINEIO_ECHO ?? `${root}target/debug/examples/echo`,
};
/** The client as pages load it: it defines `eio`. */
export const clientScript = `${root}examples/shared/node_modules/engine.io-client/dist/engine.io.min.js`;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const DEADLINE = 20_000; // ms, for whatever a test waits for

export function checkTools() {
  assert.ok(existsSync(executablePath),
    `no Chromium at ${executablePath}: install it (Debian, Ubuntu: apt install chromium) or name it in CHROMIUM`);
  for (const [name, path] of Object.entries(servers)) {
    assert.ok(existsSync(path),
      `no server at ${path}: build it (cargo build --example ${name}) or name it in ENGINEIO_${name.toUpperCase()}`);
  }
  assert.ok(existsSync(clientScript), "the pages' package is missing: run `npm ci` in examples/shared");
}

/** Starts an example; resolves once it says where it listens. */
export async function startServer(name, port = 0, args = []) {
  const child = spawn(servers[name], ["--port", String(port), ...args], { stdio: ["ignore", "pipe", "inherit"] });
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

/** Somebody with a page of its own. Everything waits with a deadline. */
export class Visitor {
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
    page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
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
    return new this(page, problems);
  }

  async pill(text) {
    await this.page.locator("#pill-text").getByText(text).waitFor();
  }

  async pillStates() {
    return await this.page.evaluate(() => window.pillStates);
  }

  /** Uses the page's own switch. */
  async allowWebSocket(allowed) {
    await this.page.getByRole("switch", { name: "Allow WebSocket" }).setChecked(allowed);
  }

  /** Whether nothing is cut off or pushed out of the window at this width, in CSS pixels. */
  async fits(width) {
    await this.page.setViewportSize({ width, height: 700 });
    return await this.page.evaluate(() => {
      const wide = [document.documentElement, document.querySelector(".bar"), document.querySelector(".shell")];
      return wide.every((node) => node.scrollWidth <= node.clientWidth);
    });
  }

  async screenshot(name) {
    mkdirSync(`${root}output`, { recursive: true });
    await this.page.screenshot({ path: `${root}output/${name}.png` }); // a folder that git ignores
  }

  async leaves() {
    await this.page.goto("about:blank");
  }
}
