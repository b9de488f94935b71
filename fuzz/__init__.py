"""Fuzz targets: whatever bytes come, each parser does what its documentation says. See docs/design/fuzzing.md.

`targets/` holds a file a parser, `checks.py` runs one input with the bounds on time and memory, `engine.py` drives a target with
atheris, `__main__.py` drives all of them and counts. Nothing but `engine.py` needs atheris, so every input replays as an ordinary test.
"""
