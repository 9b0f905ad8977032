"""Where no CPython 2.7 runs, tests/autobahn/run says so in one line; one that is found but fails does not count."""

import os
import pathlib
import subprocess
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parent / "run"


class NotRunTest(unittest.TestCase):
    def test_shims_that_fail(self):
        for status in (1, 127):
            with self.subTest(status=status), tempfile.TemporaryDirectory() as folder:
                shims = [pathlib.Path(folder, *parts) for parts in (("bin",), ("versions", "2.7.18", "bin"))]
                for shim in shims:
                    shim.mkdir(parents=True)
                    python = shim / "python2.7"
                    python.write_text(f"#!/bin/sh\necho 'version 2.7 is not installed' >&2\nexit {status}\n")
                    python.chmod(0o755)
                # The one in front hides what else the path may have.
                path = f"{shims[0]}:{os.environ['PATH']}"
                self.assert_not_run({**os.environ, "PATH": path, "PYENV_ROOT": folder})

    def test_none(self):
        with tempfile.TemporaryDirectory() as folder:
            for tool in ("bash", "dirname"):
                found = subprocess.run(["sh", "-c", f"command -v {tool}"], check=True, capture_output=True, text=True)
                pathlib.Path(folder, tool).symlink_to(found.stdout.strip())
            self.assert_not_run({"PATH": folder, "PYENV_ROOT": f"{folder}/none"})

    def assert_not_run(self, environment):
        # A server that does not exist: nothing may get as far as starting it.
        environment = {**environment, "ENGINEIO_WS_ECHO": "/nonexistent"}
        done = subprocess.run([RUN], env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "autobahn: 0 cases: NOT RUN: no CPython 2.7 runs here\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
