"""Send one large message again and again with grpcio's client, and print the MB/s that went each way.

python grpcio_large.py PORT SECONDS N_BYTES
"""

import json
import sys
import time

import grpc

NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def main() -> None:
    port, seconds, n_bytes = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    message = bytes(range(256)) * (n_bytes // 256)
    n = wrong = 0
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=NO_LIMIT) as channel:
        call = channel.unary_unary("/a.B/c")
        for _ in range(3):
            call(message)
        begun = time.perf_counter()
        while (passed := time.perf_counter() - begun) < seconds:
            n += 1
            wrong += len(call(message)) != len(message)
    print(json.dumps({"per_second": n * n_bytes / 1e6 / passed, "n_errors": wrong}))


if __name__ == "__main__":
    main()
