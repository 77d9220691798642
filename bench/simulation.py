"""How long chains of requests take on servers with slots, by events: the ideal, the bound, and other schedules."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence

# A chain is its requests in order, to the teacher and to the student by turns; a request is its samples' seconds.
Chain = Sequence[Sequence[float]]


def pipelined(chains: Sequence[Chain], slots: tuple[int, int]) -> float:
    """All chains at once, each going on as soon as its request is answered, at no cost of our own."""
    free = list(slots)
    queues: tuple[deque[tuple[float, int]], ...] = (deque(), deque())
    left = [0] * len(chains)
    step = [-1] * len(chains)
    ends: list[tuple[float, int, int, int]] = []
    count, now = 0, 0.0

    def ask(chain: int) -> None:
        step[chain] += 1
        if step[chain] < len(chains[chain]):
            samples = chains[chain][step[chain]]
            left[chain] = len(samples)
            queues[step[chain] % 2].extend((seconds, chain) for seconds in samples)

    def start(role: int) -> None:
        nonlocal count
        while free[role] and queues[role]:
            seconds, chain = queues[role].popleft()
            free[role] -= 1
            count += 1
            heapq.heappush(ends, (now + seconds, count, role, chain))

    for chain in range(len(chains)):
        ask(chain)
    start(0)
    while ends:
        now, _, role, chain = heapq.heappop(ends)
        free[role] += 1
        left[chain] -= 1
        if not left[chain]:
            ask(chain)
            start(1 - role)
        start(role)
    return now


def bound(chains: Sequence[Chain], slots: tuple[int, int]) -> float:
    """No schedule is shorter: the work of each role at its rate, or the longest chain."""
    work = [sum(sum(map(sum, chain[role::2])) for chain in chains) / slots[role] for role in (0, 1)]
    return max(*work, max(sum(map(max, chain)) for chain in chains))


def lock_step(chains: Sequence[Chain], slots: tuple[int, int]) -> float:
    """All teachers of a turn, then all students of it, then the next turn."""
    steps = max(len(chain) for chain in chains)
    return sum(
        _at_once((chain[step] for chain in chains if step < len(chain)), slots[step % 2]) for step in range(steps)
    )


def in_batches(chains: Sequence[Chain], slots: tuple[int, int], size: int = 50) -> float:
    """Batch after batch of chains, each in lock-step: a barrier after every step, as distilabel gathers."""
    return sum(lock_step(chains[i : i + size], slots) for i in range(0, len(chains), size))


def _at_once(requests: Iterable[Sequence[float]], slots: int) -> float:
    """First come, first served."""
    ends = [0.0] * slots
    for seconds in (s for request in requests for s in request):
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)
