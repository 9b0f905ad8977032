"""The harness without servers: what it keeps of earlier rounds, and what it says of where they come from.

Run with `python3 -m unittest discover -s benches/compare`.
"""

import json
import tempfile
import unittest
from argparse import Namespace
from pathlib import Path
from unittest import mock

from harness import report, rounds

ROUND = {"per_cpu_second": 100, "per_second": 90, "server_user": 1, "server_system": 1, "server_busy": 1,
         "loader_busy": 1, "p50_us": 1, "p99_us": 2, "errors": 0}
IDLE = {"bytes_per_session": 2048, "errors": 0}


class HarnessTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def measure(self, machine="this one", tokio="1.1", **options):
        """Measures one round of each scenario that has none; returns how many that were."""
        chosen = Namespace(**{"scenarios": ["polling", "idle-polling"], "rounds": 1, "idle_rounds": 1, "seconds": 1,
                              "sessions": 10, "hold": 1, "spin": False, "realtime": False, "resume": True,
                              "out": self.folder, **options})
        made = lambda chosen, folders, server, scenario: dict(IDLE if scenario.is_idle else ROUND)
        with mock.patch.multiple(rounds, one_round=mock.Mock(side_effect=made), machine=lambda: machine,
                                 versions=lambda: {"tokio": tokio}, commit=lambda: "c0ffee", print=mock.Mock(),
                                 create=True):
            rounds.measure(chosen, ["engineio"], {}, rounds.load(self.folder))
            return rounds.one_round.call_count

    def heading(self):
        return "\n".join(report.heading(rounds.load(self.folder)))

    def test_rounds_that_were_measured_alike_are_kept(self):
        self.assertEqual(self.measure(), 2)
        self.assertEqual(self.measure(), 0)
        self.assertEqual(self.measure(seconds=2), 1)
        self.assertEqual(self.measure(seconds=2, sessions=20), 1)
        self.assertEqual(self.measure(seconds=2, sessions=20, hold=2), 1)
        for name, value in [("spin", True), ("realtime", True), ("machine", "another"), ("tokio", "1.2")]:
            self.measure()
            self.assertEqual(self.measure(**{name: value}), 2, name)

    def test_a_run_of_some_scenarios_says_nothing_of_the_others(self):
        self.measure()
        self.assertNotIn("or with other versions", self.heading())
        measured = rounds.load(self.folder)
        measured["scenarios"]["polling"]["date"] = "2000-01-01 00:00 UTC"
        rounds.save(self.folder, measured)
        self.measure(machine="another", tokio="1.2", scenarios=["idle-polling"])
        self.assertIn("; another; ", self.heading())
        title = measured["scenarios"]["polling"]["title"]
        self.assertIn(f"- {title}: this one, tokio 1.1", self.heading())

    def test_a_file_that_has_machine_and_versions_once(self):
        self.measure()
        measured = json.loads((self.folder / "measured.json").read_text())
        for entry in measured["scenarios"].values():
            measured.update({key: entry.pop(key) for key in ("machine", "versions")})
        (self.folder / "measured.json").write_text(json.dumps(measured))
        self.assertEqual(self.measure(), 0)
        self.assertIn("; this one; medians of 1 interleaved round; memory: 1 round.", self.heading())


if __name__ == "__main__":
    unittest.main()
