"""The echo example as a process of its own: ENGINEIO_ECHO names its binary, else it is the one that
`cargo build --example echo` makes.
"""

import atexit
import os
import pathlib
import queue
import re
import subprocess
import threading

DEADLINE = 15  # seconds that one awaited thing may take; far above what it needs
BUILT = pathlib.Path(__file__).resolve().parents[2] / "target" / "debug" / "examples" / "echo"
MODES = {  # name of a way to connect: the transports that a client is given
    "polling": ["polling"],
    "websocket": ["websocket"],
    "polling then upgrade": ["polling", "websocket"],
}


class Echo:
    """The echo example as a process on a port that the system picks."""

    def __init__(self, *flags):
        path = os.environ.get("ENGINEIO_ECHO", str(BUILT))
        command = [path, "--port", "0", *map(str, flags)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        self.errors = []
        self._thread(lambda: self.errors.extend(self.process.stderr))
        lines = queue.Queue()
        self._thread(lambda: [lines.put(line) for line in self.process.stdout])
        line = lines.get(timeout=DEADLINE)
        self.url = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\s*", line).group(1)

    @staticmethod
    def _thread(target):
        threading.Thread(target=target, daemon=True).start()

    def stop(self):
        assert self.process.poll() is None, f"the server died on its own: {''.join(self.errors)}"
        self.process.terminate()
        code = self.process.wait(timeout=DEADLINE)
        assert code == 0 and "panicked at" not in "".join(self.errors), f"{code}: {''.join(self.errors)}"
