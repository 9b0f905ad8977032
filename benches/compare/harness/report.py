"""The measured file as Markdown: a summary, and one table per scenario."""

import statistics

from .scenarios import CEILINGS, SCENARIOS

REFERENCE = "engineioxide"
# Below this share of its core, a server was not the limit of a round: the machine was busy, or the loader was.
BUSY = 0.9
BEGIN, END = "<!-- measured by benches/compare -->", "<!-- end of what was measured -->"


def key_of(name):
    return "bytes_per_session" if SCENARIOS[name].is_idle else "per_cpu_second"


def median(results, key):
    return statistics.median(result[key] for result in results)


def spread(results, key):
    """Distance from the lowest to the highest round, in percent of the median."""
    values = [result[key] for result in results]
    return 100 * (max(values) - min(values)) / (statistics.median(values) or 1)


def figures(measured, name):
    """{server: median} of a scenario's figure; idle sessions in KiB."""
    entry = measured["scenarios"].get(name, {"servers": {}})
    unit = 1024 if SCENARIOS[name].is_idle else 1
    return {server: median(results, key_of(name)) / unit for server, results in entry["servers"].items()}


def shown(name, value):
    return f"{value:.1f}" if SCENARIOS[name].is_idle else f"{value:,.0f}"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def grid(heads, rows):
    return [row(heads), "|" + " --- |" + " ---: |" * (len(heads) - 1), *map(row, rows)]


def summary(measured):
    """One row per server, one column per scenario."""
    names = [name for name, scenario in SCENARIOS.items() if scenario.column and name in measured["scenarios"]]
    columns = {name: figures(measured, name) for name in names}
    servers = [server for server in dict.fromkeys(server for name in names for server in SCENARIOS[name].servers)
               if any(server in column for column in columns.values())]
    rows = []
    for server in servers:
        label = f"*{server}* (ceiling)" if server in CEILINGS else server
        cells = [columns[name].get(server) for name in names]
        rows.append([label, *(shown(name, value) if value is not None else "" for name, value in zip(names, cells))])
    lines = [*heading(measured), "", "Per second of the server's CPU (user and system); the last two columns are resident memory.", ""]
    return "\n".join(lines + grid(["", *(SCENARIOS[name].column for name in names)], rows))


def newest(measured):
    """The scenario that was measured last: its machine and versions stand for all, but for what `strangers` names."""
    return max(measured["scenarios"].values(), key=lambda entry: entry["date"])


def strangers(measured):
    """The scenarios that were measured on another machine or with other versions than the newest, and with which."""
    last, lines = newest(measured), []
    for entry in measured["scenarios"].values():
        others = [] if entry["machine"] == last["machine"] else [entry["machine"]]
        names = [name for name in {**last["versions"], **entry["versions"]}
                 if entry["versions"].get(name) != last["versions"].get(name)]
        others += [f"{name} {entry['versions'].get(name, 'not there')}" for name in names]
        if others:
            lines.append(f"{entry['title']}: {', '.join(others)}")
    return lines


def counted(entries, what):
    """How many rounds there are of each server: "1 round", "7 to 13 rounds"."""
    counts = {len(results) for entry in entries for results in entry["servers"].values()} or {0}
    numbers = " to ".join(str(count) for count in sorted({min(counts), max(counts)}))
    return f"{numbers} {what}" + "s" * (counts != {1})


def heading(measured):
    entries = measured["scenarios"].values()
    dates = sorted({entry["date"].split(" ")[0] for entry in entries})
    when = dates[0] if len(dates) < 2 else f"{dates[0]} to {dates[-1]}"
    commits = ", ".join(dict.fromkeys(entry["commit"] for entry in entries))
    timed = [entry for entry in entries if "seconds" in entry]
    idle = [entry for entry in entries if "seconds" not in entry]
    said = [f"medians of {counted(timed, 'interleaved round')}"] if timed else []
    said += [f"memory: {counted(idle, 'round')}"] if idle else []
    last = newest(measured)
    versions = ", ".join(f"{name} {version}" for name, version in last["versions"].items())
    lines = [f"{when}; {last['machine']}; {'; '.join(said)}.  ", f"Versions: engineio at {commits}; {versions}"]
    others = strangers(measured)
    if others:
        lines += ["", "Measured on another machine or with other versions:", "", *(f"- {line}" for line in others)]
    return lines


def workers(results_of):
    """Messages per second and CPU per message: what more workers change."""
    heads = ["server", "messages per second", "CPU microseconds per message", "server busy", "loader busy", "errors"]
    rows = [[server, f"{median(results, 'per_second'):,.0f}", f"{1e6 / median(results, 'per_cpu_second'):.2f}",
             f"{100 * median(results, 'server_busy'):.0f} %", f"{100 * median(results, 'loader_busy'):.0f} %",
             str(sum(result["errors"] for result in results))] for server, results in results_of.items()]
    return grid(heads, rows)


def table(measured, name):
    """One scenario's table."""
    scenario, entry = SCENARIOS[name], measured["scenarios"][name]
    results_of, key = entry["servers"], key_of(name)
    medians = figures(measured, name)
    reference = medians.get(REFERENCE)
    lines = [f"### {scenario.title}", ""]
    if scenario.is_idle:
        lines += [f"{entry['sessions']:,} sessions. {entry['date']}, {entry['commit']}.", ""]
        heads = ["server", "KiB per session", f"of {REFERENCE}'s", "spread", "rounds", "errors"]
    else:
        modes = "".join(f", {mode}" for mode in ("spin", "realtime") if entry[mode])
        lines += [f"{entry['date']}, {entry['commit']}{modes}. {scenario.latency}.", ""]
        if name == "workers":
            return "\n".join(lines + workers(results_of))
        heads = ["server", f"{scenario.what} per CPU second", f"x {REFERENCE}", "spread", "rounds", "user",
                 f"{scenario.what} per second", "p50", "p99", "server busy", "loader busy", "errors"]
    rows = []
    for server, results in results_of.items():
        ratio = f"{medians[server] / reference:.2f}" if reference else "-"
        cells = [server, shown(name, medians[server]), ratio, f"{spread(results, key):.0f} %", str(len(results))]
        if not scenario.is_idle:
            cpu = sum(result["server_user"] + result["server_system"] for result in results)
            user = sum(result["server_user"] for result in results)
            cells += [f"{100 * user / (cpu or 1):.0f} %", f"{median(results, 'per_second'):,.0f}",
                      f"{median(results, 'p50_us') / 1000:,.2f} ms", f"{median(results, 'p99_us') / 1000:,.2f} ms",
                      f"{100 * median(results, 'server_busy'):.0f} %", f"{100 * median(results, 'loader_busy'):.0f} %"]
        rows.append([*cells, str(sum(result["errors"] for result in results))])
    return "\n".join(lines + grid(heads, rows))


def every_round(measured):
    return [result for entry in measured["scenarios"].values()
            for results in entry["servers"].values() for result in results]


def notes(measured):
    """What makes figures doubtful."""
    rounds, lines = every_round(measured), []
    idle = [result for result in rounds if result.get("server_busy", 1) < BUSY]
    if idle:
        lines += ["", f"In {len(idle)} of {len(rounds)} rounds the server had less than {BUSY:.0%} of its core: "
                      "the machine was busy otherwise, or the loader was the limit."]
    errors = sum(result["errors"] for result in rounds)
    if errors:
        lines += ["", f"**{errors} errors.** The figures of their scenarios do not count."]
    return lines


def tables(measured):
    """The whole report."""
    parts = [f"# What was measured\n\nBy `benches/compare/run`, from `measured.json`.\n\n![The plot](plot.svg)\n\n{summary(measured)}"]
    parts += [table(measured, name) for name in SCENARIOS if name in measured["scenarios"]]
    return "\n\n".join(parts) + "\n".join(["", *notes(measured), ""])


def insert(path, text):
    """Replaces what stands between the marks in a file, if it has them."""
    old = path.read_text()
    if BEGIN in old and END in old:
        before, rest = old.split(BEGIN, 1)
        path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}")
