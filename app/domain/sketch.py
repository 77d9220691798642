"""A program's MinHash signature: 512 bytes by which the similarity of two programs is estimated.

Signatures stand in the database, so that all must come from one algorithm: the library is pinned exactly, and SCHEME
names what was used. Bands are parts of a signature; two programs that share one may be similar. With the default width
two as similar as 0.85 share one in 99.4 of 100 cases (1 - (1 - 0.85^8)^16), two at 0.4 in one of 100.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq

from rensa import RMinHash  # type: ignore[import-untyped]

from app.domain.shingles import constructs, shingles

SCHEME = 1
VALUES = 128
NEAR = 0.85  # from which a program repeats another; at 0.90 nearly all copies with other constants pass
WIDTH = 8  # values in a band
_SEED = 2603


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a program for comparisons. `size` counts its shingles."""

    signature: bytes
    size: int
    constructs: tuple[str, ...]


def sketch(program: str) -> Sketch:
    """Raises SyntaxError."""
    parts = shingles(program)
    minima = RMinHash(num_perm=VALUES, seed=_SEED)
    minima.update(sorted(parts))
    return Sketch(array("I", minima.digest()).tobytes(), len(parts), constructs(program))


def bands(signature: bytes, scope: str = "", width: int = WIDTH) -> tuple[int, ...]:
    """Signed 64-bit numbers, of which only those of one `scope` and width ever agree."""
    step = width * 4
    parts = (signature[at : at + step] for at in range(0, VALUES * 4, step))
    return tuple(number(f"{SCHEME}/{width}/{scope}/{at}/".encode() + part) for at, part in enumerate(parts))


def number(content: bytes) -> int:
    """A signed 64-bit number that stands for `content`."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


def values(signature: bytes) -> Sequence[int]:
    """A signature unpacked."""
    return array("I", signature)


def similarity(one: bytes, other: bytes) -> float:
    """The estimated share of shingles that two programs have in common, 0 to 1; its standard error is 0.03 at 0.85."""
    agreeing: int = sum(map(eq, values(one), values(other)))
    return agreeing / VALUES


def repeats(one: bytes, other: bytes, *, same_tree: bool) -> float | None:
    """How similar two are where one of them is one too many, else None. Stones of one tree are similar by design."""
    alike = similarity(one, other)
    return alike if alike >= (1.0 if same_tree else NEAR) else None
