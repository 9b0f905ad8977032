// Node 22 has a WebSocket of its own, which knows no headers and no certificates. engine.io-client 3 takes it if it
// is there when the client is loaded, so it must be gone by then: to be imported before the client.

delete globalThis.WebSocket;
