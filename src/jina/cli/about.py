"""What `jina` says about itself: help, versions, and words for shells to complete."""

from __future__ import annotations

import re
import sys
import time

from jina import __proto_version__, __version__
from jina.cli.commands import COMMANDS, NOT_YET

_SERVING = ("deployment", "executor")
_SECRET = re.compile("KEY|SECRET|TOKEN|PASS|AUTH")


def overview() -> int:
    """Print all commands."""
    width = max(map(len, COMMANDS))
    print("usage: jina COMMAND [ARGUMENT ...]\n\nServe any model as a typed service over gRPC and HTTP.\n\ncommands:")
    for name, command in COMMANDS.items():
        print(f"  {name:<{width}}  {command.help}")
    print("\n`jina COMMAND --help` tells more; `jina -v` prints the version, `jina -vf` that of everything around it.")
    return 0


def version(is_full: bool = False) -> int:
    """Print our version, or those of everything that a bug report should name."""
    if not is_full:
        print(__version__)
        return 0
    for name, value in version_fields().items():
        print(f"- {name} {value}")
    return 0


def version_fields() -> dict[str, str]:
    """Names and versions, as `/status` gives them too."""
    import os
    import platform
    from importlib import metadata

    def installed(name: str) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return "(not installed)"

    packages = ("docarray", "pydantic", "msgspec", "numpy", "httptools", "uvloop", "cloudpickle", "pyyaml", "grpcio", "protobuf")
    return {
        "jina": __version__,
        "jina-proto": __proto_version__,
        **{name: installed(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.system(),
        "platform-release": platform.release(),
        "platform-version": platform.version(),
        "architecture": platform.machine(),
        "processor": platform.processor() or "(unknown)",
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **{f"env {name}": value for name, value in sorted(os.environ.items()) if name.startswith("JINA_") and not _SECRET.search(name)},
    }


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
    if words[0] == "ping":
        return ["executor", "gateway", "flow", "--timeout", "--attempts", "--min-successful-attempts"]
    if words[0] == "new":
        return ["--type"]
    if words[0] not in _SERVING:
        return []
    from jina.options import DeploymentOptions, arguments_of

    flags = [argument.flag for argument in arguments_of(DeploymentOptions).values() if not argument.hidden]
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


def _explain(query: str, word: str) -> int:
    from difflib import get_close_matches

    from jina.options import ClientOptions, DeploymentOptions, arguments_of, names_of

    owners = {"Deployment, jina deployment, jina executor": DeploymentOptions, "Client": ClientOptions}
    found = [(where, arguments_of(kind)[names_of(kind)[query][0]]) for where, kind in owners.items() if query in names_of(kind)]
    for where, argument in found:
        print(f"{argument.name} ({where}; flag {argument.flag})\n  {argument.help}\n  default: {argument.default!r}")
    if found:
        return 0
    near = get_close_matches(query, {*names_of(DeploymentOptions), *COMMANDS}, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`jina --help` lists the commands"
    print(f"jina help: nothing is called {word!r}; {hint}", file=sys.stderr)
    return 1
