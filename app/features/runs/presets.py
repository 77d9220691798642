"""Starting points of a new run: plain data that `schemas.parse` completes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PRESETS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        # A first look within a minute or two on two cores.
        "quick": {
            "turns": 4,
            "attempts": 16,
            "baseline": False,
        },
        # The settings of arXiv 2603.24202: six turns, 32 attempts, all pairs shown, the gold input asked for.
        "paper": {
            "turns": 6,
            "attempts": 32,
            "environment_options": {"induction": {"inputs": 5, "visible_inputs": 5}, "abduction": {"exact": True}},
            "baseline": True,
        },
    }
)
