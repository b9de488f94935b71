"""A command that is not ours: `jina foo` runs the program `jina-foo` if there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from jina.cli.commands import COMMANDS, NOT_YET


def run_unknown(words: list[str]) -> int:
    """Run `jina-<command>` from PATH with the other words, or say that there is none."""
    name = words[0]
    program = shutil.which(f"jina-{name}") if re.fullmatch(r"[A-Za-z0-9][\w-]*", name) else None
    if program is not None:
        return subprocess.call([program, *words[1:]])
    from difflib import get_close_matches

    near = get_close_matches(name, [*COMMANDS, *NOT_YET], n=1)
    hint = f"did you mean `jina {near[0]}`?" if near else "`jina --help` lists them"
    print(f"jina: there is no command {name!r}; {hint}", file=sys.stderr)
    return 2
