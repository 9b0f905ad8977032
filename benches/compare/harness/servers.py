"""Who takes part: how each server is installed, started and named."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
NODE, BUN, PYTHON, UWEBSOCKETS = (HERE / name for name in ("peer-node", "peer-bun", "peer-python", "peer-uwebsockets"))


class Missing(Exception):
    """What a peer needs is not here; the message says what to install."""


@dataclass
class Server:
    install: str  # a name in INSTALLERS
    command: list  # "{root}" and "{peers}": the folders of the binaries
    flag: str = ""  # of examples/echo; a server whose flag is unknown does not take part
    is_slow: bool = False  # far from the others: shorter rounds, longer warm-up
    cores: str = "server"  # "all": on every core


ECHO = ["{root}/examples/echo", "--port", "0"]

SERVERS = {
    "engineio": Server("root", [*ECHO]),
    "engineio --via-actor": Server("root", [*ECHO, "--via-actor"], "--via-actor"),
    "engineio --no-handover": Server("root", [*ECHO, "--no-handover"], "--no-handover"),
    "engineio --own-listener": Server("root", [*ECHO, "--own-listener"], "--own-listener"),
    "engineio --own-listener --no-handover": Server(
        "root", [*ECHO, "--own-listener", "--no-handover"], "--own-listener"),
    "engineioxide": Server("peers", ["{peers}/peer-engineioxide"]),
    "bun-engine": Server("bun", [BUN / "node_modules/.bin/bun", BUN / "server.js"]),
    "engine.io, ws": Server("node", ["node", NODE / "server.js"], is_slow=True),
    "engine.io, eiows": Server("eiows", ["node", NODE / "server.js", "eiows"], is_slow=True),
    "python-engineio": Server("python", [PYTHON / ".venv/bin/python", PYTHON / "server.py"], is_slow=True),
    "bare tokio": Server("peers", ["{peers}/peer-tokio"]),
    "uWebSockets": Server("uwebsockets", [UWEBSOCKETS / "built/server"]),
    "1 worker": Server("root", [*ECHO, "--workers", "1"], cores="all"),
    "2 workers": Server("root", [*ECHO, "--workers", "2"], cores="all"),
}


def call(*command, **options):
    """Runs a command; its output goes to standard error."""
    subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr, **options)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def need(tool, what):
    found = shutil.which(tool)
    if not found:
        raise Missing(f"{tool} is missing: install {what}")
    return Path(found).resolve()


def target_folder(folder):
    metadata = output("cargo", "metadata", "--format-version=1", "--no-deps", "--manifest-path", str(folder / "Cargo.toml"))
    return Path(json.loads(metadata)["target_directory"]) / "release"


def build_root():
    call("cargo", "build", "--release", "--locked", "--manifest-path", ROOT / "Cargo.toml", "--example", "echo")


def build_peers():
    call("cargo", "build", "--release", "--locked", "--manifest-path", HERE / "Cargo.toml")


def npm(folder):
    need("npm", "Node.js 20 or newer with npm")
    call("npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)


def install_bun():
    npm(BUN)
    # Its install script, which only links the binary of the platform's package into place.
    call("node", "install.js", cwd=BUN / "node_modules/bun")


def install_node():
    npm(NODE)


def install_eiows():
    """Compiles eiows without its half for TLS connections; see `without-tls`."""
    folder = NODE / "node_modules/eiows"
    shutil.copytree(NODE / "without-tls/node", folder / "nodejs/src/node", dirs_exist_ok=True)
    gyp = need("npm", "npm").parent.parent / "node_modules/node-gyp/bin/node-gyp.js"
    prefix = need("node", "Node.js").parent.parent
    headers = ["--nodedir", prefix] if (prefix / "include/node/node.h").exists() else []
    log = NODE / "node_modules/eiows.log"
    with log.open("w") as file:
        done = subprocess.run(["node", str(gyp), "rebuild", *map(str, headers)], cwd=folder, stdout=file, stderr=file)
    if done.returncode:
        raise Missing(f"eiows does not build here ({log})")


def pip(folder, *arguments):
    try:
        call(folder / ".venv/bin/python", "-m", "pip", "--version")
    except (OSError, subprocess.CalledProcessError):
        call(sys.executable, "-m", "venv", "--clear", folder / ".venv")
    call(folder / ".venv/bin/python", "-m", "pip", "install", "--quiet", *arguments)


def install_python():
    pip(PYTHON, "--requirement", PYTHON / "requirements.txt")


def install_uwebsockets():
    compiler = need("cc", "a C compiler")
    built = UWEBSOCKETS / "built"
    pip(PYTHON, "--no-deps", "--upgrade", "--target", built, "--requirement", UWEBSOCKETS / "requirements.txt")
    library = built / "socketify" / f"libsocketify_linux_{'arm64' if os.uname().machine == 'aarch64' else 'amd64'}.so"
    if "libuv.so.1 => not found" in output("ldd", str(library)):
        if os.geteuid() or not shutil.which("apt-get"):
            raise Missing("libuv is missing: install it (Debian, Ubuntu: apt install libuv1)")
        call("apt-get", "install", "-qq", "-y", "--no-install-recommends", "libuv1")
    call(compiler, "-O2", "-Wall", "-o", built / "server", UWEBSOCKETS / "server.c", library, f"-Wl,-rpath,{library.parent}")


INSTALLERS = {
    "root": build_root, "peers": build_peers, "bun": install_bun, "node": install_node, "eiows": install_eiows,
    "python": install_python, "uwebsockets": install_uwebsockets,
}
REQUIRES = {"eiows": ["node"]}


def install(names, is_built):
    """Installs what the servers need. Returns those that can take part, and the folders of the binaries."""
    wanted = ["peers"]  # the loader
    for name in names:
        wanted += [*REQUIRES.get(SERVERS[name].install, []), SERVERS[name].install]
    absent = {}
    for what in [] if is_built else dict.fromkeys(wanted):
        try:
            INSTALLERS[what]()
        except (Missing, OSError, subprocess.CalledProcessError) as error:
            if what in ("root", "peers"):
                raise
            absent[what] = error
    folders = {"root": target_folder(ROOT), "peers": target_folder(HERE)}
    help_text = output(str(folders["root"] / "examples/echo"), "--help") if any(
        SERVERS[name].flag for name in names) else ""
    taking_part = []
    for name in names:
        server = SERVERS[name]
        if server.install in absent:
            print(f"{name} does not take part: {absent[server.install]}", file=sys.stderr)
        elif server.flag and server.flag not in help_text:
            print(f"{name} does not take part: examples/echo has no {server.flag}", file=sys.stderr)
        else:
            taking_part.append(name)
    return taking_part, folders


@functools.cache
def commit():
    """The measured commit; "-dirty" if the work tree differs from it in more than the results."""
    git = ["git", "-C", str(ROOT)]
    try:
        name = output(*git, "rev-parse", "--short", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return "no git"
    files = ["src", "examples", "Cargo.lock", "benches/compare", ":!benches/compare/results"]
    return name + "-dirty" * bool(output(*git, "status", "--porcelain", "--", *files))


def versions():
    """What was measured: {name: version}."""
    cargo = tomllib.loads((HERE / "Cargo.lock").read_text())["package"]
    locked = {package["name"]: package["version"] for package in cargo}
    crate = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    node, bun = (json.loads((folder / "package.json").read_text())["dependencies"] for folder in (NODE, BUN))
    python = dict(line.split("==") for line in (PYTHON / "requirements.txt").read_text().split("\n") if "==" in line)
    found = {
        "engineio": crate, "rustc": output("rustc", "--version").split()[1],
        **{name: locked[name] for name in ("engineioxide", "hyper", "tokio")},
        **{name: node[name] for name in ("engine.io", "ws", "bufferutil", "eiows")},
        "bun": bun["bun"], "@socket.io/bun-engine": bun["@socket.io/bun-engine"],
        **python, "Python": ".".join(map(str, sys.version_info[:3])),
        "socketify": (UWEBSOCKETS / "requirements.txt").read_text().strip().split("==")[1],
    }
    if shutil.which("node"):
        found["node"] = output("node", "--version").removeprefix("v")
    return found
