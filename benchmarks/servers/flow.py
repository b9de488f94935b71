"""A Flow that is measured, ours and Jina's from the same source: every node makes new documents, the last one's show that all were there.

python flow.py http|grpc echo|tensors|ticks|empty N_NODES PORT      prints one JSON line when it serves; stops when its input ends
"""

import json
import os
import sys
import time

from executor import Empty, In, Out, Ticks, children

from jina import Executor, Flow, requests

try:
    from jina.docs import BaseDoc, DocList, NdArray
except ImportError:  # Jina 3, whose documents come from docarray
    from docarray import BaseDoc, DocList
    from docarray.typing import NdArray


class Vector(BaseDoc):
    tensor: NdArray


class First(Executor):
    @requests(on="/echo")
    def echo(self, docs: DocList[In], **kwargs) -> DocList[Out]:
        return DocList[Out]([Out(text=doc.text + "?") for doc in docs])

    @requests(on="/tensors")
    def tensors(self, docs: DocList[Vector], **kwargs) -> DocList[Vector]:
        return DocList[Vector]([Vector(tensor=doc.tensor * 2) for doc in docs])


class Middle(Executor):
    @requests(on="/echo")
    def echo(self, docs: DocList[In], **kwargs) -> DocList[Out]:
        return DocList[Out]([Out(text=doc.text) for doc in docs])

    @requests(on="/tensors")
    def tensors(self, docs: DocList[Vector], **kwargs) -> DocList[Vector]:
        return DocList[Vector]([Vector(tensor=doc.tensor) for doc in docs])


class Last(Executor):
    @requests(on="/echo")
    def echo(self, docs: DocList[In], **kwargs) -> DocList[Out]:
        return DocList[Out]([Out(text=doc.text[:-1] + "!") for doc in docs])

    @requests(on="/tensors")
    def tensors(self, docs: DocList[Vector], **kwargs) -> DocList[Vector]:
        return DocList[Vector]([Vector(tensor=doc.tensor + 1) for doc in docs])


class Before(Executor):
    """Stands before the one that streams."""

    @requests(on="/ticks")
    def ticks(self, docs: DocList[In], **kwargs) -> DocList[In]:
        return DocList[In]([In(text=doc.text) for doc in docs])


FIRST_MIDDLE_LAST = {
    "echo": (First, Middle, Last),
    "tensors": (First, Middle, Last),
    "ticks": (Before, Before, Ticks),
    "empty": (Empty,) * 3,
}


def main() -> None:
    told = os.dup(1)
    os.dup2(2, 1)  # Jina draws its banner there
    protocol, kind, n_nodes, port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    first, middle, last = FIRST_MIDDLE_LAST[kind]
    flow = Flow(protocol=protocol, port=port, host="127.0.0.1")
    for number, uses in enumerate((first, *[middle] * (n_nodes - 2), last)):
        flow = flow.add(name=f"node{number}", uses=uses)
    begun = time.perf_counter()
    with flow:
        ready_s = time.perf_counter() - begun
        pids = getattr(flow, "pids", None) or {str(pid): pid for pid in children(os.getpid())}
        os.write(told, (json.dumps({"port": port, "ready_s": ready_s, "pids": pids}) + "\n").encode())
        sys.stdin.read()


if __name__ == "__main__":
    main()
