"""Runs the rounds: each starts every server afresh, in turn (A B C A B C ...), pinned apart from the loader."""

import datetime
import json
import os
import platform
import re
import select
import subprocess
import sys
from pathlib import Path

from .scenarios import SCENARIOS
from .servers import SERVERS, commit, versions

# What is kept of a round.
KEPT = ("messages", "seconds", "per_second", "per_cpu_second", "server_user", "server_system", "server_busy",
        "loader_busy", "p50_us", "p99_us", "samples", "resident_kib", "sessions", "before_kib", "after_kib",
        "bytes_per_session", "errors")


def pinned(chosen, cores, command):
    first = ["chrt", "--rr", "1"] if chosen.realtime else []
    return [*first, "taskset", "-c", cores, *map(str, command)]


def listening(process, deadline=30):
    """The address that a server prints once it listens."""
    if not select.select([process.stdout], [], [], deadline)[0]:
        raise RuntimeError("the server does not say where it listens")
    line = process.stdout.readline()
    found = re.search(r"listening on http://(\S+)", line)
    if not found:
        raise RuntimeError(f"the server says {line!r} instead of where it listens")
    return found.group(1).rstrip("/")


def cores_of(chosen, server):
    """The cores that a server may use; the loader's own too, where there are but two."""
    if server.cores == "server":
        return str(chosen.server_core)
    free = sorted(os.sched_getaffinity(0) - {chosen.loader_core})
    return ",".join(map(str, free if len(free) > 1 else [chosen.server_core, chosen.loader_core]))


def start(chosen, folders, server):
    """Starts a server; chrt and taskset replace themselves by it, so that the pid is the server's."""
    command = [str(word).format(**folders) for word in server.command]
    return subprocess.Popen(pinned(chosen, cores_of(chosen, server), command), stdout=subprocess.PIPE, text=True)


def stop(process):
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def one_round(chosen, folders, server, scenario):
    process = start(chosen, folders, server)
    try:
        arguments = ["--addr", listening(process), "--pid", process.pid, "--sources", 4]
        arguments += [*(["--spin"] if chosen.spin else []), *scenario.loader]
        if scenario.is_idle:
            span = chosen.hold
            arguments += ["--sessions", chosen.sessions, "--hold", span]
        else:
            span = chosen.seconds / 2 if server.is_slow else chosen.seconds
            arguments += ["--seconds", span, "--warmup", 1.0 if server.is_slow else 0.4]
        loader = pinned(chosen, str(chosen.loader_core), [folders["peers"] / "loader", *arguments])
        done = subprocess.run(loader, check=True, stdout=subprocess.PIPE, text=True, timeout=span + 180)
        result = json.loads(done.stdout)
        return {key: result[key] for key in KEPT if key in result}
    finally:
        stop(process)


def machine():
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def conditions(chosen, scenario):
    """What rounds must have in common to be taken together."""
    span = {"sessions": chosen.sessions, "hold": chosen.hold} if scenario.is_idle else {"seconds": chosen.seconds}
    return {
        **span, "commit": commit(), "spin": chosen.spin, "realtime": chosen.realtime, "machine": machine(),
        "versions": versions(),
    }


def head(scenario, found):
    """The head of a scenario's results."""
    date = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"
    return {"title": scenario.title, **found, "date": date, "servers": {}}


def measure(chosen, taking_part, folders, measured):
    """Runs all rounds and keeps each in `measured`, which is saved after every round."""
    for name in chosen.scenarios:
        scenario = SCENARIOS[name]
        servers = [server for server in scenario.servers if server in taking_part]
        entry = measured["scenarios"].get(name) if chosen.resume else None
        found = conditions(chosen, scenario)
        if not entry or any(entry.get(key) != value for key, value in found.items()):
            entry = head(scenario, found)
        measured["scenarios"][name] = entry
        rounds = min(chosen.rounds, chosen.idle_rounds) if scenario.is_idle else chosen.rounds
        for number in range(rounds):
            for server in servers:
                results = entry["servers"].setdefault(server, [])
                if len(results) > number:
                    continue
                result = one_round(chosen, folders, SERVERS[server], scenario)
                results.append(result)
                figure = result.get("per_cpu_second") or result.get("bytes_per_session")
                print(f"{name} {number + 1}/{rounds} {server}: {figure}", file=sys.stderr)
                save(chosen.out, measured)


def text_of(measured):
    """The measured file: JSON, one round a line."""
    rounds = []

    def mark(result):
        rounds.append(json.dumps(result))
        return f"@{len(rounds) - 1}@"

    scenarios = {
        name: {**entry, "servers": {server: [*map(mark, results)] for server, results in entry["servers"].items()}}
        for name, entry in measured["scenarios"].items()
    }
    marked = json.dumps({**measured, "scenarios": scenarios}, indent=1)
    return re.sub(r'"@(\d+)@"', lambda found: rounds[int(found[1])], marked) + "\n"


def save(folder, measured):
    """Writes the measured file, and never leaves half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "measured.json.new"
    fresh.write_text(text_of(measured))
    fresh.replace(folder / "measured.json")


def load(folder):
    path = folder / "measured.json"
    measured = json.loads(path.read_text()) if path.exists() else {"scenarios": {}}
    # Older files have them once, for all scenarios.
    common = {key: measured.pop(key) for key in ("machine", "versions") if key in measured}
    measured["scenarios"] = {name: {**common, **entry} for name, entry in measured["scenarios"].items()}
    return measured
