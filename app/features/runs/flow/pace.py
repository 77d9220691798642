"""How many sequences to have under way: pure rules, by what the servers say of themselves or by how they answer.

Every lane adapts by itself. All lanes of all runs see the same servers and take the same turns: each grows by the same
small step while there is room, and gives up the same share when there is none. Such shares become equal (Chiu and Jain,
1989, on additive increase and multiplicative decrease), so that lanes need not speak with one another, as long as none
always looks right behind the same other one (see crew.py). Only where a server's slots stand empty is there nothing to
share, and each takes what it can.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from app.domain.ports import Load

# Shares of the KV cache: below the first a server takes more, above the second it will soon have to preempt; between
# them it takes more only while nobody waits (else up to half of an H100's slots stood empty beside a few long samples).
ROOMY, TIGHT = 0.6, 0.8
# Sequences that wait in the server, as a share of those that run: some must, or a slot that becomes free finds nobody;
# more serve nothing. There is no band of rest around it: going up and down is what makes the lanes' shares equal.
QUEUE = 0.5
# A server whose tokens come this much slower than at its best has more to do than it can.
SLOW = 2.5


class Change(Enum):
    """What to do with the limit; CUT for trouble, DRAIN for too much of a good thing."""

    DOUBLE = "double"
    GROW = "grow"
    HOLD = "hold"
    DRAIN = "drain"
    CUT = "cut"


_SHARES = {Change.DRAIN: 0.9, Change.CUT: 0.7}


def by_load(load: Load, before: Load) -> Change:
    """What servers with metrics ask for. `before` is what they told at the last look."""
    if load.preempted > before.preempted:
        return Change.CUT
    if load.cache > TIGHT or load.waiting > QUEUE * load.running:
        return Change.DRAIN
    if not load.waiting and load.cache < TIGHT / 2:
        # Slots stand empty. It may be that the lane holds places for the last samples of many requests, or that
        # another lane left; step by step it would take minutes to fill them. One that compiles its kernels tells the
        # same for seconds, and lets nobody in meanwhile: to double on would send it eight times what it can run (seen
        # with vLLM 0.23 on an H100).
        return Change.HOLD if load == before else Change.DOUBLE
    return Change.GROW if load.cache < ROOMY or not load.waiting else Change.HOLD


@dataclass(slots=True)
class Answers:
    """What servers without metrics tell by their answers."""

    fresh: int = 0  # good answers since the limit last grew
    overloaded: int = 0  # refusals since the last look
    _doubling: bool = True  # until the first sign of too much
    _good: int = 0
    _seconds_per_token: float = 0.0
    _best: float = 0.0

    def answered(self, seconds: float, tokens: float) -> None:
        """`tokens` of one sequence, on average over the request's."""
        self.fresh += 1
        self._good += 1
        # Smoothed over about the last 16 answers: lengths vary, and one slow answer says nothing.
        self._seconds_per_token += (seconds / max(tokens, 1.0) - self._seconds_per_token) / min(self._good, 16)
        if self._good >= 16:
            self._best = min(self._best or self._seconds_per_token, self._seconds_per_token)

    def look(self, requests: int) -> Change:
        """What they ask for, when `requests` are under way at most: only their answers show how a growth is borne."""
        change = self._asked_for(requests)
        self._doubling = self._doubling and change in (Change.GROW, Change.HOLD)
        return Change.DOUBLE if self._doubling and change is Change.GROW else change

    def _asked_for(self, requests: int) -> Change:
        overloaded, self.overloaded = self.overloaded, 0
        if overloaded:
            return Change.CUT
        if self._best and self._seconds_per_token > SLOW * self._best:
            return Change.DRAIN
        if self.fresh < requests:
            return Change.HOLD
        self.fresh = 0
        return Change.GROW


@dataclass(slots=True)
class Pace:
    """The limit of one role in one lane."""

    limit: int
    step: int  # the sequences of one usual request
    ceiling: int
    settling: bool = True  # before the first sign of too much, and while it doubles: it is far from what it will be

    def turn(self, change: Change, used: int, *, full: bool) -> None:
        """Grows only while the limit holds requests back, and shrinks only once an earlier shrinking took effect."""
        doubles = change is Change.DOUBLE and full and self.limit < self.ceiling
        settling = doubles or (self.settling and change in (Change.DOUBLE, Change.GROW, Change.HOLD))
        if change in (Change.DOUBLE, Change.GROW):
            if full:
                self.limit = min(self.ceiling, self.limit + (self.limit if doubles else self.step))
        elif change is not Change.HOLD and used <= self.limit:
            self.limit = max(min(self.step, self.ceiling), int(self.limit * _SHARES[change]))
        self.settling = settling and self.limit < self.ceiling
