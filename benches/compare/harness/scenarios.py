"""What is measured: the loader's arguments, who takes part, and how its figure is called."""

from dataclasses import dataclass

OURS = ("engineio", "engineio --via-actor", "engineio --no-handover")
FAST = ("engineioxide", "bun-engine")
SLOW = ("engine.io, ws", "python-engineio")
CEILINGS = ("bare tokio", "uWebSockets")


@dataclass
class Scenario:
    title: str
    loader: list
    servers: tuple
    what: str = "messages"
    column: str = ""  # its head in the summary; those without one are left out there
    is_idle: bool = False
    latency: str = "p50, p99: from a message to its echo"


SCENARIOS = {
    "websocket": Scenario(
        "WebSocket echo, 100 connections x 16 in flight x 32 B", ["websocket"],
        (*OURS, *FAST, "engine.io, ws", "engine.io, eiows", "python-engineio", *CEILINGS), column="WebSocket echo"),
    "websocket-1": Scenario(
        "WebSocket echo, 100 connections x 1 in flight x 32 B", ["websocket", "--in-flight", "1"],
        ("engineio", *FAST, *CEILINGS), column="1 in flight"),
    "websocket-1k": Scenario(
        "WebSocket echo, 100 connections x 16 in flight x 1 KiB, text", ["websocket", "--size", "1024"],
        ("engineio", *FAST, *CEILINGS), column="1 KiB"),
    "websocket-1k-binary": Scenario(
        "WebSocket echo, 100 connections x 16 in flight x 1 KiB, binary", ["websocket", "--size", "1024", "--binary"],
        ("engineio", *FAST, *CEILINGS)),
    "websocket-16k": Scenario(
        "WebSocket echo, 100 connections x 16 in flight x 16 KiB, text", ["websocket", "--size", "16384"],
        ("engineio", *FAST, *CEILINGS), column="16 KiB"),
    "polling": Scenario(
        "Polling echo, 100 sessions x 1 in flight x 32 B", ["polling"], ("engineio", "engineio --own-listener", *FAST, *SLOW),
        column="polling echo"),
    "polling-16": Scenario(
        "Polling echo, 100 sessions x 16 in flight x 32 B", ["polling", "--in-flight", "16"],
        ("engineio", "engineio --own-listener", *FAST, *SLOW), column="16 in flight"),
    "fanout": Scenario(
        "Fan-out to 1,000 WebSocket clients, 4 broadcasts of 32 B in flight", ["fanout"],
        ("engineio", *FAST, "engine.io, ws", "engine.io, eiows", "python-engineio", "uWebSockets"),
        what="deliveries", column="fan-out",
        latency="p50, p99: from a broadcast to its last delivery"),
    "upgrade": Scenario(
        "Upgrade cycles, 50 at a time: handshake, poll, probe, upgrade, echo, close", ["upgrade"],
        ("engineio", "engineio --own-listener", *FAST, "engine.io, ws", "engine.io, eiows", "python-engineio"),
        what="cycles", column="upgrade cycles",
        latency="p50, p99: from the probe's ping to the first message on the WebSocket"),
    "handshake": Scenario(
        "Handshakes over polling, 100 connections", ["handshake"],
        ("engineio", "engineio --own-listener", *FAST, *SLOW), what="handshakes", column="handshakes",
        latency="p50, p99: from a request to its answer"),
    "idle-websocket": Scenario(
        "Idle WebSocket sessions after one echo each", ["idle", "--transport", "websocket"],
        ("engineio", "engineio --no-handover", "engineio --own-listener", "engineio --own-listener --no-handover", *FAST,
         "engine.io, ws", "engine.io, eiows", "python-engineio", *CEILINGS),
        column="KiB per WebSocket session", is_idle=True),
    "idle-polling": Scenario(
        "Parked polling sessions after one echo each", ["idle", "--transport", "polling"],
        ("engineio", "engineio --own-listener", *FAST, *SLOW), column="KiB per polling session", is_idle=True),
    "workers": Scenario(
        "WebSocket echo with more workers, 100 connections x 16 in flight x 32 B", ["websocket"],
        ("1 worker", "2 workers")),
}
