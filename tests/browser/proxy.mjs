// A TCP proxy that counts what passes: the bytes on the wire, whatever the browser does with them.

import net from "node:net";

/** Passes connections on to `port`; `up` and `down` are the bytes so far towards the server and back. */
export async function countingProxy(port) {
  const proxy = { up: 0, down: 0 };
  const open = new Set();
  const server = net.createServer({ noDelay: true }, (client) => {
    const target = net.connect({ port, host: "127.0.0.1", noDelay: true });
    for (const [from, to, direction] of [[client, target, "up"], [target, client, "down"]]) {
      open.add(from);
      from.on("data", (piece) => (proxy[direction] += piece.length));
      from.on("error", () => to.destroy());
      from.once("close", () => open.delete(from));
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.stop = async () => {
    open.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  };
  return proxy;
}
