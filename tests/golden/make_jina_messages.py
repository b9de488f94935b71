"""Writes jina_messages.json: what Jina 3.33.1 itself makes of its messages. Run with a Python that has `jina==3.33.1`:

python tests/golden/make_jina_messages.py > tests/golden/jina_messages.json
"""

import json
import warnings

warnings.simplefilter("ignore")

from docarray import BaseDoc, DocList  # noqa: E402
from google.protobuf import json_format  # noqa: E402

from jina.proto import jina_pb2  # noqa: E402
from jina.types.request.data import DataRequest, SingleDocumentRequest  # noqa: E402
from jina.types.request.status import StatusMessage  # noqa: E402


class Doc(BaseDoc):
    t: str


def request() -> DataRequest:
    made = DataRequest()
    made.header.request_id = "ab" * 16
    made.header.exec_endpoint = "/x"
    made.parameters = {"a": 1, "b": [1, "x", None, True], "c": {"d": 2.5}, "__results__": {}}
    made.data.docs = DocList[Doc]([Doc(id="1", t="z"), Doc(id="2", t="ü")])
    made.document_array_cls = DocList[Doc]
    return made


def reply() -> DataRequest:
    made = request()
    made.header.target_executor = ""
    for name in ("gateway", "executor"):
        made.add_executor(name)
        made.routes[-1].start_time.FromJsonString("2024-01-02T03:04:05.5Z")
        made.routes[-1].end_time.FromJsonString("2024-01-02T03:04:06.123456789Z")
    return made


def failed() -> DataRequest:
    made = reply()
    status = made.header.status
    status.code = jina_pb2.StatusProto.ERROR
    status.description = "ValueError('x')"
    status.exception.name = "ValueError"
    status.exception.args.extend(["x", "3"])
    status.exception.stacks.extend(["Traceback (most recent call last):\n", "ValueError: ('x', 3)\n"])
    status.exception.executor = "Mine"
    made.routes[-1].status.CopyFrom(status)
    return made


def single() -> SingleDocumentRequest:
    made = SingleDocumentRequest()
    made.header.request_id = "r"
    made.header.exec_endpoint = "/s"
    made.parameters = {"n": 3}
    made.document_cls = Doc
    made.data.doc = Doc(id="1", t="z")
    return made


def shown(made) -> dict:  # type: ignore[no-untyped-def, type-arg]
    parts = made.to_dict()
    parts.pop("data", None)
    parts.pop("document", None)
    return parts


def golden(message, **more) -> dict:  # type: ignore[no-untyped-def, type-arg]
    return {
        "name": message.DESCRIPTOR.full_name,
        "bytes": message.SerializeToString(deterministic=True).hex(),
        "json": json_format.MessageToDict(message),
        **more,
    }


def main() -> None:
    out = {}
    for name, made in (("request", request()), ("reply", reply()), ("failed", failed()), ("single", single())):
        out[name] = golden(made.proto, to_dict=shown(made), to_json=made.to_json(), status=str(made.status), header=str(made.header))
    status = StatusMessage(failed().header.status)
    out["status"] = golden(status.proto, to_dict=status.to_dict(), to_json=status.to_json(), text=str(status.proto))
    out["list"] = golden(jina_pb2.DataRequestListProto(requests=[request().proto, reply().proto]))
    endpoints = jina_pb2.EndpointsProto(endpoints=["/x", "_jina_dry_run_"], write_endpoints=["/x"])
    endpoints.schemas.update({"/x": {"input": {"name": "Doc"}, "is_generator": False}})
    out["endpoints"] = golden(endpoints)
    out["info"] = golden(jina_pb2.JinaInfoProto(jina={"jina": "3.33.1", "docarray": "0.41.0"}, envs={"JINA_LOG_LEVEL": "(unset)"}))
    snapshot = jina_pb2.SnapshotStatusProto(status=jina_pb2.SnapshotStatusProto.NOT_FOUND, snapshot_file="f")
    snapshot.id.value = "s"
    out["snapshot"] = golden(snapshot)
    out["descriptor"] = jina_pb2.DESCRIPTOR.serialized_pb.hex()
    print(json.dumps(out, indent=1, sort_keys=True, ensure_ascii=True))


main()
