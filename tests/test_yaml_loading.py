"""YAML text to plain values: what is safe, what differs from YAML 1.1, what is refused."""

from __future__ import annotations

import pytest

from jina.errors import ConfigError
from jina.yaml import dump_yaml, load_yaml


def test_on_and_off_are_words() -> None:
    """`on:` is a key that people write, not a boolean."""
    assert load_yaml("on: off\nON: yes") == {"on": "off", "ON": True}


def test_a_tag_becomes_jtype() -> None:
    """`!Name` and `jtype: Name` say the same."""
    assert load_yaml("!Enc\nwith: {a: 1}") == {"jtype": "Enc", "with": {"a": 1}}
    assert load_yaml("!Enc") == {"jtype": "Enc"}
    assert load_yaml("x: !Enc {a: 1}") == {"x": {"jtype": "Enc", "a": 1}}


def test_list_keys_become_tuples() -> None:
    """Several endpoints may share one line."""
    assert load_yaml("{[/a, /b]: foo}") == {("/a", "/b"): "foo"}


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [ls]", "!!python/name:os.system", "a: !!python/tuple [1]"])
def test_python_objects_are_refused(text: str) -> None:
    """Configuration never makes objects or calls functions."""
    with pytest.raises(ConfigError, match="python"):
        load_yaml(text)


def test_alias_bomb_is_refused_before_it_grows() -> None:
    """Nine levels of nine aliases would be 400 million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]

    with pytest.raises(ConfigError, match="aliases"):
        load_yaml("\n".join(lines))


def test_alias_of_itself_is_refused() -> None:
    """A value that holds itself cannot be walked."""
    with pytest.raises(ConfigError, match="alias"):
        load_yaml("a: &a [*a]")


@pytest.mark.parametrize("depth", [80, 5000])
def test_deep_nesting_is_refused(depth: int) -> None:
    """Nesting that no configuration needs is an error and no crash."""
    with pytest.raises(ConfigError, match="nested deeper than 64"):
        load_yaml("[" * depth + "]" * depth)


def test_plain_aliases_and_merges_work() -> None:
    """Ordinary reuse within a file stays possible, also where a merged key is overridden."""
    assert load_yaml("b: &b {x: 1, y: 2}\nc: {<<: *b, x: 3}\nd: *b")["c"] == {"x": 3, "y": 2}


def test_a_key_given_twice_is_warned_about() -> None:
    """The last one counts, as in Jina, but nobody should have to guess."""
    with pytest.warns(UserWarning, match="'port' stands twice.*line 2"):
        assert load_yaml("port: 1\nport: 2") == {"port": 2}


def test_syntax_errors_name_the_line() -> None:
    """A typing mistake is found by its line."""
    with pytest.raises(ConfigError, match="line 2"):
        load_yaml("a: 1\nb: [1, 2\nc: 3")


def test_writing_keeps_order_and_refuses_objects() -> None:
    """Dumped YAML reads back as the same values."""
    data = {"z": [1, "on"], "a": {"k": None, "t": True}, "s": "ü: x"}
    assert load_yaml(dump_yaml(data)) == data
    assert list(load_yaml(dump_yaml(data))) == ["z", "a", "s"]
    with pytest.raises(ConfigError, match="cannot be written"):
        dump_yaml({"a": object()})


def test_old_import_path_works() -> None:
    """`jina.jaml.JAML` reads, writes and replaces variables."""
    from jina.jaml import JAML

    assert JAML.load("!Enc\nwith: {a: '${{root.jtype}}'}", substitute=True) == {"jtype": "Enc", "with": {"a": "Enc"}}
    assert JAML.dump({"a": 1}) == "a: 1\n"
