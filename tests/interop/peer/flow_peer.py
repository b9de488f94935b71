"""Run a graph of `flows.py` with whichever `jina` this interpreter has: `flow_peer.py NAME PORT[,PORT...] PROTOCOL[,PROTOCOL...]`.

Port 0 is any. Prints the ports, with commas, when it serves; stops when its input ends.
"""

import os
import sys
from pathlib import Path
from typing import Any

from flow_executors import KINDS
from serve import free_port

from jina import Flow

sys.path.append(str(Path(__file__).resolve().parents[1]))


def built(name: str, **keywords: Any) -> Any:
    """The Flow of a graph, not started."""
    from flows import GRAPHS

    flow = Flow(name="graph", **keywords)
    for node in GRAPHS[name].nodes:
        flow = flow.add(uses=KINDS[node.kind], **node.keywords())
    return flow


def main() -> None:
    told = os.dup(1)
    os.dup2(2, 1)  # Jina draws there
    name, protocols = sys.argv[1], sys.argv[3].split(",")
    ports = [int(word) or free_port() for word in sys.argv[2].split(",")]
    is_alone = len(ports) == 1
    with built(name, port=ports[0] if is_alone else ports, protocol=protocols[0] if is_alone else protocols):
        os.write(told, (",".join(map(str, ports)) + "\n").encode())
        sys.stdin.read()


if __name__ == "__main__":
    main()
