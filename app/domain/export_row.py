"""One row of an export: the wide schema that every trainer finds its own columns in.

Names are those of the trainers: `prompt`, `data_source`, `ability`, `reward_model`, `extra_info` of verl; `env_class`
and `reward_spec` of SkyRL; `label` and `datasource` of OpenRLHF. An id survives a rollout only inside `ground_truth` or
`label`, so both hold it. Every program value travels inside the one JSON string `problem`: readers of plain JSON turn a
30-digit integer into a float and an ISO date into a timestamp. No field is ever null, so that inferred types agree.
"""

from __future__ import annotations

import json
from typing import TypedDict, cast


class ChatMessage(TypedDict):
    role: str
    content: str


class RewardModel(TypedDict):
    style: str
    ground_truth: str


class RewardSpec(TypedDict):
    method: str
    ground_truth: str


class ExtraInfo(TypedDict):
    index: int
    id: str
    split: str
    env: str


class ExportRow(TypedDict):
    """Fields in the order of the files' columns; docs/formats.md says what each holds."""

    id: str
    content_hash: str
    env: str
    position: int
    stage: int
    difficulty: str
    prompt: list[ChatMessage]
    data_source: str
    ability: str
    reward_model: RewardModel
    env_class: str
    reward_spec: RewardSpec
    extra_info: ExtraInfo
    label: str
    datasource: str
    problem: str
    licence: str
    pass_rate: float
    passed: int
    n: int
    pass_rate_low: float
    pass_rate_high: float
    provenance: str


COLUMNS = tuple(ExportRow.__annotations__)


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces, pure ASCII: one spelling per value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode_row(row: ExportRow) -> str:
    """One line of JSON in the order of the columns. Raises ValueError where a column is missing or unknown."""
    if tuple(row) != COLUMNS:
        raise ValueError(f"an export row has the columns {', '.join(COLUMNS)}, in this order; got {', '.join(row)}")
    return json.dumps(row, separators=(",", ":"), allow_nan=False)


def decode_row(text: str) -> ExportRow:
    """The row that `encode_row` wrote. Raises ValueError for another text."""
    row = json.loads(text)
    if not isinstance(row, dict) or tuple(row) != COLUMNS:
        raise ValueError("not an export row")
    return cast("ExportRow", row)
