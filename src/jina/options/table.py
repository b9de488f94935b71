"""The one table of arguments: a field of an option class carries how its value is read, what it means and how it is shown.

Python keywords, YAML keys and command-line flags are all read through it, so that the three never differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any

from jina.enums import BetterEnum, ProtocolType
from jina.errors import ConfigError
from jina.options import values
from jina.warning import warn_user

_LIKE = 0.65
"""How near a name must come: `ssl_ca` comes to 0.67 of `ssl_ca_certs`. Of Jina 3.33's arguments that are none here, none comes so near
to one that protects."""
_LISTS = (values.strings, values.hosts, values.ports, values.protocols, values.mapping)


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """One argument, as every reader of it sees it.

    Attributes:
        parse: From a raw value to the field's; ValueError says what was expected.
        default: The value where nobody gives one.
        aliases: Other names that are accepted (with `_`; the command line writes `-`).
        deprecated: Old names that are accepted with a warning.
        hidden: Left out of help unless `JINA_FULL_CLI` is set.
        group: What the argument is about; a heading in help.
        none_is_value: None stands for "no limit"; elsewhere None means "as if not given".
        minimum: The smallest number allowed, -1 aside where Jina uses it for "no limit".
        protects: An unknown name that resembles it is an error.
    """

    name: str
    parse: Callable[[Any], Any]
    default: Any
    help: str
    aliases: tuple[str, ...]
    deprecated: tuple[str, ...]
    hidden: bool
    group: str
    none_is_value: bool
    minimum: float | None
    allows_minus_one: bool
    protects: bool

    @property
    def flag(self) -> str:
        """As the command line writes it, e.g. `--timeout-ready`."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_flag(self) -> bool:
        """True for a yes/no argument, which takes no value on the command line."""
        return self.parse is values.flag

    @property
    def is_list(self) -> bool:
        """True if the command line takes several words."""
        return self.parse in _LISTS


def argument(
    default: Any,
    parse: Callable[[Any], Any],
    help: str,
    *,
    group: str,
    aliases: tuple[str, ...] = (),
    deprecated: tuple[str, ...] = (),
    hidden: bool = False,
    none_is_value: bool = False,
    minimum: float | None = None,
    allows_minus_one: bool = False,
    secret: bool = False,
    protects: bool = False,
) -> Any:
    """A dataclass field that is an argument of that default and meaning."""
    about = {
        "parse": parse,
        "help": help,
        "group": group,
        "aliases": aliases,
        "deprecated": deprecated,
        "hidden": hidden,
        "none_is_value": none_is_value,
        "minimum": minimum,
        "allows_minus_one": allows_minus_one,
        "protects": protects,
    }
    return field(default=default, repr=not secret, metadata=about)


@cache
def arguments_of(options: type) -> dict[str, Argument]:
    """All arguments of an option class by name, in the order of its fields."""
    return {each.name: _argument(each) for each in fields(options)}


def _argument(each: Field[Any]) -> Argument:
    return Argument(name=each.name, default=each.default, **each.metadata)


@cache
def names_of(options: type) -> dict[str, tuple[str, bool]]:
    """Every accepted name: the argument's own, and whether using it deserves a warning."""
    found: dict[str, tuple[str, bool]] = {}
    for argument_ in arguments_of(options).values():
        found[argument_.name] = (argument_.name, False)
        found.update((alias, (argument_.name, False)) for alias in argument_.aliases)
        found.update((old, (argument_.name, True)) for old in argument_.deprecated)
    return found


def read(options: type, given: Mapping[str, Any], *, silent: Iterable[str] = ()) -> dict[str, Any]:
    """Raw values by any accepted name, to checked constructor arguments of `options`.

    What is not an argument is left out, with one warning for all of them that suggests the nearest name.

    Args:
        options: The option class.
        given: Names and raw values.
        silent: Names that belong to somebody else and are left out without a word.

    Raises:
        ConfigError: A value cannot be read, one argument is given under two names, or an unknown one resembles one that protects.
    """
    names, table = names_of(options), arguments_of(options)
    found: dict[str, Any] = {}
    unknown = []
    for raw_name, raw in given.items():
        name, is_old = names.get(raw_name, ("", False))
        if not name:
            unknown.append(raw_name)
            continue
        if is_old:
            warn_user(f"argument {raw_name!r} is deprecated; use {name!r}", DeprecationWarning)
        if raw is None and not table[name].none_is_value:
            continue
        if name in found:
            raise ConfigError(f"argument {name!r} is given twice, once as {raw_name!r}; give it once")
        found[name] = parsed(table[name], raw)
    others = tuple(silent)
    unknown = [name for name in unknown if name not in others]
    for name in unknown:
        refuse_misspelt(options, name, f"unknown argument {name!r}")
    _warn_unknown(unknown, (*names, *others))
    return found


def refuse_misspelt(options: type, unknown: str, what: str, write: Callable[[str], str] = repr) -> None:
    """Refuse an unknown name that was probably meant for an argument that protects: ignored, it would leave open what seems to be shut.

    Args:
        options: The option class.
        unknown: As Python would write it.
        what: What is unknown, in the user's words.
        write: How the user would have written the argument's name.

    Raises:
        ConfigError: It was.
    """
    from difflib import SequenceMatcher

    names = names_of(options)
    ratio, near = max((SequenceMatcher(None, unknown.lower(), name).ratio(), name) for name in names)
    meant = names[near][0]
    if ratio >= _LIKE and arguments_of(options)[meant].protects:
        raise ConfigError(f"{what}: did you mean {write(meant)}? what may be meant to protect is refused rather than ignored")


def parsed(argument_: Argument, raw: Any) -> Any:
    """The value of one argument.

    Raises:
        ConfigError: It cannot be read; the text names the argument and the value.
    """
    try:
        value = argument_.parse(raw)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{argument_.name}: {error}") from None
    if value is None and argument_.default is not None and not argument_.none_is_value:
        raise ConfigError(f"{argument_.name} cannot be without a limit, got {raw!r}")
    return value


def check_minimum(options: Any) -> None:
    """Refuse numbers below what their arguments allow."""
    kind: type = type(options)
    for argument_ in arguments_of(kind).values():
        if argument_.minimum is None:
            continue
        value = getattr(options, argument_.name)
        if value is None or (argument_.allows_minus_one and value == -1):
            continue
        if value < argument_.minimum:
            also = "; use None for no limit" if argument_.none_is_value else ""
            raise ConfigError(f"{argument_.name} must be >= {argument_.minimum:g}, got {value!r}{also}")


def _warn_unknown(unknown: list[str], names: Collection[str]) -> None:
    if unknown:
        text = ", ".join(with_hint(name, names) for name in unknown)
        warn_user(f"ignored unknown argument{'s' * (len(unknown) > 1)}: {text}")


def with_hint(name: str, names: Collection[str]) -> str:
    """Quote an unknown name, with the known one that is nearest."""
    near = nearest(name, names)
    return f"{name!r} (did you mean {near!r}?)" if near else repr(name)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Give the name that an unknown one was probably meant for: the shortest that it begins, else the one that it resembles most."""
    from difflib import get_close_matches

    longer = [each for each in names if each.startswith(name)] if len(name) > 2 else []
    return min(longer, key=len, default=None) or next(iter(get_close_matches(name, names, n=1)), None)


def inactive(options: Any) -> tuple[str, ...]:
    """Names of the options' arguments that were given another value than the default, are accepted, and do nothing in this release."""
    kind: type = type(options)
    table = arguments_of(kind)
    return tuple(name for name in options.INACTIVE if getattr(options, name) != table[name].default)


def warn_of_inactive(names: Collection[str]) -> None:
    """Warn once of all arguments that were given and do nothing."""
    if names:
        warn_user(f"accepted, but without effect in this release: {', '.join(names)}")


def plain(value: Any) -> Any:
    """A field's value as YAML and JSON can hold it."""
    if isinstance(value, BetterEnum):
        return value.name.lower() if isinstance(value, ProtocolType) else value.name
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key if isinstance(key, tuple) else str(key): plain(each) for key, each in value.items()}
    return value


def changed(options: Any) -> dict[str, Any]:
    """The fields that differ from their defaults, as YAML and JSON can hold them."""
    kind: type = type(options)
    table = arguments_of(kind)
    return {
        name: plain(value)
        for name, argument_ in table.items()
        if (value := getattr(options, name)) is not argument_.default and value != argument_.default
    }
