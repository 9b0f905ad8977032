// Cases that hold in both revisions: engine.io runs its tests with either client, so each of these is two tests.

import test from "node:test";

/** The test `name` with the client of revision 4 and with that of revision 3: `body(t, eio)`. */
export function both(name, body) {
  for (const eio of [4, 3]) test(`${name} (EIO ${eio})`, (t) => body(t, eio));
}

/** The options of a client that stays on one transport. */
export const ONLY = {
  polling: { transports: ["polling"], upgrade: false },
  websocket: { transports: ["websocket"] },
};

/** Calls `body` with each transport's name and its options. */
export function eachTransport(body) {
  for (const [name, options] of Object.entries(ONLY)) body(name, options);
}
