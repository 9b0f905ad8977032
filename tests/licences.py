"""Checks the licence of every crate that a user of this one links, from `cargo metadata`, against a list.

A crate passes if its SPDX expression can be met by licences of the list alone.
"""

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT",
    "Unicode-3.0", "Unlicense", "Zlib",
}


def is_met(expression):
    """Whether an SPDX expression of AND, OR and parentheses can be met by ALLOWED."""
    expression = expression.replace("/", " OR ")
    tokens = re.findall(r"\(|\)|[^\s()]+(?: WITH [^\s()]+)?", expression)
    python = " ".join(
        token.lower() if token in ("AND", "OR") else token if token in "()" else str(token in ALLOWED) for token in tokens
    )
    return eval(python, {"__builtins__": {}})


def linked(metadata):
    """The ids of the root package and of all that it depends on, but for tests and build scripts."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, todo = set(), [metadata["resolve"]["root"]]
    while todo:
        package = todo.pop()
        if package not in seen:
            seen.add(package)
            for dep in nodes[package]["deps"]:
                if any(kind["kind"] is None for kind in dep["dep_kinds"]):
                    todo.append(dep["pkg"])
    return seen


def main():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    ids = linked(metadata)
    packages = [package for package in metadata["packages"] if package["id"] in ids]
    bad = [(p["name"], p["license"]) for p in packages if not p["license"] or not is_met(p["license"])]
    for name, licence in bad:
        print(f"{name}: {licence or 'no licence'} is not in the list of tests/licences.py", file=sys.stderr)
    print(f"{len(packages)} crates, {len(bad)} with a licence that is not in the list")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
