"""python-engineio's client (4.x) against examples/echo: the client matrix in short.

Run with `python -m unittest discover -s tests/python`; `support` says which binary that takes.
"""

import queue
import threading
import unittest

import engineio
import engineio.payload
from support import DEADLINE, MODES, Echo

TEXTS = ["hello", "Grüße, Ελλάς, 日本語", "🦀 👩‍👩‍👧‍👦 \U0010ffff", "\0a\0", "", "1:2\r\n4\\n\"'\u2028", "äb🦀" * 25_000]
SIZES = [0, 1, 125, 126, 65_535, 65_536, 900_000]

# by default this client refuses answers of more than 16 packets; the project's documentation says to raise it so
engineio.payload.Payload.max_decode_packets = 10_000


class Connection:
    """One client whose messages become a queue."""

    def __init__(self, url, mode):
        self.client = engineio.Client()
        self.inbox = queue.Queue()
        self.closed = threading.Event()
        self.reason = None
        self.client.on("message", self.inbox.put)
        self.client.on("disconnect", self._disconnected)
        self.client.connect(url, transports=MODES[mode])

    def _disconnected(self, reason=None):
        self.reason = reason
        self.closed.set()

    def send(self, data):
        self.client.send(data)

    def take(self, count=1):
        return [self.inbox.get(timeout=DEADLINE) for _ in range(count)]

    def echo(self, data):
        self.send(data)
        return self.take()[0]


class ClientTest(unittest.TestCase):
    """Every test runs on polling, on WebSocket, and on polling with the upgrade."""

    @classmethod
    def setUpClass(cls):
        # base64 makes 900,000 bytes into 1,200,000: over the default limit of one polling request
        cls.server = Echo("--max-payload", 2_000_000)
        cls.addClassCleanup(cls.server.stop)

    def each_mode(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                connection = Connection(self.server.url, mode)
                # this client upgrades inside connect(), before it returns
                arrived = "polling" if mode == "polling" else "websocket"
                self.assertEqual(connection.client.transport(), arrived)
                try:
                    yield connection
                finally:
                    connection.client.disconnect()

    def test_text(self):
        for connection in self.each_mode():
            for text in TEXTS:
                self.assertEqual(connection.echo(text), text)

    def test_binary(self):
        for connection in self.each_mode():
            for size in SIZES:
                data = bytes(index % 251 for index in range(size))
                self.assertEqual(connection.echo(data), data)

    def test_burst_of_500_in_order(self):
        for connection in self.each_mode():
            sent = [f"{index} ü🦀" for index in range(500)]
            for text in sent:
                connection.send(text)
            self.assertEqual(connection.take(len(sent)), sent)
            self.assertEqual(connection.echo("last"), "last")

    def test_text_and_binary_in_order(self):
        for connection in self.each_mode():
            sent = [bytes([index]) * index if index % 2 else f"{index}" for index in range(100)]
            for item in sent:
                connection.send(item)
            self.assertEqual(connection.take(len(sent)), sent)

    def test_broadcast(self):
        connections = [Connection(self.server.url, mode) for mode in MODES]
        connections[0].send("broadcast")
        for connection in connections:
            self.assertEqual(connection.take(), ["broadcast"])
            self.assertEqual(connection.echo("last"), "last")
            connection.client.disconnect()

    def test_compressed_polling(self):
        connection = Connection(self.server.url, "polling")
        codings = []
        note = lambda response, *_, **__: codings.append(response.headers.get("content-encoding"))
        connection.client.http.hooks["response"].append(note)
        for text in ["small", "large, groß " * 20_000, "small"]:
            self.assertEqual(connection.echo(text), text)
        connection.client.disconnect()
        self.assertIn("gzip", codings)

    def test_close_by_the_server(self):
        for connection in self.each_mode():
            connection.send("!close")
            self.assertTrue(connection.closed.wait(DEADLINE))
            self.assertEqual(connection.client.state, "disconnected")

    def test_bye_arrives_before_the_close(self):
        for connection in self.each_mode():
            connection.send("!bye")
            self.assertEqual(connection.take(3), ["bye-1", "bye-2", "bye-3"])
            self.assertTrue(connection.closed.wait(DEADLINE))
            self.assertTrue(connection.inbox.empty())

    def test_close_by_the_client(self):
        for connection in self.each_mode():
            connection.echo("hello")
            connection.client.disconnect()
            self.assertTrue(connection.closed.wait(DEADLINE))
            self.assertEqual(connection.client.state, "disconnected")


class HeartbeatTest(unittest.TestCase):
    """The client answers the server's pings over several intervals."""

    def test_heartbeats(self):
        server = Echo("--ping-interval", 150, "--ping-timeout", 5_000)
        self.addCleanup(server.stop)
        for mode in MODES:
            with self.subTest(mode=mode):
                connection = Connection(server.url, mode)
                pings = threading.Semaphore(0)
                receive = connection.client._receive_packet

                def counted(packet, receive=receive, pings=pings):
                    receive(packet)
                    if packet.packet_type == engineio.packet.PING:
                        pings.release()

                connection.client._receive_packet = counted
                for _ in range(4):
                    self.assertTrue(pings.acquire(timeout=DEADLINE))
                self.assertEqual(connection.echo("alive"), "alive")
                connection.client.disconnect()


if __name__ == "__main__":
    unittest.main()
