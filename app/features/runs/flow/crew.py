"""How many chains a lane drives at once, so that neither of its models waits for the other."""

from __future__ import annotations

import asyncio
import random

from app.features.runs.flow.role import Role

# Simulated for 2,000 chains (bench/simulation.py, with so many live ones per request that both models take together):
# 97.6%, 98.9% and 99.2% of the ideal with 2, 3 and 4.
_PER_PLACE = 3
# While a limit is far from what it will be, looks are so many times as frequent.
_HASTE = 4
# Looks come irregularly, by so much of the time between them. Lanes that look in a fixed order see, at each look, what
# the same neighbour has just done: one finds room and grows, the next finds a queue and drains, for as long as they
# run. Simulated (tests/features/runs/flow/test_saturation.py) for four lanes at a server of 32 slots: 28, 10, 7 and 3
# places of it.
_IRREGULAR = 0.5
# A chain holds the texts of its turns: some megabytes with long thoughts.
_MOST = 4096


class Crew:
    """Both roles of a lane; None for an engine that bounds itself."""

    def __init__(self, teaching: Role | None, learning: Role | None, least: int) -> None:
        self._roles = [role for role in (teaching, learning) if role is not None]
        self._least = least

    @property
    def chains(self) -> int:
        """At least the configured number; with models behind servers, as many as keep their places taken."""
        return min(max(self._least, _PER_PLACE * sum(role.requests for role in self._roles)), max(self._least, _MOST))

    async def keep_adapting(self, every_s: float) -> None:
        """Until cancelled."""
        while self._roles:
            settling = any(role.settling for role in self._roles)
            pause_s = every_s / _HASTE if settling else every_s
            await asyncio.sleep(pause_s * random.uniform(1 - _IRREGULAR, 1 + _IRREGULAR))  # noqa: S311 - no secret
            for role in self._roles:
                await role.adapt()

    def close(self) -> None:
        """Lets no further request begin."""
        for role in self._roles:
            role.close()
