"""Hostile and friendly callers at once, for minutes: friendly calls must all be answered, and memory must stay as it is.

python benchmarks/soak.py [--minutes 45] [--seed 1]

Memory is looked at while nobody calls: after the warm-up (a tenth of the time, 10 s at least), and then ten times. An allocator keeps some
of what was freed, sometimes more and sometimes less; so the highest look of the second half is compared with that of the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import hostile
import load
from bodies import TEXTS, changed
from case import OURS
from server import Server, resident_mib

from jina import Client
from jina.docs import BaseDoc, DocList

MAX_GROWTH_MIB = 5.0
QUIET_S = 2.0
N_HOSTILE = 3
N_LOOKS = 10


class Text(BaseDoc):
    text: str


class Soak:
    """The callers of one service.

    Attributes:
        n_calls: Friendly calls made, by kind; `n_visits` the hostile ones.
        wrong: What went wrong with friendly ones.
    """

    def __init__(self, ports: hostile.Ports, seed: int) -> None:
        self.ports, self._seed = ports, seed
        self.n_calls, self.n_visits, self.wrong = Counter[str](), Counter[str](), list[str]()

    def run(self, seconds: float) -> None:
        """Let all of them call for so long."""
        end = time.monotonic() + seconds
        callers: list[Callable[[float], None]] = [self._http_calls, self._grpc_calls, self._events, self._own_client]
        callers += [self._hostile_visits] * N_HOSTILE
        with ThreadPoolExecutor(len(callers)) as pool:
            for done in [pool.submit(call, end) for call in callers]:
                done.result()

    def _http_calls(self, end: float) -> None:
        while time.monotonic() < end:
            self._note("http", 50, lambda: len(load.http_latencies(self.ports.http, 40)) and 0)

    def _grpc_calls(self, end: float) -> None:
        while time.monotonic() < end:
            self._note("grpc", len(TEXTS), lambda: load.check_grpc(self.ports.grpc))

    def _events(self, end: float) -> None:
        while time.monotonic() < end:
            self._note("events", 1, lambda: load.read_stream(self.ports.http) != load.N_STREAMED)

    def _own_client(self, end: float) -> None:
        """Calls and streams over each protocol in turn, with a new connection each time."""
        protocols = itertools.cycle(self.ports._asdict().items())
        while time.monotonic() < end:
            protocol, port = next(protocols)
            client = Client(host="127.0.0.1", port=port, protocol=protocol)
            self._note(f"client {protocol}", len(TEXTS), lambda client=client: wrong_answers(client))
            self._note(f"stream {protocol}", 1, lambda client=client: sum(1 for _ in stream(client)) != load.N_STREAMED)

    def _note(self, kind: str, n: int, call: Callable[[], int]) -> None:
        try:
            wrong = int(call())
        except Exception as error:
            self.wrong.append(f"{kind}: {type(error).__name__}: {error}")
        else:
            self.n_calls[kind] += n
            if wrong:
                self.wrong.append(f"{kind}: {wrong} wrong answers")

    def _hostile_visits(self, end: float) -> None:
        self._seed += 1
        dice = random.Random(f"{self._seed} {threading.get_ident()}")
        while time.monotonic() < end:
            visit = dice.choice(hostile.VISITS)
            try:
                visit(self.ports, dice)
            except OSError:  # it was cut off, as it should be
                self.n_visits["cut off"] += 1
            self.n_visits[visit.__name__] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seconds = options.minutes * 60
    with Server(OURS, "executor.py", "http,grpc,websocket", "echo", "PORT", "PORT", "PORT") as server:
        pids = server.said["pids"]
        soak = Soak(hostile.Ports(*server.said["ports"]), options.seed)
        soak.run(max(10.0, seconds / 10))
        looks = [quiet_memory(pids)]
        for _ in range(N_LOOKS):
            soak.run(seconds / N_LOOKS)
            looks.append(quiet_memory(pids))
            print(f"{dict(soak.n_calls)} {looks[-1]} MiB", flush=True)
    series = {name: [look[name] for look in looks] for name in pids}
    growth = {name: round(max(each[N_LOOKS // 2 :]) - max(each[: N_LOOKS // 2]), 2) for name, each in series.items()}
    print(json.dumps({"calls": soak.n_calls, "visits": soak.n_visits, "mib": series, "growth_mib": growth}, indent=1))
    for line in soak.wrong[:20]:
        print(line)
    is_good = not soak.wrong and all(each <= MAX_GROWTH_MIB for each in growth.values())
    print(f"{'good' if is_good else 'NOT GOOD'}: {len(soak.wrong)} friendly calls went wrong; growth may be {MAX_GROWTH_MIB} MiB")
    return 0 if is_good else 1


def wrong_answers(client: Client) -> int:
    """Post every text, a few at a time; gives how many were answered wrongly."""
    found = client.post(
        "/echo", DocList[Text]([Text(text=text) for text in TEXTS]), return_type=DocList[Text], request_size=7, results_in_order=True
    )
    return sum(doc.text != changed(text) for doc, text in zip(found, TEXTS, strict=True))


def stream(client: Client) -> Iterator[Text]:
    return client.stream_doc("/stream", Text(text="soak"), return_type=Text)


def quiet_memory(pids: dict[str, int]) -> dict[str, float]:
    time.sleep(QUIET_S)
    return {name: round(resident_mib(pid), 2) for name, pid in pids.items()}


if __name__ == "__main__":
    sys.exit(main())
