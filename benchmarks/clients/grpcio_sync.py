"""Call through grpcio's own sync client, one call after the other, and print calls a second.

python grpcio_sync.py PORT SECONDS PATH < BODIES      one hexadecimal body a line; the answer must hold its last 8 bytes
"""

import json
import sys
import time

import grpc


def main() -> None:
    port, seconds, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    bodies = [bytes.fromhex(line) for line in sys.stdin]
    n = wrong = 0
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(path)
        for body in bodies[:200]:
            call(body)
        begun = time.perf_counter()
        while time.perf_counter() < begun + seconds:
            body = bodies[n % len(bodies)]
            wrong += body[-8:] not in call(body)
            n += 1
        passed = time.perf_counter() - begun
    print(json.dumps({"per_second": n / passed, "n_errors": wrong}))


if __name__ == "__main__":
    main()
