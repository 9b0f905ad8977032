// The real clients: npm's engine.io-client 6.x (revision 4) and 3.x (revision 3).
import { createRequire } from "node:module";
import { Socket as Client6 } from "engine.io-client";
import { within } from "./deadline.mjs";

const Client3 = createRequire(import.meta.url)("engine.io-client3");

/** A real client; `eio` picks the package, `options` are its own. */
export function connect(port, eio = 4, options = {}) {
  const uri = `http://127.0.0.1:${port}`;
  return eio === 4 ? new Client6(uri, options) : Client3(uri, options);
}

/** The next event of a client; its `error` is a failure. */
export function event(client, name, ms = 5000) {
  return within(
    new Promise((resolve, reject) => {
      client.once(name, resolve);
      if (name !== "error") client.once("error", reject);
    }),
    ms,
    `the client's ${name}`,
  );
}

/** A normal client works: it connects by polling, upgrades, gets its text and its binary back, closes. */
export async function normalClientWorks(server, eio = 4) {
  if (!server.alive()) throw new Error(`the server is gone\n${server.log()}`);
  const client = connect(server.port, eio);
  try {
    const got = [];
    const all = new Promise((resolve) => client.on("message", (data) => got.push(data) === 2 && resolve()));
    const upgraded = event(client, "upgrade");
    await event(client, "open");
    client.send("näxt €");
    await upgraded;
    client.send(Buffer.from([0, 1, 254, 255]));
    await within(all, 5000, "a normal client's echoes");
    if (got[0] !== "näxt €" || Buffer.from(got[1]).toString("hex") !== "0001feff") throw new Error(`a normal client got ${got}`);
    const closed = event(client, "close");
    client.close();
    await closed;
  } finally {
    client.close();
  }
}
