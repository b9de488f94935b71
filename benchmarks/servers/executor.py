"""The service that is measured, ours and Jina's from the same source: echo with changed text, a stream, and an empty Executor.

python executor.py http|grpc echo|empty PORT      prints one JSON line when it serves; stops when its input ends
"""

import json
import os
import sys
import time

from jina import Deployment, Executor, requests

try:
    from jina.docs import BaseDoc, DocList
except ImportError:  # Jina 3, whose documents come from docarray
    from docarray import BaseDoc, DocList

N_ITEMS = 200


class In(BaseDoc):
    text: str


class Out(BaseDoc):
    text: str


class Echo(Executor):
    @requests(on="/echo")
    def echo(self, docs: DocList[In], **kwargs) -> DocList[Out]:
        return DocList[Out]([Out(text=doc.text + "!") for doc in docs])

    @requests(on="/stream")
    async def stream(self, doc: In, **kwargs) -> Out:
        for number in range(N_ITEMS):
            yield Out(text=f"{doc.text} {number}")


class Empty(Executor):
    pass


def children(pid: int) -> list[int]:
    """All processes under `pid`."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += [int(entry), *children(int(entry))]
    return found


def main() -> None:
    protocol, kind, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    begun = time.perf_counter()
    with Deployment(uses={"echo": Echo, "empty": Empty}[kind], protocol=protocol, port=port, host="127.0.0.1") as deployment:
        ready_s = time.perf_counter() - begun
        pids = getattr(deployment, "pids", None) or {str(pid): pid for pid in children(os.getpid())}
        print(json.dumps({"port": deployment.port, "ready_s": ready_s, "pids": pids}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
