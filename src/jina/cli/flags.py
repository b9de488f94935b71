"""Command-line flags from the table of arguments: the same names, defaults and help as in Python and YAML."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from jina.options.table import Argument, arguments_of, names_of, nearest, plain, refuse_misspelt


def make_parser(command: str, about: str, options: type, epilog: str = "") -> argparse.ArgumentParser:
    """A parser that gives only what was written, under the names of the arguments."""
    parser = argparse.ArgumentParser(
        prog=f"jina {command}", description=about, epilog=epilog, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    active = [argument for argument in arguments_of(options).values() if argument.name not in _later(options)]
    later = [argument for argument in arguments_of(options).values() if argument.name in _later(options)]
    groups: dict[str, Any] = {}
    for argument in (*active, *later):
        name = argument.group if argument.name not in _later(options) else _LATER
        group = groups.get(name)
        if group is None:
            group = groups[name] = parser.add_argument_group(name)
        _add(group, argument)
    return parser


def _later(options: Any) -> tuple[str, ...]:
    return (*options.INACTIVE, *options.LATER)


_LATER = "later releases (without effect, or refused, in this one)"


class FullParser(argparse.ArgumentParser):
    """Gives every argument of an option class, typed and with its default where nothing was written: what `jina.parsers` promises."""

    options: Any

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words; unknown ones are the second value."""
        found, unknown = super().parse_known_args(args, None)
        values = vars(self.options.from_mapping(vars(found)))
        return argparse.Namespace(**{**vars(namespace or argparse.Namespace()), **values}), unknown


def make_full_parser(command: str, options: type) -> FullParser:
    """A parser of all arguments of an option class that fills in the defaults."""
    parser = FullParser(
        parents=[make_parser(command, "", options)], prog=f"jina {command}", add_help=False, argument_default=argparse.SUPPRESS
    )
    parser.options = options
    return parser


def parse(parser: argparse.ArgumentParser, options: type, words: list[str]) -> dict[str, Any]:
    """What the words say, by argument name; unknown flags are ignored with a warning on stderr.

    Raises:
        ConfigError: An unknown flag resembles one that protects.
    """
    found, unknown = parser.parse_known_args(words)
    flags = [word for word in unknown if word.startswith("-")] or unknown
    for flag in flags:
        refuse_misspelt(options, _name(flag), f"unknown argument {flag.partition('=')[0]}", lambda meant: arguments_of(options)[meant].flag)
    if flags:
        print(f"{parser.prog}: ignored unknown argument(s) {', '.join(_with_hint(flag, options) for flag in flags)}", file=sys.stderr)
    return vars(found)


def _add(group: Any, argument: Argument) -> None:
    shown = argument.help if not argument.hidden or "JINA_FULL_CLI" in os.environ else argparse.SUPPRESS
    flags = [argument.flag, *("--" + alias.replace("_", "-") for alias in argument.aliases)]
    for names, help_text in ((flags, shown), *((["--" + old.replace("_", "-")], argparse.SUPPRESS) for old in argument.deprecated)):
        if help_text != argparse.SUPPRESS:
            help_text = (help_text + _default(argument)).replace("%", "%%")
        dest = argument.name if names is flags else names[0][2:].replace("-", "_")
        if argument.is_flag:
            group.add_argument(*names, dest=dest, action="store_true", help=help_text)
        elif argument.is_list:
            group.add_argument(*names, dest=dest, nargs="+", action="extend", metavar=_metavar(argument), help=help_text)
        else:
            group.add_argument(*names, dest=dest, metavar=_metavar(argument), help=help_text)


def _default(argument: Argument) -> str:
    value = plain(argument.default)
    if value in (None, [], False):
        return ""
    return f" [{', '.join(map(str, value)) if isinstance(value, list) else value}]"


def _metavar(argument: Argument) -> str:
    kinds = {"mapping": "KEY=VALUE", "integer": "N", "seconds": "SECONDS", "size": "BYTES", "ports": "PORT", "protocols": "PROTOCOL"}
    return kinds.get(argument.parse.__name__, argument.name.rsplit("_", 1)[-1].upper())


def _name(flag: str) -> str:
    return flag.lstrip("-").partition("=")[0].replace("-", "_")


def _with_hint(flag: str, options: type) -> str:
    if not flag.startswith("-"):
        return f"{flag} (did you mean --uses {flag}?)"
    near = nearest(_name(flag), names_of(options))
    return f"{flag} (did you mean --{near.replace('_', '-')}?)" if near else flag
