"""Print the versions installed for the given interpreters as one constraints file."""

from __future__ import annotations

import json
import subprocess
import sys

SKIPPED = {"openjina", "pip", "setuptools"}
HEAD = "# The versions that CI tested; `make constraints` writes this file. Not requirements: those stand in pyproject.toml."


def versions(python: str) -> dict[str, str]:
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True).stdout
    return {item["name"].lower().replace("_", "-"): item["version"].partition("+")[0] for item in json.loads(listed)}


def main(pythons: list[str]) -> None:
    found: dict[str, str] = {}
    for python in pythons:
        for name, version in versions(python).items():
            if found.setdefault(name, version) != version:
                sys.exit(f"{name} is {found[name]} in one environment and {version} in another; install both with the same constraints")
    print(HEAD)
    for name in sorted(found.keys() - SKIPPED):
        print(f"{name}=={found[name]}")


if __name__ == "__main__":
    main(sys.argv[1:])
