"""permessage-deflate with Python's WebSockets: `websockets` after a handshake by hand, and python-engineio's
asynchronous client, whose WebSocket is aiohttp's. Both ways, and the bytes on the wire counted by a proxy.
"""

import asyncio
import contextlib
import json
import unittest

import engineio
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

from proxy import CountingProxy
from support import DEADLINE, MODES, Echo

LENGTH = 100_000
TEXT = json.dumps([{"id": at, "name": f"item {at}", "tags": ["a", "b"]} for at in range(LENGTH // 40)])[:LENGTH]
DATA = TEXT.encode()
BOTH = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
OFFERS = {  # what a client offers: what it is answered
    "nothing": (None, None),
    "no parameters": ({"client_max_window_bits": None}, BOTH),
    "window bits": (
        {"server_max_window_bits": 9, "client_max_window_bits": 10},
        f"{BOTH}; server_max_window_bits=9",
    ),
    "all": (
        {"server_no_context_takeover": True, "client_no_context_takeover": True, "client_max_window_bits": True},
        BOTH,
    ),
}


class CompressionTest(unittest.TestCase):
    """With WebSockets that own their TCP connections."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Echo(*cls.flags)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.proxy = CountingProxy(self.server.url)
        self.addCleanup(self.proxy.stop)

    @contextlib.contextmanager
    def on_the_wire(self, low, high):
        """Between `low` and `high` bytes pass meanwhile, each way."""
        up, down = self.proxy.up, self.proxy.down
        yield
        for passed in (self.proxy.up - up, self.proxy.down - down):
            self.assertGreater(passed, low)
            self.assertLess(passed, high)

    def test_websockets(self):
        url = f"ws{self.proxy.url.removeprefix('http')}/engine.io/?EIO=4&transport=websocket"
        for name, (offer, answer) in OFFERS.items():
            with self.subTest(offer=name):
                extensions = [ClientPerMessageDeflateFactory(**offer)] if offer else None
                with connect(
                    url, extensions=extensions, compression=None, open_timeout=DEADLINE, close_timeout=DEADLINE
                ) as websocket:
                    given = websocket.response.headers.get("Sec-WebSocket-Extensions")
                    self.assertEqual(self.without_own(given), answer)
                    self.assertRegex(websocket.recv(DEADLINE), r'^0\{"sid":"')
                    limits = (LENGTH, 2 * LENGTH) if answer is None else (0, LENGTH // 4)
                    for message in (f"4{TEXT}", DATA):
                        with self.on_the_wire(*limits):
                            websocket.send(message)
                            self.assertEqual(websocket.recv(DEADLINE), message)

    @staticmethod
    def without_own(given):
        """The answer without the window that the server asks of the client: that is the server's choice."""
        parts = given.split("; ") if given else []
        return "; ".join(part for part in parts if not part.startswith("client_max_window_bits")) or None

    def test_python_engineio_on_aiohttp(self):
        for mode in ("websocket", "polling then upgrade"):
            with self.subTest(mode=mode):
                asyncio.run(asyncio.wait_for(self.aiohttp(mode), 4 * DEADLINE))

    async def aiohttp(self, mode):
        client = engineio.AsyncClient(websocket_extra_options={"compress": 15})
        inbox = asyncio.Queue()
        client.on("message", inbox.put)
        await client.connect(self.proxy.url, transports=MODES[mode])
        self.assertEqual(client.transport(), "websocket")
        self.assertEqual(client.ws.compress, 15)
        for message in (TEXT, DATA):
            with self.on_the_wire(0, LENGTH // 4):
                await client.send(message)
                self.assertEqual(await inbox.get(), message)
        await client.disconnect()


class NoHandoverTest(CompressionTest):
    """With WebSockets whose bytes pass through the HTTP server."""

    flags = ("--no-handover",)


if __name__ == "__main__":
    unittest.main()
