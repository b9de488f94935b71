"""YAML text to plain values, safely: no Python objects, bounded size, tags kept as the key `jtype`.

Four things differ from PyYAML's safe loader: `on` and `off` are words and not booleans (so `requests: {on: ...}` is what it looks
like), `!Name {...}` becomes `{"jtype": "Name", ...}`, lists may be mapping keys (they become tuples), and text whose aliases would
grow beyond a bound is refused before anything is built.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from jina.errors import ConfigError
from jina.warning import warn_user

MAX_NODES, MAX_DEPTH = 100_000, 64
MAX_CHARACTERS = 10 << 20


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own table, less the resolvers of on and off
        first: resolvers for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items() if first not in ("o", "O")
    }

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _check_size(node, {}, 0, set())
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)
        self.flatten_mapping(node)
        found: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = _hashable(self.construct_object(key_node, deep=True), key_node)
            if key in found and not getattr(node, "is_merged", False):
                warn_user(f"key {key!r} stands twice in one mapping; the last one counts {_where(key_node)}")
            found[key] = self.construct_object(value_node, deep=True)
        return found

    def flatten_mapping(self, node: Any) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            node.is_merged = True
        super().flatten_mapping(node)

    def tagged(self, suffix: str, node: yaml.Node) -> dict[str, Any]:
        if suffix.startswith("!") or not suffix:
            raise ConfigError(f"tag !{suffix} is not supported {_where(node)}")
        if isinstance(node, yaml.MappingNode):
            return {"jtype": suffix, **{str(key): value for key, value in self.construct_mapping(node, deep=True).items()}}
        if isinstance(node, yaml.ScalarNode) and not node.value:
            return {"jtype": suffix}
        raise ConfigError(f"tag !{suffix} needs a mapping {_where(node)}")


_Loader.add_multi_constructor("!", _Loader.tagged)


def load_yaml(text: str) -> Any:
    """The values of one YAML document.

    Raises:
        ConfigError: It is not YAML, asks for Python objects, is nested deeper than 64, or is larger than the bounds.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"YAML of {len(text)} characters is over the limit of {MAX_CHARACTERS}")
    try:
        return yaml.load(text, Loader=_Loader)
    except ConfigError:
        raise
    except RecursionError:
        raise ConfigError(f"YAML is nested deeper than {MAX_DEPTH}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # a date of 31 February, `!!int x`, ...
        raise ConfigError(f"not valid YAML: a value cannot be read: {error}") from error


def dump_yaml(data: Any) -> str:
    """Plain values as YAML, keys in the order given.

    Raises:
        ConfigError: A value is not plain.
    """
    try:
        return str(yaml.dump(data, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True))
    except yaml.YAMLError as error:
        raise ConfigError(f"cannot be written as YAML: {error}") from error


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(value))


def _check_size(node: yaml.Node, sizes: dict[int, int], depth: int, open_: set[int]) -> int:
    """The number of nodes below `node` if every alias were written out."""
    if id(node) in open_:
        raise ConfigError(f"YAML holds an alias of what it stands in {_where(node)}")
    if depth > MAX_DEPTH:
        raise ConfigError(f"YAML is nested deeper than {MAX_DEPTH} {_where(node)}")
    if id(node) in sizes:
        return sizes[id(node)]
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [child for pair in node.value for child in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    open_.add(id(node))
    size = 1
    for child in children:
        size += _check_size(child, sizes, depth + 1, open_)
        if size > MAX_NODES:
            raise ConfigError(f"YAML grows beyond {MAX_NODES} values when its aliases are written out")
    open_.discard(id(node))
    sizes[id(node)] = size
    return size


def _hashable(key: Any, node: yaml.Node) -> Hashable:
    if isinstance(key, list):
        return tuple(_hashable(each, node) for each in key)
    if not isinstance(key, Hashable):
        raise ConfigError(f"a {type(key).__name__} cannot be a key {_where(node)}")
    return key


def _where(node: yaml.Node) -> str:
    mark = node.start_mark
    return f"(line {mark.line + 1}, column {mark.column + 1})" if mark else ""
