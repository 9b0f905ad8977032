// Loaded before engine.io-client's own tests, and before the processes that they start: what goes to port 3000, which
// is written in them, goes to the port of our server.

const net = require("net");

const port = Number(process.env.ENGINEIO_CLIENT_SUITE_PORT);
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (Number(options?.port) === 3000) Object.assign(options, { port, host: "127.0.0.1" });
  return connect.apply(this, args);
};
