"""Send one body some times through grpcio and count the replies that do not hold what they must.

python grpcio_expect.py PORT N PATH < BODY AND EXPECTED      two hexadecimal lines
"""

import json
import sys

import grpc


def main() -> None:
    port, n, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    body, expected = (bytes.fromhex(line) for line in sys.stdin)
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        call = channel.unary_unary(path)
        print(json.dumps({"per_second": 0, "n_errors": sum(expected not in call(body, timeout=20) for _ in range(n))}))


if __name__ == "__main__":
    main()
