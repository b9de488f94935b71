"""HPACK's Huffman code (RFC 7541, 5.2 and appendix B), decoded a byte at a time.

The code is canonical: its lengths alone give it. A state is what lies between two bytes, that is a prefix of a code; its row says for each
next byte which characters are then complete and which state follows. There are 256 states, and rows are filled where they are first used.
"""

from __future__ import annotations

from functools import cache
from typing import Final

_LENGTHS: Final = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c"
    "060a0a0c0d06080b0a0a080b080606060505050606060606060607080f060c0a"
    "0d06070707070707070707070707070707070707070707070807080d130d0e06"
    "0f05060506050606060507070606060506070605050607070707070f0b0e0d1c"
    "141614141616161716171717171718171818161718171717171516171617171816151416161717151716161815161717151516151716171714161616171616171a"
    "1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a1e"
)
_EOS: Final = 256


class HuffmanError(ValueError):
    """Not a Huffman-coded string."""


class _State(list["tuple[bytes, _State] | None"]):
    """A row of 256 steps, empty where not yet used; `prefix` is the bits read of a code that is not complete."""

    def __init__(self, prefix: str) -> None:
        super().__init__([None] * 256)
        self.prefix = prefix

    def step(self, byte: int) -> tuple[bytes, _State]:
        """Work out, and note, what a byte leads to from here."""
        codes, bits, done = _codes(), self.prefix, bytearray()
        for bit in f"{byte:08b}":
            bits += bit
            symbol = codes.get(bits)
            if symbol is None:
                continue
            if symbol == _EOS:
                raise HuffmanError("a Huffman-coded string holds the end-of-string symbol")
            done.append(symbol)
            bits = ""
        found = self[byte] = (bytes(done), _state(bits))
        return found


@cache
def _codes() -> dict[str, int]:
    """Give {bits: symbol}."""
    code, previous, codes = 0, 0, {}
    for symbol in sorted(range(257), key=lambda symbol: (_LENGTHS[symbol], symbol)):
        code <<= _LENGTHS[symbol] - previous
        previous = _LENGTHS[symbol]
        codes[f"{code:0{previous}b}"] = symbol
        code += 1
    return codes


@cache
def _state(prefix: str) -> _State:
    return _State(prefix)


def decode(data: bytes) -> bytes:
    """Decode a whole string.

    Raises:
        HuffmanError: It holds EOS, or its padding is not less than 8 one bits.
    """
    state, out = _state(""), []
    for byte in data:
        step = state[byte] or state.step(byte)
        out.append(step[0])
        state = step[1]
    if len(state.prefix) > 7 or "0" in state.prefix:
        raise HuffmanError("a Huffman-coded string ends in wrong padding")
    return b"".join(out)


def encode(data: bytes) -> bytes:
    """Encode a string, padded with ones. For tests and rare use: we send plain literals."""
    codes = {symbol: bits for bits, symbol in _codes().items()}
    bits = "".join(codes[byte] for byte in data)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""
