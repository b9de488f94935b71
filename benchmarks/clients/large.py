"""Send one large tensor again and again with our client, and print the MB/s that went each way.

python large.py PORT SECONDS N_BYTES
"""

import json
import sys
import time

import numpy as np

from jina import Client
from jina.docs import BaseDoc, DocList, NdArray


class Large(BaseDoc):
    tensor: NdArray


def main() -> None:
    port, seconds, n_bytes = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    client = Client(host="127.0.0.1", port=port, protocol="grpc")
    documents = DocList[Large]([Large(tensor=np.arange(n_bytes // 4, dtype=np.float32))])
    n = wrong = 0
    for _ in range(3):
        client.post("/same", documents, return_type=DocList[Large])
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        answer = client.post("/same", documents, return_type=DocList[Large])
        n += 1
        wrong += answer[0].tensor.shape != documents[0].tensor.shape or answer[0].tensor[-1] != documents[0].tensor[-1]
    print(json.dumps({"per_second": n * n_bytes / 1e6 / passed, "n_errors": int(wrong)}))


if __name__ == "__main__":
    main()
