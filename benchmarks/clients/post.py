"""Send documents with the client of the `jina` that this interpreter has, and print documents a second.

python post.py PORT N_DOCUMENTS REQUEST_SIZE
"""

import json
import sys
import time

from jina import Client

try:
    from jina.docs import BaseDoc, DocList
except ImportError:  # Jina 3, whose documents come from docarray
    from docarray import BaseDoc, DocList


class In(BaseDoc):
    text: str


class Out(BaseDoc):
    text: str


def main() -> None:
    port, n, size = (int(word) for word in sys.argv[1:4])
    client = Client(host="127.0.0.1", port=port, protocol="grpc")
    documents = DocList[In]([In(text=f"document number {number} says hello") for number in range(n)])
    client.post("/echo", documents[:size], request_size=size, return_type=DocList[Out])
    begun = time.perf_counter()
    answers = client.post("/echo", documents, request_size=size, return_type=DocList[Out])
    seconds = time.perf_counter() - begun
    wrong = n - len({doc.text for doc in answers} & {doc.text + "!" for doc in documents})
    print(json.dumps({"per_second": n / seconds, "n_errors": wrong}))


if __name__ == "__main__":
    main()
