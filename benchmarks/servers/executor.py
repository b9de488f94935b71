"""The service that is measured, ours and Jina's from the same source: echo with changed text, a stream, and an empty Executor.

python executor.py http|grpc|http,grpc echo|empty|ticks|large PORT...      prints one JSON line when it serves; stops when its input ends
"""

import asyncio
import json
import os
import sys
import time

from jina import Deployment, Executor, requests

try:
    from jina.docs import BaseDoc, DocList, NdArray
except ImportError:  # Jina 3, whose documents come from docarray
    from docarray import BaseDoc, DocList
    from docarray.typing import NdArray

N_ITEMS = 200
ITEMS_PER_S = 10


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


class Ticks(Executor):
    @requests(on="/ticks")
    async def ticks(self, doc: In, **kwargs) -> Out:
        loop, number = asyncio.get_running_loop(), 0
        begun = loop.time()
        while True:
            yield Out(text=f"{doc.text} {number}")
            number += 1
            await asyncio.sleep(begun + number / ITEMS_PER_S - loop.time())


class Large(BaseDoc):
    tensor: NdArray


class Same(Executor):
    @requests(on="/same")
    def same(self, docs: DocList[Large], **kwargs) -> DocList[Large]:
        return docs


EXECUTORS = {"echo": Echo, "empty": Empty, "ticks": Ticks, "large": Same}


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
    protocols, kind, ports = sys.argv[1].split(","), sys.argv[2], [int(word) for word in sys.argv[3:]]
    one_or_all = (protocols[0], ports[0]) if len(ports) == 1 else (protocols, ports)
    begun = time.perf_counter()
    with Deployment(uses=EXECUTORS[kind], protocol=one_or_all[0], port=one_or_all[1], host="127.0.0.1") as deployment:
        ready_s = time.perf_counter() - begun
        pids = getattr(deployment, "pids", None) or {str(pid): pid for pid in children(os.getpid())}
        print(json.dumps({"port": deployment.port, "ports": ports, "ready_s": ready_s, "pids": pids}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
