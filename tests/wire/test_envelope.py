from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.wire.envelope import EnvelopeError, read_batch, read_documents, read_message, read_one, read_parameters

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
SPACES = st.sampled_from(["", " ", "\n\t", "\r\n  "])


def refused(body: Any, status: Any = 422) -> Any:
    with pytest.raises(EnvelopeError) as caught:
        read_batch(body)
    assert caught.value.status == status
    return caught.value.detail


@st.composite
def members(draw: Any) -> Any:
    """Members of an object as written, keys possibly twice or escaped, with spaces anywhere between tokens."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(["x", "parameter", 'q"u', "é", "a\\b"]) | st.text(max_size=3), VALUES), max_size=5))
    pairs = [(key, value) for key, value in pairs if key not in ("data", "header", "parameters")]
    pairs.insert(draw(st.integers(0, len(pairs))), ("data", draw(st.lists(VALUES, max_size=3))))
    texts = []
    for key, value in pairs:
        written = json.dumps(key, ensure_ascii=draw(st.booleans()))
        if draw(st.booleans()) and key:
            written = '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1] for c in key) + '"'
        texts.append("".join([draw(SPACES), written, draw(SPACES), ":", draw(SPACES), json.dumps(value), draw(SPACES)]))
    return [key for key, _ in pairs], draw(SPACES) + "{" + ",".join(texts) + "}" + draw(SPACES)


@given(members())
def test_the_envelope_reads_as_json_does_and_sees_every_duplicate(written: Any) -> None:
    keys, text = written
    body = text.encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        refused(body)
        return
    if len(set(keys)) < len(keys):
        assert refused(body)[0]["type"] == "duplicate_key"
    else:
        assert json.loads(read_batch(body).data) == json.loads(text)["data"]


@given(members())
def test_documents_that_nobody_reads_come_out_clean_or_not_at_all(written: Any) -> None:
    """The same value, unless a key is given twice, at whatever depth and however it is written, or the text is none."""
    keys, text = written
    body = f'[{{"deep": {text}}}]'.encode("utf-8", "surrogatepass")
    if len(set(keys)) == len(keys) and _is_text(body):
        assert json.loads(read_documents(body)) == json.loads(body)
    else:
        with pytest.raises(EnvelopeError) as caught:
            read_documents(body)
        detail: Any = caught.value.detail
        assert detail[0]["type"] == ("duplicate_key" if _is_text(body) else "json_invalid")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_one_document_becomes_a_list_of_one() -> None:
    assert read_batch(b'{"data": {"a":1}}').data == b'[{"a":1}]'


def test_missing_data_is_fastapis_finding() -> None:
    assert refused(b'{"dta":[]}') == [{"loc": ["body", "data"], "msg": "Field required", "type": "missing"}]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "missing"),
        (b"{", "json_invalid"),
        (b'{"data":[NaN]}', "json_invalid"),
        (b'{"data":["\xff"]}', "json_invalid"),
        (b"[]", "model_attributes_type"),
        (b'{"data":[],"parameters":{"a":1%s}}' % (b"0" * 400), "float_type"),
        (b'{"data":[],"parameters":{"a":"\xff"}}', "json_invalid"),
        (b'{"data":[],"header":' + b"[" * 1000 + b"]" * 1000 + b"}", "recursion"),
        (b'{"data":null}', "list_type"),
        (b'{"data":3}', "list_type"),
        (b'{"data":[],"parameters":[]}', "dict_type"),
        (b'{"data":[],"header":3}', "dict_type"),
        (b'{"data":[],"header":{"requestId":3}}', "string_type"),
        (b'{"data":[],"parameters":{"a":' + b"[" * 64 + b"]" * 64 + b"}}", "recursion"),
        (b'{"data":[],"parameters":{"a":' + b"[" * 1000 + b"]" * 1000 + b"}}", "recursion"),
        (b'{"data":[1], "data":[1]}', "duplicate_key"),
        (b'{"data":[1],"d\\u0061ta":[1]}', "duplicate_key"),
        (b'{"data":[1],"parameters":{},"data":[12]}', "duplicate_key"),
        (b'{"data":1,"data":12}', "duplicate_key"),
    ],
)
def test_bad_bodies_are_findings(body: Any, kind: Any) -> None:
    assert refused(body)[0]["type"] == kind


def test_parameters_are_floats_as_through_protobuf() -> None:
    parameters = read_batch(b'{"data":[],"parameters":{"a":1,"b":[2,{"c":3}],"d":true}}').parameters
    assert parameters == {"a": 1.0, "b": [2.0, {"c": 3.0}], "d": True}
    assert type(parameters["b"][1]["c"]) is float
    assert parameters["d"] is True
    assert read_batch(b'{"data":[],"parameters":null}').parameters == {}


@pytest.mark.parametrize("name", [b"requestId", b"request_id"])
def test_header_names_come_in_both_spellings(name: Any) -> None:
    assert read_batch(b'{"data":[],"header":{"%b":"r-1"}}' % name).request_id == "r-1"
    assert read_batch(b'{"data":[],"header":{"target_executor":"e"}}').target_executor == "e"


@pytest.mark.parametrize("text", ["", "a b", "\u00e9", "x" * 129])
def test_request_ids_that_cannot_travel_are_400(text: Any) -> None:
    refused(json.dumps({"data": [], "header": {"requestId": text}}).encode(), 400)


def test_a_streaming_body_is_the_document_unless_it_is_an_envelope_that_the_document_cannot_be() -> None:
    with pytest.raises(EnvelopeError) as caught:
        read_one(b'{"data":[{"text":"a"}]}', "/x", {"text"})
    assert "endpoint '/x' streams; call it with stream_doc, or with one document" in str(caught.value.detail)
    with pytest.raises(EnvelopeError, match="streams"):
        read_one(b'{"data":[{"text":"a"}],"execEndpoint":"/x"}', "/x", {"text"})
    assert read_batch(b'{"data":[],"header":null}').request_id == ""
    assert read_one(b' {"text":"a"} ', "/x", {"text"}).data == b'{"text":"a"}'
    found = read_one(b'{"data":{"text":"a"},"parameters":{"n":1}}', "/x", {"text"})
    assert (found.data, found.parameters, found.is_bare) == (b'{"text":"a"}', {"n": 1.0}, False)
    assert read_one(b'{"data":{"text":"a"}}', "/x", {"data"}).is_bare
    assert read_one(b'{"data":{},"parameters":{}}', "/x", {"data", "parameters"}).is_bare


def test_parameters_may_be_nested_sixty_four_deep_and_have_brackets_in_text() -> None:
    """The limit counts brackets that open something, as deep as they are open at once."""
    body = (
        b'{"data":[],"parameters":{"deep":' + b"[" * 63 + b"]" * 63 + b',"wide":[' + b"[]," * 200 + b'[]],"text":"' + b"[{" * 100 + b'"}}'
    )
    assert read_batch(body).parameters["text"] == "[{" * 100


def test_parameters_of_quotes_that_never_end_take_no_longer_than_others() -> None:
    """They come in a query as anyone likes them: a search that goes back at each quote would hold the front for a minute."""
    began = time.process_time()
    with pytest.raises(EnvelopeError, match="too deep"):
        read_parameters(b"[" * 65 + b'\\"' * 30_000 + b"\\")
    assert time.process_time() - began < 2


def test_depth_of_parameters_is_that_of_their_deepest_value() -> None:
    """However many others there are, and however deep those are."""
    lists = (b"[" * 60 + b"]" * 60 + b",") * 100
    assert len(read_parameters(b'{"a":[' + lists + b"1]}")["a"]) == 101
    assert read_parameters(b'{"a":[' + lists + b"[" * 62 + b"]" * 62 + b"]}")["a"]
    with pytest.raises(EnvelopeError, match="too deep"):
        read_parameters(b'{"a":[' + lists + b"[" * 63 + b"]" * 63 + b"]}")


def test_parameters_hold_no_more_values_than_neighbours_can_wait_for() -> None:
    """A long text is one value."""
    values = b'{"a":[' + b"1," * 99_000 + b"1]}"
    assert len(read_parameters(values)["a"]) == 99_001
    assert read_parameters(b'{"a":"%b"}' % (b"x" * 3_000_000))["a"]
    with pytest.raises(EnvelopeError) as caught:
        read_parameters(b'{"a":[' + b"1," * 100_000 + b"1]}")
    assert "100000 values" in str(caught.value.detail)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{}", None),
        (b'{"data": [], "execEndpoint": "/a"}', ("/a", b"[]", None, "")),
        (b'{"data": {"x": 1}, "exec_endpoint": "a/"}', ("/a", b'[{"x": 1}]', None, "")),
        (b'{"data": []}', ("/default", b"[]", None, "")),
        (b'{"data": [], "execEndpoint": null, "timeout": null}', ("/default", b"[]", None, "")),
        (b'{"data": {"x": 1}, "execEndpoint": "/stream", "timeout": 2}', ("/stream", b'{"x": 1}', 2.0, "")),
        (b'{"data": [], "execEndpoint": "/a", "header": {"requestId": "r"}}', ("/a", b"[]", None, "r")),
    ],
)
def test_a_websocket_message_names_its_endpoint(body: bytes, found: Any) -> None:
    """As HTTP's body, with the endpoint; an empty object is the end."""
    read = read_message(body, lambda endpoint: endpoint == "/stream")
    assert (read and (read.endpoint, read.data, read.timeout_s, read.request_id)) == found


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        (b'{"execEndpoint": "/a", "header": {"requestId": "r"}}', ["body", "data"]),
        (b'{"data": [], "execEndpoint": 7, "header": {"requestId": "r"}}', ["body", "execEndpoint"]),
        (b'{"data": [], "timeout": true, "header": {"requestId": "r"}}', ["body", "timeout"]),
        (b'{"data": [], "timeout": 0, "header": {"requestId": "r"}}', ["body", "timeout"]),
        (b'{"data": [], "execEndpoint": "/stream", "header": {"requestId": "r"}}', ["body", "data"]),
    ],
)
def test_a_faulty_websocket_message_is_known_by_its_request_id(body: bytes, loc: list[str]) -> None:
    """So that its caller can tell which one failed."""
    with pytest.raises(EnvelopeError) as caught:
        read_message(body, lambda endpoint: endpoint == "/stream")
    assert isinstance(caught.value.detail, list)
    assert (caught.value.detail[0]["loc"], caught.value.request_id) == (loc, "r")


def test_a_websocket_message_with_a_faulty_header_has_no_request_id() -> None:
    """The failure is told all the same."""
    with pytest.raises(EnvelopeError) as caught:
        read_message(b'{"data": [], "header": 7}', lambda endpoint: False)
    assert caught.value.request_id == ""
