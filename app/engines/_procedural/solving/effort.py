"""Attempts are not alike: each tries harder or less hard than the next."""

from __future__ import annotations

import math
from random import Random

_MOST = 6.0


def effort(rng: Random, spread: float) -> float:
    """Log-normal around 1, bounded above."""
    return min(_MOST, math.exp(rng.gauss(0, spread)))
