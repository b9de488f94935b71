"""A grpcio aio proxy before a grpcio aio server in a process of its own, over a Unix socket; neither reads what it passes on."""

import asyncio
import json
import os
import sys
import tempfile

import grpc
import uvloop

NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Everything(grpc.GenericRpcHandler):
    def __init__(self, answer) -> None:
        self.handler = grpc.unary_unary_rpc_method_handler(answer)

    def service(self, details):
        return self.handler


async def serve(address: str, answer) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server(options=NO_LIMIT)
    server.add_generic_rpc_handlers((Everything(answer),))
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


async def echo(message, context):
    return message


async def behind(address: str) -> None:
    server, _ = await serve(address, echo)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


async def before() -> None:
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{folder}/server"
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(sys.executable, __file__, address, stdin=pipe, stdout=pipe)
        await child.stdout.readline()
        async with grpc.aio.insecure_channel(address, options=NO_LIMIT) as channel:
            call = channel.unary_unary("/a.B/c")

            async def pass_on(message, context):
                return await call(message)

            server, port = await serve("127.0.0.1:0", pass_on)
            print(json.dumps({"port": port, "pids": {"proxy": os.getpid(), "server": child.pid}}), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            await server.stop(0)
        child.stdin.close()
        await child.wait()


if __name__ == "__main__":
    uvloop.run(behind(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].startswith("unix:") else before())
