"""What is compiled into the binary: `cargo tree` says which crates, with the features in force and without what only
tests, builds or macros need; `cargo metadata` says what they are.
"""

import json
import subprocess
import sys


def said(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def crates(target: str) -> tuple[list[dict], dict]:
    """The packages, vigie among them, and who needs whom."""
    edges = ("--edges", "normal,no-proc-macro")
    lines = said("cargo", "tree", "--locked", "--target", target, *edges, "--prefix", "none", "--format", "{p}")
    wanted = {(name, version.removeprefix("v")) for name, version, *_ in map(str.split, lines.splitlines())}
    metadata = json.loads(said("cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={target}"))
    packages = [package for package in metadata["packages"] if (package["name"], package["version"]) in wanted]
    if len(packages) != len(wanted):
        sys.exit(f"cargo tree and cargo metadata do not list the same crates: {len(wanted)} and {len(packages)}.")
    return packages, metadata["resolve"]


def terms(package: dict) -> str:
    """A crate's licence. Older ones write a slash for a choice, which is none of SPDX."""
    return (package["license"] or "").replace(" / ", " OR ").replace("/", " OR ")


def rust() -> str:
    """The version of the compiler, and so of the standard library."""
    return said("rustc", "--version").split()[1]
