"""The statistics page of examples/echo, read by Prometheus' own parser: its figures equal what clients did.

Run as test_client.py is; the server must be built with `--features metrics`.
"""

import time
import unittest

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from test_client import DEADLINE, Connection, Echo


class MetricsTest(unittest.TestCase):
    def setUp(self):
        self.server = Echo("--monitor", "--ping-interval", 100)
        self.addCleanup(self.server.stop)

    def scrape(self):
        """All samples: {(name, labels): value}."""
        response = requests.get(f"{self.server.url}/metrics", timeout=DEADLINE)
        self.assertEqual(response.status_code, 200, "is the server built with --features metrics?")
        self.assertTrue(response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0"))
        samples = {}
        for family in text_string_to_metric_families(response.text):
            self.assertTrue(family.name.startswith("engineio_"))
            self.assertTrue(family.documentation)
            for sample in family.samples:
                key = sample.name.removeprefix("engineio_"), frozenset(sample.labels.items())
                self.assertNotIn(key, samples)
                samples[key] = sample.value
        return samples

    def expect(self, expected):
        """Scrapes until these samples have these values; those that are not named do not matter."""
        deadline = time.monotonic() + DEADLINE
        while True:
            samples = self.scrape()
            found = {key: samples.get(key) for key in expected}
            if found == expected:
                return samples
            self.assertLess(time.monotonic(), deadline, f"{found} instead of {expected}")

    def test_the_figures_of_a_load(self):
        self.assertEqual(sum(self.scrape().values()), 0)

        clients = [Connection(self.server.url, "polling") for _ in range(3)]
        clients += [Connection(self.server.url, "websocket") for _ in range(2)]
        clients.append(Connection(self.server.url, "polling then upgrade"))
        for client in clients:
            for _ in range(10):
                self.assertEqual(client.echo("grüße"), "grüße")
            self.assertEqual(client.echo(bytes(1000)), bytes(1000))
        for query in ["EIO=4&transport=tobi", "EIO=4&transport=polling&sid=nobody", "EIO=9&transport=polling"]:
            requests.get(f"{self.server.url}/engine.io/?{query}", timeout=DEADLINE)

        messages, size = 6 * 11, 6 * (10 * len("grüße".encode()) + 1000)
        samples = self.expect({
            labelled("sessions", transport="polling", protocol="4"): 3,
            labelled("sessions", transport="websocket", protocol="4"): 3,
            labelled("sessions", transport="polling", protocol="3"): 0,
            labelled("sessions_opened_total", transport="polling", protocol="4"): 4,
            labelled("sessions_opened_total", transport="websocket", protocol="4"): 2,
            labelled("messages_total", direction="in"): messages,
            labelled("messages_total", direction="out"): messages,
            labelled("message_bytes_total", direction="in"): size,
            labelled("message_bytes_total", direction="out"): size,
            labelled("upgrades_total", result="tried"): 1,
            labelled("upgrades_total", result="done"): 1,
            labelled("upgrades_total", result="failed"): 0,
            labelled("requests_refused_total", code="0", context="UNKNOWN_TRANSPORT"): 1,
            labelled("requests_refused_total", code="1", context="UNKNOWN_SID"): 1,
            labelled("requests_refused_total", code="5", context="UNSUPPORTED_PROTOCOL_VERSION"): 1,
            labelled("buffered_bytes"): 0,
            labelled("sends_refused_total"): 0,
            labelled("sends_dropped_total"): 0,
        })
        self.assertEqual(sum(value for (name, _), value in samples.items() if name == "sessions_closed_total"), 0)

        # Every client answers pings meanwhile.
        deadline = time.monotonic() + DEADLINE
        while self.scrape()[labelled("round_trip_seconds_count")] < 12:
            self.assertLess(time.monotonic(), deadline, "no heartbeats")
        samples = self.scrape()
        self.assertGreater(samples[labelled("round_trip_seconds_sum")], 0)
        buckets = [value for (name, _), value in samples.items() if name == "round_trip_seconds_bucket"]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual(buckets[-1], samples[labelled("round_trip_seconds_count")])

        for client in clients[:4]:
            client.client.disconnect()
        for client in clients[4:]:
            client.send("!close")
            self.assertTrue(client.closed.wait(DEADLINE))
        self.expect({
            labelled("sessions", transport="polling", protocol="4"): 0,
            labelled("sessions", transport="websocket", protocol="4"): 0,
            labelled("sessions_closed_total", reason="transport close"): 4,
            labelled("sessions_closed_total", reason="forced close"): 2,
            labelled("messages_total", direction="in"): messages + 2,
            labelled("messages_total", direction="out"): messages,
        })

    def test_readiness(self):
        self.assertEqual(readiness(self.server), 200)

    def test_readiness_while_it_drains(self):
        server = Echo("--monitor", "--drain", 60_000)
        # As many as it takes for one of them to be there for long: each ends at a random moment of the window.
        clients = [Connection(server.url, "websocket") for _ in range(8)]
        self.assertEqual(readiness(server), 200)
        server.process.terminate()
        deadline = time.monotonic() + DEADLINE
        while (status := readiness(server)) == 200:
            self.assertLess(time.monotonic(), deadline, "it says that it is ready while it drains")
        self.assertEqual(status, 503)
        self.assertTrue(any(client.echo("still here") == "still here" for client in clients if not client.closed.is_set()))
        server.stop()  # a second signal: at once
        for client in clients:
            self.assertTrue(client.closed.wait(DEADLINE))


def readiness(server):
    return requests.get(f"{server.url}/ready", timeout=DEADLINE).status_code


def labelled(name, **labels):
    return name, frozenset(labels.items())


if __name__ == "__main__":
    unittest.main()
