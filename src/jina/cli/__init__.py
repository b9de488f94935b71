"""The command `jina`. This file only finds the command; each one is a module that is imported when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jina.cli.commands import COMMANDS, NOT_YET


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code: 0 done, 1 failed, 2 written wrongly, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BrokenPipeError:
        return 1


def _run(words: list[str]) -> int:
    name = words[0] if words else "--help"
    if name in COMMANDS:
        return COMMANDS[name].load()(words[1:])
    if name in ("-h", "--help", "-v", "--version", "-vf", "--version-full"):
        from jina.cli import about

        return about.overview() if name in ("-h", "--help") else about.version(is_full=name in ("-vf", "--version-full"))
    if name in NOT_YET:
        print(f"jina {name}: {NOT_YET[name]}", file=sys.stderr)
        return 1
    from jina.cli.unknown import run_unknown

    return run_unknown(words)
