# mypy: disable-error-code="misc,name-defined,valid-type"
"""Real docarray's classes in JSON, and the repairs that they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina import docarray_repairs
from jina.codec.ids import document_id
from jina.codec.json import JsonCodec
from jina.codec.schema import schema_of
from jina.errors import InvalidInputError

docarray = pytest.importorskip("docarray")
typing_ = pytest.importorskip("docarray.typing")
pytestmark = [
    pytest.mark.docarray,
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]
docarray_repairs.repair()


class Inner(docarray.BaseDoc):
    n: int = 0
    b: bytes = b""


class Doc(docarray.BaseDoc):
    text: str = ""
    x: float = 0.0
    b: bytes = b""
    t: Optional[typing_.NdArray] = None  # noqa: UP045
    pair: Optional[typing_.NdArray[2]] = None  # noqa: UP045
    url: Optional[typing_.ImageUrl] = None  # noqa: UP045
    inner: Optional[Inner] = None  # noqa: UP045
    inners: docarray.DocList[Inner] = docarray.DocList[Inner]()
    tags: dict[str, Any] = {}


def codec(cls: type) -> JsonCodec:
    return JsonCodec(schema_of(cls))


documents = st.builds(
    Doc,
    id=st.text(),
    text=st.text(),
    x=st.floats(allow_nan=False, allow_infinity=False),
    b=st.text().filter(lambda text: not text.startswith("data:;base64,")).map(str.encode),  # ours alone
    t=st.none() | st.lists(st.floats(-1e6, 1e6)).map(np.array),
    url=st.none() | st.just("cat.png"),
    inner=st.none() | st.builds(Inner, n=st.integers(-(2**31), 2**31)),
    inners=st.lists(st.builds(Inner, n=st.integers(-(2**31), 2**31)), max_size=3).map(docarray.DocList[Inner]),
    tags=st.dictionaries(st.text(), st.integers(-(2**31), 2**31) | st.text(), max_size=3),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(documents, max_size=3))
def test_the_json_is_docarrays_own_where_docarray_can(docs: list[Any]) -> None:
    """Ours says the same as theirs, and each reads what the other wrote."""
    ours = codec(Doc).encode(docs)

    assert json.loads(ours) == [json.loads(doc.to_json()) for doc in docs]
    assert codec(Doc).decode(docarray.DocList[Doc](docs).to_json().encode()) == docs
    assert list(docarray.DocList[Doc].from_json(ours)) == docs


def test_types_are_docarrays_own() -> None:
    """Lists, arrays, ids and urls are of the classes that their users expect."""
    (doc,) = codec(Doc).decode(b'[{"t":[1,2],"url":"x.png","inners":[{"n":1}]}]', bytes(16))

    assert type(doc.t).__name__ == "NdArray"
    assert isinstance(doc.t, typing_.NdArray)
    assert type(doc.inners) is type(docarray.DocList[Inner]([]))
    assert type(doc.url) is typing_.ImageUrl
    assert (type(doc.id), doc.id) == (typing_.ID, document_id(bytes(16), "0"))
    assert doc.inners[0].id == document_id(bytes(16), "0.inners.0")


def test_bytes_that_are_no_text_work_at_every_depth() -> None:
    """docarray itself raises on them."""
    doc = Doc(b=b"\xff", inner=Inner(b=b"\xfe"), inners=docarray.DocList[Inner]([Inner(b=b"\xfd")]), tags={"k": b"\xfc"})
    data = codec(Doc).encode([doc])
    (again,) = codec(Doc).decode(data)

    assert (again.b, again.inner.b, again.inners[0].b) == (b"\xff", b"\xfe", b"\xfd")
    assert again.tags == {"k": "data:;base64,/A=="}


@pytest.mark.parametrize(
    ("data", "loc"),
    [
        (b'[{"pair":[[1],[2,3]]}]', (0, "pair")),
        (b'[{"t":"x"}]', (0, "t")),
        (b'[{"x":"inf"}]', (0, "x")),
        (b'[{"url":"a.txt"}]', (0, "url")),
    ],
)
def test_findings_have_a_place(data: bytes, loc: tuple[Any, ...]) -> None:
    """As for our own classes."""
    with pytest.raises(InvalidInputError) as caught:
        codec(Doc).decode(data)

    assert caught.value.details[0]["loc"] == loc


def test_vectors_of_documents_are_written_too() -> None:
    """A DocVec with tensors works on numpy 2, and is an array of documents."""

    class Row(docarray.BaseDoc):
        t: typing_.NdArray[2]

    vector = docarray.DocList[Row]([Row(t=[1.0, 2.0]), Row(t=[3.0, 4.0])]).to_doc_vec()
    assert [row["t"] for row in json.loads(codec(Row).encode(vector))] == [[1.0, 2.0], [3.0, 4.0]]


def test_schemas_of_named_axes_can_be_described() -> None:
    """docarray fails on them."""

    Table = typing_.NdArray[3, "x"]

    class Shape(docarray.BaseDoc):
        t: Table

    assert codec(Shape).json_schema()["properties"]["t"]["tensor/array shape"] == "[3, x]"


PROBE = """
import docarray
from docarray import BaseDoc, DocList
from docarray.typing import ID, NdArray
from jina.docarray_repairs import repair
repair()
class D(BaseDoc):
    t: NdArray
docs = DocList[D]([D(t=[1.0])])
try:
    docs.to_doc_vec()
    print("vector", end=" ")
except NotImplementedError:
    print("none", end=" ")
print("parse_obj_as" not in ID.from_protobuf.__func__.__code__.co_names)
"""


@pytest.mark.process
@pytest.mark.parametrize(("setting", "said"), [("", "vector True"), ("1", "none False")])
def test_repairs_can_be_switched_off(setting: str, said: str) -> None:
    """Then docarray is as it came."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "JINA_NO_DOCARRAY_REPAIRS": setting}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROBE], capture_output=True, text=True, env=environment)

    assert done.stdout.strip() == said, done.stderr


LATE = """
{first}
import docarray, importlib.resources
from docarray import BaseDoc, DocList
from docarray.typing import NdArray
class Part(BaseDoc):
    t: NdArray
class Whole(BaseDoc):
    parts: DocList[Part]
whole = Whole(parts=DocList[Part]([Part(t=[1.0])]))
assert isinstance(whole.parts, DocList) and whole.parts.to_doc_vec().t.shape == (1, 1)
assert importlib.resources.files(docarray).joinpath("__init__.py").is_file()
"""


@pytest.mark.process
@pytest.mark.parametrize(
    "first",
    [
        "from jina import Executor",
        "from jina import Client",
        "import docarray; from jina import Executor, Client",
        "from jina import Client; import importlib.util; importlib.util.find_spec('docarray')",
    ],
)
def test_docarray_is_repaired_whenever_it_is_imported(first: str) -> None:
    """On Python 3.12 and newer a field that is a list of documents fails in the class statement, on numpy 2 a DocVec of tensors."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LATE.format(first=first)], capture_output=True, text=True, env=environment)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
def test_docarray_of_another_shape_is_left_alone(tmp_path: Path) -> None:
    """Importing an old one, or somebody else's package of that name, does not fail because of us."""
    (tmp_path / "docarray.py").write_text("is_mine = True")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))}
    code = "from jina import Client, Executor; import docarray; assert docarray.is_mine"

    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_docarray_is_not_imported_for_us() -> None:
    """Importing our documents and the codec leaves docarray alone."""
    code = "import sys, jina.docs, jina.codec.json, jina.docarray_repairs as r; r.repair(); assert 'docarray' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)
