"""Starts the echo server, lets Autobahn's client drive it, and judges what the client says of each case."""

import collections
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE / "output"

ALWAYS = [f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10)]
# One of each kind, with messages that a build without optimisation is done with soon.
SAMPLE = ["9.1.1", "9.2.1", "9.3.3", "9.5.5", "9.7.1", "9.8.1"]
SAMPLE_DEFLATE = [
    *("12.1.1", "12.1.3", "12.1.12", "12.2.4", "12.3.2", "12.4.3", "12.5.1"),
    *("13.1.3", "13.2.2", "13.3.3", "13.4.2", "13.5.3", "13.6.2", "13.7.4"),
]
GOOD = {"OK", "INFORMATIONAL"}
# A case that is answered in another order than the suite prefers, by number, with the reason. None so far.
NON_STRICT = {}


def cases(mode, deflate):
    if mode == "full":
        return [*ALWAYS, "9.*", *(["12.*", "13.*"] if deflate else [])]
    return [*ALWAYS, *SAMPLE, *(SAMPLE_DEFLATE if deflate else [])]


def drive(server, mode, deflate):
    """Runs the suite against a server of its own; returns how many cases were wrong."""
    agent = "deflate" if deflate else "plain"
    flags = [] if deflate else ["--no-compression"]
    process = subprocess.Popen([server, "--port", "0", *flags], stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[-1]
        spec = {
            "outdir": str(OUTPUT / agent),
            "servers": [{"agent": agent, "url": url}],
            "cases": cases(mode, deflate),
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        OUTPUT.mkdir(exist_ok=True)
        path = OUTPUT / f"{agent}.json"
        path.write_text(json.dumps(spec))
        index = OUTPUT / agent / "index.json"
        index.unlink(missing_ok=True)
        with (OUTPUT / f"{agent}.log").open("w") as log:
            wstest = [str(HERE / ".venv/bin/wstest"), "-m", "fuzzingclient", "-s", str(path)]
            deadline = 3 * 3600 if mode == "full" else 600
            subprocess.run(wstest, stdout=log, stderr=log, check=True, timeout=deadline, cwd=OUTPUT)
        assert process.poll() is None, "the server has died"
        return judge(agent, json.loads(index.read_text())[agent])
    finally:
        process.terminate()
        process.wait()


def judge(agent, results):
    def allowed(case, verdict):
        return verdict in GOOD or (verdict == "NON-STRICT" and case in NON_STRICT)

    wrong = 0
    for case, result in sorted(results.items(), key=lambda item: [int(part) for part in item[0].split(".")]):
        # `UNIMPLEMENTED` is what a case of sections 12 and 13 is without an agreement: it is wrong here as well.
        if not allowed(case, result["behavior"]) or result["behaviorClose"] not in GOOD:
            wrong += 1
            print(f"{agent} {case}: {result['behavior']}, close {result['behaviorClose']} {result['remoteCloseCode']}")
    counted = collections.Counter(result["behavior"] for result in results.values())
    print(f"autobahn, {agent}: {len(results)} cases: {dict(counted)}")
    return wrong if results else 1


if __name__ == "__main__":
    binary, how = sys.argv[1:]
    sys.exit(1 if sum(drive(binary, how, deflate) for deflate in (True, False)) else 0)
