"""`jina export`: what a YAML describes, in other words."""

from __future__ import annotations

import argparse
import sys

from jina.errors import BaseJinaException, JinaError


def export(words: list[str]) -> int:
    """Draw a Flow."""
    parser = argparse.ArgumentParser(prog="jina export", description="Write down what a Flow's YAML describes.", allow_abbrev=False)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    chart = kinds.add_parser("flowchart", help="its graph, as SVG (OUTPUT.svg) or as Mermaid text", allow_abbrev=False)
    chart.add_argument("input", metavar="INPUT", help="the Flow's YAML")
    chart.add_argument("output", metavar="OUTPUT", help="the file to write")
    chart.add_argument("--vertical-layout", action="store_true", help="from top to bottom")
    given = parser.parse_args(words)
    try:
        from jina.flow import Flow

        Flow.load_config(given.input).plot(given.output, vertical_layout=given.vertical_layout)
    except (JinaError, BaseJinaException, OSError) as error:
        print(f"jina export: {error}", file=sys.stderr)
        return 1
    return 0
