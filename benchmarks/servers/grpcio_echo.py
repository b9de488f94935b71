"""A bare grpcio aio server on uvloop that gives back the bytes it gets, the least that a gRPC service can do."""

import asyncio
import json
import os
import sys

import grpc
import uvloop


class Everything(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        async def echo(message, context):
            return message

        self.handler = grpc.unary_unary_rpc_method_handler(echo)

    def service(self, details):
        return self.handler


async def main() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Everything(),))
    port = server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    await server.start()
    print(json.dumps({"port": port, "pids": {"server": os.getpid()}}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(main())
