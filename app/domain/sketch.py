"""A program's MinHash signature: 512 bytes by which the similarity of two programs is estimated.

Signatures stand in the database, so that all must come from one algorithm: the library is pinned exactly, and SCHEME
names what was used. Bands are parts of a signature; two programs that share one may be similar, and two as similar as
0.9 share one all but certainly (1 - (1 - 0.9^8)^16 > 0.9998; at 0.8, 0.95; at 0.4, 0.01).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq

from rensa import RMinHash

from app.domain.shingles import constructs, shingles

SCHEME = 1
VALUES = 128
BANDS = 16
LOWEST = 0.8  # similarity below which bands would miss too many pairs
_ROWS = VALUES // BANDS
_SEED = 2603


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a program for comparisons. `size` counts its shingles."""

    signature: bytes
    bands: tuple[int, ...]
    size: int
    constructs: tuple[str, ...]


def sketch(program: str, scope: str = "") -> Sketch:
    """Only bands of one `scope` meet. Raises SyntaxError."""
    parts = shingles(program)
    minima = RMinHash(num_perm=VALUES, seed=_SEED)
    minima.update(sorted(parts))
    signature = array("I", minima.digest()).tobytes()
    return Sketch(signature, bands(signature, scope), len(parts), constructs(program))


def bands(signature: bytes, scope: str = "") -> tuple[int, ...]:
    """Signed 64-bit numbers, ascending: whoever locks several of them does it in this order."""
    width = _ROWS * 4
    parts = (signature[at * width : (at + 1) * width] for at in range(BANDS))
    return tuple(sorted(_number(f"{SCHEME}/{scope}/{at}/".encode() + part) for at, part in enumerate(parts)))


def _number(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


def similarity(one: bytes, other: bytes) -> float:
    """The estimated share of shingles that two programs have in common, 0 to 1; its standard error is 0.03 at 0.9."""
    return sum(map(eq, array("I", one), array("I", other))) / VALUES


def agree(one: Sequence[int], other: Sequence[int]) -> float:
    """`similarity` of signatures that are unpacked already."""
    return sum(map(eq, one, other)) / VALUES
