"""The server of the benchmark on python-engineio and uvicorn (uvloop, httptools, websockets): text comes back as text,
binary as binary; text that begins with "b" goes to everybody."""

import asyncio
import socket

import engineio
import uvicorn

server = engineio.AsyncServer(async_mode="asgi")


@server.on("message")
async def message(sid, data):
    if isinstance(data, str) and data.startswith("b"):
        for other in list(server.sockets):
            await server.send(other, data)
    else:
        await server.send(sid, data)


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = uvicorn.Config(engineio.ASGIApp(server), log_level="error", access_log=False, lifespan="off")
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
