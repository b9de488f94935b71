"""Statements that take one field's entry where all of a document's fields come in the expected order, each in its usual form.

`proto_decode` puts those of all fields into one function. Each compares the entry's header with a ready-made one and takes the value
(`v3` for the fourth field) at `p`; where it does not fit, the entry is read by `proto_entries`, and where that fails too the loop is left.
What may hold documents is only found (`s3`, `x3`), and read when all fields have been: a document that turns out to be in another order is
read anew, and if those within it had been read already, each level would double the work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from jina.codec import proto_wire as w
from jina.codec.exact import check_of
from jina.codec.proto_entries import EntryReader, entry_finder, entry_reader, node_reader
from jina.codec.proto_read import Reading
from jina.codec.schema import Field, Schema

_LARGE: Final = 65536  # an array's bytes from here on are copied once rather than twice
_MAX_FORMS: Final = 64  # forms of tensors remembered a field
HERE: Final = "(at if whole else (at[0], at, len(out)))"
"""The place of the document that is being read; spelled out, for it is needed only where a value may nest documents."""


def straight(at: int, field: Field, schema: Schema, names: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Statements that take one field's entry at `p`, or leave the loop; and those that read it once the document is known to fit."""
    make = _KINDS.get(field.kind)
    if make is None:
        names[f"find{at}"], names[f"node{at}"] = entry_finder(field), node_reader(field, schema)
        found = [f"s{at}, p = find{at}(buf, p, e)", "if p < 0: break", f"x{at} = p"]
        return found, [f"v{at} = node{at}(buf, s{at}, x{at}, {HERE}, reading)"]
    names[f"entry{at}"] = entry_reader(field, schema)
    by_entry = [f"v{at}, p = entry{at}(buf, p, e, {HERE}, reading)", "if p < 0: break"]
    names[f"none{at}"] = none = w.entry_header(field.name.encode(), 0)
    lines = make(at, field.name.encode(), field, names)
    if field.is_optional:
        lines += [f"elif starts(none{at}, p):", f" v{at} = None", f" p += {len(none)}"]
    return [*lines, "else:", *(" " + line for line in by_entry)], []


def _headers(key: bytes, tag: bytes, suffix: bytes) -> tuple[bytes, ...]:
    """Length of an entry (one byte) -> its header, where the content is length-delimited."""
    heads = w.EntryHeaders(key, tag, suffix)
    return _by_length({len(heads[n]) + n + len(suffix) - 2: heads[n] for n in range(128)})


def _by_length(heads: dict[int, bytes]) -> tuple[bytes, ...]:
    """The header for each byte that may say an entry's length; one that does not match that very byte where there is none."""
    return tuple(heads[n] if n in heads and n < 128 else bytes((0xFF, n ^ 1)) for n in range(256))


def _text(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    names[f"h{at}"] = _headers(key, b"\n", b"")
    lines = ["n = buf[p + 1]", f"if starts(h{at}[n], p):", " q = p + 2 + n"]
    return [*lines, f" v{at} = str(buf[p + {len(key) + 8} : q], 'utf8')", " p = q"]


def _typed_text(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    suffix = names[f"s{at}"] = w.type_suffix(field.type.wire_name)
    names[f"h{at}"] = _headers(key, b"\n", suffix)
    is_id = field.type.wire_name == "id"
    condition = f"starts(h{at}[n], p) and starts(s{at}, p + 2 + n - {len(suffix)})"
    if not field.type.is_plain_valued and not is_id:
        condition += " and reading.is_trusted"
    names[f"c{at}"] = str if field.type.is_plain_valued and is_id else field.type.cls
    value = f"c{at}(buf[p + {len(key) + 8} : q - {len(suffix)}], 'utf8')"
    if names[f"c{at}"] is not str:
        names[f"n{at}"] = str.__new__
        value = f"n{at}(c{at}, buf[p + {len(key) + 8} : q - {len(suffix)}], 'utf8')"
    return ["n = buf[p + 1]", f"if {condition}:", " q = p + 2 + n", f" v{at} = {value}", " p = q"]


def _blob(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    names[f"h{at}"] = _headers(key, b"\x2a", b"")
    return ["n = buf[p + 1]", f"if starts(h{at}[n], p):", " q = p + 2 + n", f" v{at} = buf[p + {len(key) + 8} : q]", " p = q"]


def _integer(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    heads = {n + len(key) + 5: w.entry_header(key, n + 1) + b"\x10" for n in range(1, 11)}
    names[f"h{at}"] = _by_length(heads)
    lines = ["n = buf[p + 1]", f"if starts(h{at}[n], p):", f" v{at} = buf[p + {len(key) + 7}]"]
    lines += [
        f" if v{at} > 127:",
        f"  v{at}, q = varint(buf, p + {len(key) + 7})",
        "  if q != p + 2 + n: break",
        f"  v{at} = signed(v{at})",
    ]
    return [*lines, f" elif n > {len(key) + 6}: break", " p += 2 + n"]


def _double(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    head = names[f"h{at}"] = w.entry_header(key, 9) + b"\x19"
    return [f"if starts(h{at}, p):", f" v{at} = unpack(buf, p + {len(head)})[0]", f" p += {len(head) + 8}"]


def _boolean(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    head = names[f"h{at}"] = w.entry_header(key, 2) + b"\x20"
    lines = [f"if starts(h{at}, p):", f" n = buf[p + {len(head)}]", " if n > 1: break"]
    return [*lines, f" v{at} = n == 1", f" p += {len(head) + 1}"]


def _tensor(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    """Compares what stands around an array's bytes with forms seen before; mostly all documents of a service have one form."""
    forms: dict[bytes, tuple[Any, ...]] = {}
    names[f"f{at}"], names[f"entry{at}"] = forms.get, _remembering(names[f"entry{at}"], key, field, forms)
    names["array"] = np.ndarray.__new__
    lines = [f"head, n_head, n, tail, n_tail, cls, shape, dtype = f{at}(buf[p : p + 4]) or unseen", "q = p + n_head", "x = q + n"]
    lines += ["if starts(head, p) and starts(tail, x):"]
    names["unseen"] = (b"\xff", 0, 0, b"\0", 0, None, (), None)  # no byte is both: it never matches
    copied = f"bytearray(buf[q:x] if n < {_LARGE} else memoryview(buf)[q:x])"
    return [*lines, f" v{at} = array(cls, shape, dtype, {copied})", " p = x + n_tail"]


def _remembering(entry: EntryReader, key: bytes, field: Field, forms: dict[bytes, tuple[Any, ...]]) -> EntryReader:
    """Notes the form of each array that fits its field exactly and came in the usual form."""
    check = check_of(field.type)
    parts: dict[str, w.TensorEntries] = {}

    def read(buf: bytes, p: int, end: int, at: tuple[Any, ...], reading: Reading) -> tuple[Any, int]:
        value, stop = entry(buf, p, end, at, reading)
        if stop >= 0 and isinstance(value, np.ndarray) and value.nbytes and check(value):
            name = getattr(value, "_proto_type_name", None) or field.type.wire_name or "ndarray"
            head, tail = parts.setdefault(name, w.TensorEntries(key, name))[value.shape, value.dtype]
            if p + len(head) + value.nbytes + len(tail) == stop and buf.startswith(head, p) and buf.endswith(tail, p, stop):
                if len(forms) >= _MAX_FORMS:
                    forms.clear()
                forms[buf[p : p + 4]] = (head, len(head), value.nbytes, tail, len(tail), type(value), value.shape, value.dtype)
        return value, stop

    return read


_KINDS: Final[dict[str, Callable[[int, bytes, Field, dict[str, Any]], list[str]]]] = {
    "str": _text,
    "typed_str": _typed_text,
    "bytes": _blob,
    "int": _integer,
    "float": _double,
    "bool": _boolean,
    "tensor": _tensor,
}
