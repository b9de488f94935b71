"""Our front by itself: no worker, a Handler that gives the payload back, everything else as a Deployment's front has it.

python front.py http|grpc      prints one JSON line when it serves; stops when its input ends
"""

import asyncio
import json
import os
import sys

import uvloop

from jina.call import Call, EndpointInfo, Reply
from jina.fronts.table import Service, make_front


class Same:
    needs_task = False

    async def __call__(self, call: Call) -> Reply:
        return Reply(payload=call.payload)


async def main() -> None:
    front = make_front(Service(name="executor", handler=Same(), endpoints=[EndpointInfo("/echo", "batch")]), [sys.argv[1]])
    server = await asyncio.get_running_loop().create_server(front.make_protocol, "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1], "pids": {"front": os.getpid()}}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    await front.drain()


if __name__ == "__main__":
    uvloop.run(main())
