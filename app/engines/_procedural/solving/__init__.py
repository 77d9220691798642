"""Bounded solvers, one per environment. Each sees what a student is shown, and success depends on how hard that is.

`budget` scales the effort: 1.0 is the standard, more makes a stronger student.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from app.engines._procedural.solving import abduction, deduction, fuzzing, induction

SOLVERS: Mapping[str, ModuleType] = MappingProxyType(
    {module.__name__.rpartition(".")[2]: module for module in (abduction, deduction, fuzzing, induction)}
)
