"""Drives one target with atheris, in this process: `python -m fuzz.engine NAME [libFuzzer's options]`."""

from __future__ import annotations

import hashlib
import sys
import warnings

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

with atheris.instrument_imports(include=["jina"]):
    from fuzz.checks import BUILD, corpus, load, run

    TARGET = load(sys.argv[1])


def _prepared() -> list[str]:
    """Write the corpus and the dictionary where libFuzzer reads them; give its arguments."""
    folder = BUILD / "corpus" / TARGET.name
    folder.mkdir(parents=True, exist_ok=True)
    for data in corpus(TARGET):
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
    arguments = [f"-max_len={TARGET.max_bytes}", f"-artifact_prefix={BUILD}/{TARGET.name}-", "-timeout=120", "-rss_limit_mb=3000"]
    if TARGET.words:
        words = BUILD / f"{TARGET.name}.dict"
        words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in TARGET.words))
        arguments.append(f"-dict={words}")
    return [*arguments, "-print_final_stats=1", str(folder)]


def _one_input(data: bytes) -> None:
    run(TARGET, data)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *sys.argv[2:], *_prepared()], _one_input)
    atheris.Fuzz()
