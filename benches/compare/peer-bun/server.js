// The server of the benchmark on Bun and its engine: text comes back as text, binary as binary; text that begins with
// "b" goes to everybody.

import { Server } from "@socket.io/bun-engine";

const engine = new Server();
engine.on("connection", (socket) => {
  socket.on("data", (data) => {
    if (typeof data === "string" && data.startsWith("b")) {
      for (const other of engine.clients.values()) {
        other.write(data);
      }
    } else {
      socket.write(data);
    }
  });
});

const server = Bun.serve({ hostname: "127.0.0.1", port: 0, ...engine.handler() });
console.log(`listening on http://127.0.0.1:${server.port}`);
