// The server of the benchmark on engine.io, with the WebSocket engine that its argument names: ws (the default, with
// bufferutil, as its documentation advises) or eiows. Text comes back as text, binary as binary; text that begins with
// "b" goes to everybody, framed once, as socket.io's adapter does it on ws.

import { createServer } from "node:http";
import { Server } from "engine.io";
import { Sender } from "ws";

const [wsEngine = "ws"] = process.argv.slice(2);
const options = {};
if (wsEngine === "eiows") {
  options.wsEngine = (await import("eiows")).default.Server;
}

const engine = new Server(options);
engine.on("connection", (socket) => {
  socket.on("message", (data) => {
    if (typeof data === "string" && data.startsWith("b")) {
      broadcast(data);
    } else {
      socket.send(data);
    }
  });
});

function broadcast(text) {
  const packet = {};
  if (wsEngine === "ws") {
    const frame = { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true };
    packet.wsPreEncodedFrame = Sender.frame(Buffer.from("4" + text), frame);
  }
  for (const socket of Object.values(engine.clients)) {
    socket.send(text, packet);
  }
}

const server = createServer();
engine.attach(server);
server.listen(0, "127.0.0.1", 4096, () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
