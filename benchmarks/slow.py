"""A friendly caller of a service while a tool keeps its connections busy: how many of its calls fail, and how long they take.

python benchmarks/slow.py slowhttptest -H -c 1000 -r 200 -i 3 -x 24 -l 30 -p 2 -u URL      URL stands for the service's

It posts a document every 20 ms until the tool ends, then prints calls, failures, p50 and p99 in ms, and the front's largest memory in MB.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time

from bodies import TEXTS, changed, json_body
from case import OURS
from server import Server, resident_mib

EVERY_S = 0.02
HEADERS = {"Content-Type": "application/json"}


def main() -> int:
    with Server(OURS, "executor.py", "http", "echo", "PORT") as server:
        url = f"http://127.0.0.1:{server.port}"
        tool = subprocess.Popen([word.replace("URL", url) for word in sys.argv[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took, n_failed, largest_mib = list[float](), 0, 0.0
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        while tool.poll() is None:
            text, begun = TEXTS[len(took) % len(TEXTS)], time.perf_counter()
            try:
                connection.request("POST", "/echo", json_body(text), HEADERS)
                n_failed += changed(text).encode() not in connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                n_failed += 1
                connection.close()
            took.append(time.perf_counter() - begun)
            largest_mib = max(largest_mib, resident_mib(server.said["pids"]["executor/front"]))
            time.sleep(EVERY_S)
    p50, *_, p99 = (1e3 * cut for cut in statistics.quantiles(took, n=100)[49:])
    print(f"{len(took)} calls, {n_failed} failed, p50 {p50:.1f} ms, p99 {p99:.1f} ms, front {largest_mib * 1.048576:.0f} MB")
    return bool(n_failed)


if __name__ == "__main__":
    sys.exit(main())
