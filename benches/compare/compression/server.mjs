// The peer: an echo on npm's engine.io and ws, with compression on both transports.
//
//   node server.mjs [--no-takeover]
//
// Without the flag ws keeps a window for each connection, as it does by default.

import { createServer } from "node:http";
import { Server } from "engine.io";

const noTakeover = process.argv.includes("--no-takeover");
const http = createServer();
const server = new Server({
  perMessageDeflate: {
    threshold: 1024,
    ...(noTakeover && { serverNoContextTakeover: true, clientNoContextTakeover: true }),
  },
  httpCompression: { threshold: 1024 },
});
server.attach(http);
server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
http.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
