"""Compare with Jina, FastAPI and grpcio on this machine, in interleaved rounds; print medians and ratios, write .build/bench/result.json.

python benchmarks/run.py [--quick] [--rounds N] [--only http,grpc,...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import peers
from case import OURS, Case, Limits, run_case
from cases import all_cases
from load import Measured, require_tools

QUICK = Limits(seconds=2.0, n_documents=8_192, n_latencies=1_000, n_warm_up=5_000, n_soak=50_000)
RESULT = peers.ROOT / ".build" / "bench" / "result.json"


def summary(case: Case, found: dict[str, list[Measured]]) -> list[dict[str, Any]]:
    """One row a contender: median, spread, errors, and how it stands to its floor."""
    medians = {name: statistics.median(m.value for m in rounds) for name, rounds in found.items() if rounds}
    rows = []
    for name, median in medians.items():
        values = [measured.value for measured in found[name]]
        row = {
            "case": case.name,
            "title": case.title,
            "contender": name,
            "unit": case.unit,
            "median": median,
            "values": values,
            "n_errors": sum(measured.n_errors for measured in found[name]),
            "notes": [note for measured in found[name] for note in measured.notes],
            "floor": case.floors.get(name),
        }
        if case.is_rate and name != OURS and OURS in medians:
            row["ratio"] = medians[OURS] / median
        rows.append({**row, "is_met": is_met(case, row)})
    return rows


def is_met(case: Case, row: dict[str, Any]) -> bool | None:
    if row["floor"] is None:
        return None
    if not case.is_rate:
        return row["median"] <= row["floor"]
    reached = row["median"] if row["contender"] == OURS else row.get("ratio", 0.0)
    return reached >= row["floor"]


def lines(case: Case, rows: list[dict[str, Any]]) -> list[str]:
    """The rows as text."""
    out = [f"{case.title} [{case.unit}]"]
    for row in rows:
        spread = f"{min(row['values']):,.4g} - {max(row['values']):,.4g}" if len(row["values"]) > 1 else ""
        ratio = f"ours is {row['ratio']:.2f} x" if "ratio" in row else ""
        floor = (
            ""
            if row["floor"] is None
            else f"(wanted {'>=' if case.is_rate else '<='} {row['floor']:g}: {'yes' if row['is_met'] else 'NO'})"
        )
        errors = f"  {row['n_errors']} ERRORS" if row["n_errors"] else ""
        out.append(f"    {row['contender']:22} {row['median']:>12,.4g}  {spread:24} {ratio:18} {floor}{errors}".rstrip())
        out += [f"        {note}" for note in row["notes"][:3]]
    return out


def chosen(only: str) -> list[Case]:
    cases = all_cases()
    names = set(only.split(",")) if only else {case.name for case in cases}
    unknown = names - {case.name for case in cases}
    if unknown:
        sys.exit(f"no case {', '.join(sorted(unknown))}; there are {', '.join(case.name for case in cases)}")
    return [case for case in cases if case.name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short rounds: to see that it works, not to quote")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each case (default 3)")
    parser.add_argument("--only", default="", help="names of cases, with commas: " + ",".join(case.name for case in all_cases()))
    options = parser.parse_args()
    require_tools()

    rows: list[dict[str, Any]] = []
    for case in chosen(options.only):
        found = run_case(case, QUICK if options.quick else Limits(), options.rounds, say=lambda text: print(text, flush=True))
        mine = summary(case, found)
        rows += mine
        print("\n".join(lines(case, mine)), flush=True)
    write(rows, Path(RESULT))
    print(f"\nwritten to {RESULT.relative_to(peers.ROOT)}")
    return 0 if rows and not any(row["n_errors"] for row in rows) else 1


def write(rows: list[dict[str, Any]], path: Path) -> None:
    machine = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}
    versions = {name: peers.versions(name) for name in ("openjina", *peers.PEERS) if name == "openjina" or (peers.HOME / name).exists()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, "versions": versions, "rows": rows}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
