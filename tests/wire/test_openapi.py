from __future__ import annotations

from typing import Any

from jina.call import EndpointInfo
from jina.wire.openapi import make_document

TEXT = {"type": "object", "title": "Text", "properties": {"text": {"type": "string"}}}


def nested(field: Any) -> Any:
    return {
        "type": "object",
        "properties": {"inner": {"$ref": "#/$defs/Inner"}},
        "$defs": {"Inner": {"type": "object", "properties": {field: {"type": "string"}}}},
    }


def document(*infos: Any, **options: Any) -> Any:
    return make_document(infos, **{"title": "T", "description": "D", "version": "1", **options})


def info(path: Any, kind: Any = "batch", **parts: Any) -> Any:
    return EndpointInfo(path, kind, **{"input": TEXT, "output": TEXT, "input_name": "Text", "output_name": "Text", **parts})


def references(value: Any) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_operations_and_components_are_named_as_jina_names_them() -> None:
    made = document(info("/len"), info("/tell", "stream"))
    assert made["paths"]["/len"]["post"]["operationId"] == "post_len_post"
    assert made["paths"]["/len"]["post"]["summary"] == "Endpoint /len"
    assert made["paths"]["/tell"]["get"]["operationId"] == "streaming_get_tell_get"
    assert made["paths"]["/tell"]["get"]["summary"] == "Streaming Endpoint /tell"
    names = {"len_input_model", "len_output_model", "Header", "Text", "HTTPValidationError", "ValidationError", "JinaHealthModel"}
    assert names <= made["components"]["schemas"].keys()


def test_definitions_of_the_same_name_but_other_content_stay_apart() -> None:
    made = document(
        info("/a", input=nested("x"), input_name="A", output=TEXT),
        info("/b", input=nested("y"), input_name="B", output=TEXT),
    )
    schemas = made["components"]["schemas"]
    targets = [schemas[ref.rpartition("/")[2]] for name in ("A", "B2") for ref in references(schemas[name])]
    assert [list(target["properties"]) for target in targets] == [["x"], ["y"]]


def test_every_reference_has_a_target() -> None:
    made = document(info("/a", input=nested("x")), info("/b", "stream", input=nested("y")), info("/_jina_dry_run_"), is_flow=True)
    assert all(ref.rpartition("/")[2] in made["components"]["schemas"] for ref in references(made))
    assert "/_jina_dry_run_" not in made["paths"]


def test_parameters_models_are_named_and_optional_unless_they_have_required_fields() -> None:
    """The model stands among the components, under a number of its own where another has its name."""
    model = {"title": "P", "type": "object", "properties": {"a": {"type": "integer"}}}
    other = {**model, "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    infos = [
        info("/a", parameters=model, parameters_name="P"),
        info("/b", parameters=other, parameters_name="P", is_parameters_required=True),
    ]
    schemas = document(*infos)["components"]["schemas"]
    assert (schemas["P"], schemas["P2"]) == (model, other)
    assert {"anyOf": [{"$ref": "#/components/schemas/P"}, {"type": "null"}]} in schemas["a_input_model"]["properties"].values()
    assert {"$ref": "#/components/schemas/P2"} in schemas["b_input_model"]["properties"].values()


def test_what_pages_propose_of_it_can_be_sent_and_reaches_the_executor() -> None:
    """A browser sends no GET with a body; a header that pages make up would name another executor."""
    made = document(info("/len"), info("/tell", "stream", input={**TEXT, "required": ["text"]}))
    get = made["paths"]["/tell"]["get"]
    assert "requestBody" not in get
    assert [(each["name"], each["required"]) for each in get["parameters"]] == [("text", True)]
    header = made["components"]["schemas"]["len_input_model"]["properties"]["header"]
    assert header["default"] is None
