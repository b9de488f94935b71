"""What `jina` says about itself: help, versions, and words for shells to complete."""

from __future__ import annotations

import sys
from typing import Any

from jina import __version__
from jina.cli.commands import COMMANDS, NOT_YET

_SERVING = {"deployment": "DeploymentOptions", "executor": "DeploymentOptions", "flow": "FlowOptions"}
PING_FLAGS = ("--timeout", "--attempts", "--ssl-ca-certs", "--ssl-certfile", "--ssl-keyfile", "--min-successful-attempts")
_WORDS = {
    "ping": ["executor", "deployment", "gateway", "flow", *PING_FLAGS],
    "new": ["--type"],
    "export": ["flowchart", "--vertical-layout"],
}


def overview() -> int:
    """Print all commands."""
    width = max(map(len, COMMANDS))
    print("usage: jina COMMAND [ARGUMENT ...]\n\nServe any model as a typed service over gRPC and HTTP.\n\ncommands:")
    for name, command in COMMANDS.items():
        print(f"  {name:<{width}}  {command.help}")
    print("\n`jina COMMAND --help` tells more; `jina -v` prints the version, `jina -vf` that of everything around it.")
    return 0


def version(is_full: bool = False) -> int:
    """Print our version, or what `/status` tells of versions and environment too."""
    if not is_full:
        print(__version__)
        return 0
    from jina.observe.info import environment, versions

    for name, value in {**versions(), **environment()}.items():
        print(f"- {name} {value}")
    return 0


def commands(words: list[str]) -> int:
    """Print the names of all commands."""
    print("\n".join(COMMANDS))
    return 0


def completions(words: list[str]) -> int:
    """Print what may follow `words`."""
    print("\n".join(_candidates(words)))
    return 0


def _candidates(words: list[str]) -> list[str]:
    if not words or words[0] not in COMMANDS:
        return [name for name in COMMANDS if not words or name.startswith(words[0])]
    if words[0] in _WORDS:
        return _WORDS[words[0]]
    if words[0] not in _SERVING:
        return []
    from jina import options

    kind = getattr(options, _SERVING[words[0]])
    flags = [argument.flag for argument in options.arguments_of(kind).values() if not argument.hidden]
    return [flag for flag in flags if flag not in words]


def help_on(words: list[str]) -> int:
    """Explain a command or an argument."""
    if not words or words[0] in ("-h", "--help"):
        return overview()
    query = words[0].strip("-").replace("-", "_").lower()
    if query in COMMANDS:
        print(f"jina {query}: {COMMANDS[query].help}\n`jina {query} --help` lists its arguments.")
        return 0
    if query in NOT_YET:
        print(f"jina {query}: {NOT_YET[query]}")
        return 0
    return _explain(query, words[0])


def _later(options: Any, argument: Any) -> str:
    if argument.name in options.INACTIVE:
        return "  accepted, but without effect in this release\n"
    if argument.name in options.LATER:
        return "  only the default is supported in this release; a later one brings the rest\n"
    return ""


def _shown(argument: Any) -> str:
    from jina.options.table import plain

    value = plain(argument.default)
    return "none" if value in (None, []) else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _explain(query: str, word: str) -> int:
    from difflib import get_close_matches

    from jina.options import ClientOptions, DeploymentOptions, FlowOptions, arguments_of, names_of

    owners = {"Deployment, jina deployment, jina executor": DeploymentOptions, "Flow, jina flow": FlowOptions, "Client": ClientOptions}
    found = [(where, kind, arguments_of(kind)[names_of(kind)[query][0]]) for where, kind in owners.items() if query in names_of(kind)]
    for where, kind, argument in found:
        print(f"{argument.name} ({where}; flag {argument.flag})\n  {argument.help}\n  default: {_shown(argument)}")
        print(_later(kind, argument), end="")
    if found:
        return 0
    near = get_close_matches(query, {*names_of(DeploymentOptions), *COMMANDS}, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`jina --help` lists the commands"
    print(f"jina help: nothing is called {word!r}; {hint}", file=sys.stderr)
    return 1
