"""Starts the echo server, lets Autobahn's client drive it, and judges what the client says of each case.

drive.py SERVER [--full] [AGENT ...]: the agents are the ways of serving in AGENTS, all of them if none is named. Two
at a time are driven: the suite's client keeps one core busy.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE / "output"


@dataclasses.dataclass
class Agent:
    """A way in which the server serves."""

    flags: list
    plain: bool = True  # are the sections wanted that have nothing to do with compression?
    deflate: bool = True  # those that have: does it agree on permessage-deflate?
    sample: bool = False  # is a sample of 9, 12 and 13 all that is wanted, even of a full run?


# The whole server with the TCP connection handed over ("raw"), or left in the HTTP server ("body"); and the WebSocket
# layer alone.
AGENTS = {
    "raw": Agent([]),
    "body": Agent(["--no-handover"]),
    "raw, context takeover": Agent(["--context-takeover", "65536"], plain=False),
    "raw, no deflate": Agent(["--no-compression"], deflate=False),
    "body, no deflate": Agent(["--no-handover", "--no-compression"], deflate=False),
    "layer": Agent(["--layer"], sample=True),
}

ALWAYS = [f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10)]
# One of each kind, with messages that a build without optimisation is done with soon.
SAMPLE = ["9.1.1", "9.2.1", "9.3.3", "9.5.5", "9.7.1", "9.8.1"]
SAMPLE_DEFLATE = [
    *("12.1.1", "12.1.3", "12.1.12", "12.2.4", "12.3.2", "12.4.3", "12.5.1"),
    *("13.1.3", "13.2.2", "13.3.3", "13.4.2", "13.5.3", "13.6.2", "13.7.4"),
]
GOOD = {"OK", "INFORMATIONAL"}
# Here a broken frame comes in the same read as a message. On the body path the reader fails the connection at once, as
# RFC 6455 section 7.1.7 has it, while the socket's actor is told of the message only then: its answer comes too late.
# The other ways of serving answer first.
NON_STRICT = dict.fromkeys(
    ["body", "body, no deflate"],
    {"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"},
)


def cases(agent, full):
    full = full and not agent.sample
    wanted = [*ALWAYS, *(["9.*"] if full else SAMPLE)] if agent.plain else []
    if agent.deflate:
        wanted += ["12.*", "13.*"] if full else SAMPLE_DEFLATE
    return wanted


def drive(server, full, name):
    """Runs the suite against a server of its own; returns what the client says of each case."""
    agent = AGENTS[name]
    process = subprocess.Popen([server, "--port", "0", *agent.flags], stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[-1]
        spec = {
            "outdir": str(OUTPUT / name),
            "servers": [{"agent": name, "url": url}],
            "cases": cases(agent, full),
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        OUTPUT.mkdir(exist_ok=True)
        path = OUTPUT / f"{name}.json"
        path.write_text(json.dumps(spec))
        index = OUTPUT / name / "index.json"
        index.unlink(missing_ok=True)
        with (OUTPUT / f"{name}.log").open("w") as log:
            wstest = [str(HERE / ".venv/bin/wstest"), "-m", "fuzzingclient", "-s", str(path)]
            deadline = 3 * 3600 if full else 600
            subprocess.run(wstest, stdout=log, stderr=log, check=True, timeout=deadline, cwd=OUTPUT)
        assert process.poll() is None, "the server has died"
        return json.loads(index.read_text())[name]
    finally:
        process.terminate()
        process.wait()


def judge(name, results):
    """Prints the cases that are wrong, and counts; returns whether all is well."""

    def allowed(case, verdict):
        return verdict in GOOD or (verdict == "NON-STRICT" and case in NON_STRICT.get(name, ()))

    wrong = 0
    for case, result in sorted(results.items(), key=lambda item: [int(part) for part in item[0].split(".")]):
        # `UNIMPLEMENTED` is what a case of sections 12 and 13 is without an agreement: it is wrong here as well.
        if not allowed(case, result["behavior"]) or result["behaviorClose"] not in GOOD:
            wrong += 1
            print(f"{name} {case}: {result['behavior']}, close {result['behaviorClose']} {result['remoteCloseCode']}")
    counted = collections.Counter(result["behavior"] for result in results.values())
    print(f"autobahn, {name}: {len(results)} cases: {dict(counted)}", flush=True)
    return bool(results) and not wrong


def table(outcomes):
    """Cases by section, agent, verdict and close, in Markdown."""
    lines = ["| Section | Agent | Cases | Verdicts | Closes |", "| ---: | --- | ---: | --- | --- |"]
    sections = sorted({int(case.split(".")[0]) for results in outcomes.values() for case in results})
    for section in sections:
        for name, results in outcomes.items():
            those = [result for case, result in results.items() if case.startswith(f"{section}.")]
            if those:
                counts = (collections.Counter(result[key] for result in those) for key in ("behavior", "behaviorClose"))
                shown = (", ".join(f"{count} {word}" for word, count in some.most_common()) for some in counts)
                lines.append(f"| {section} | {name} | {len(those)} | {' | '.join(shown)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="tests/autobahn/run")
    parser.add_argument("server", help=argparse.SUPPRESS)
    parser.add_argument("--full", action="store_true", help="all cases, and a table of them")
    parser.add_argument("agents", nargs="*", metavar="AGENT", help=f"of {', '.join(AGENTS)}; without one, all")
    options = parser.parse_args()
    if unknown := set(options.agents) - set(AGENTS):
        parser.error(f"no such agent: {', '.join(unknown)}")
    if not pathlib.Path(options.server).exists():
        advice = "`cargo build --features bare --example ws_echo` makes it, or set ENGINEIO_WS_ECHO"
        parser.error(f"no server at {options.server}: {advice}")
    outcomes, well = {}, True
    names = options.agents or AGENTS
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        driven = pool.map(lambda name: drive(options.server, options.full, name), names)
        for name, outcomes[name] in zip(names, driven):
            well &= judge(name, outcomes[name])
    if options.full:
        print(f"\n{table(outcomes)}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
