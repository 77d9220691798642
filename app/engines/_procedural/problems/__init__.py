"""How a program becomes a problem, and what such a problem costs, in each environment.

A cost is the teacher's own estimate of difficulty, on a scale of the environment's own where harder is more. What pass
rate it comes to is learnt from the pass rates in the history (see aims.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from app.engines._procedural.problems import abduction, deduction, fuzzing, induction

BUILDERS: Mapping[str, ModuleType] = MappingProxyType(
    {module.__name__.rpartition(".")[2]: module for module in (abduction, deduction, fuzzing, induction)}
)
