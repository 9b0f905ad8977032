"""A TCP proxy that counts what passes: the bytes on the wire, whatever the client does with them."""

import contextlib
import socket
import threading


class CountingProxy:
    """Listens on a port that the system picks and passes everything on; one thread for each direction."""

    def __init__(self, url):
        host, port = url.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self.up = self.down = 0  # bytes towards the server, bytes towards the client
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    @staticmethod
    def _start(target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        return thread

    def _accept(self):
        with self._listener:
            while True:
                try:
                    client, _ = self._listener.accept()
                except OSError:
                    return  # stopped
                self._start(self._link, client)

    def _link(self, client):
        with client, socket.create_connection(self._target) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = self._start(self._pass_on, client, server, "up")
            self._pass_on(server, client, "down")
            up.join()

    def _pass_on(self, source, sink, direction):
        with contextlib.suppress(OSError):  # the other direction has found its end gone
            while piece := source.recv(65_536):
                # Counted before it is sent: who has received something finds it counted.
                setattr(self, direction, getattr(self, direction) + len(piece))
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
