"""The form of a selection: what it offers, what was typed, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from app import registry
from app.db import Session
from app.domain.actor import Actor
from app.errors import InvalidForm, InvalidInput
from app.features.curricula import queries
from app.features.curricula.queries import Choice
from app.features.curricula.schemas import Selection, parse_selection

RUNS_SHOWN = 30
BIN_SETS = (("broad", "broad, for curricula"), ("narrow", "narrow, for chains"), ("kept", "every usable pass rate"))
BINS = ("easy", "easy-medium", "medium", "hard", "unbinned")
ARMS = (("main", "the run's strategy"), ("baseline", "the single-turn baseline"), ("both", "both"))
ORDERS = (
    ("easiest_first", "easiest first"),
    ("hardest_first", "hardest first"),
    ("position", "as they grew"),
    ("shuffled", "shuffled"),
)


class SelectionForm(BaseModel):
    """The form's fields as typed. A box that is not ticked is not sent."""

    name: str = ""
    runs: list[str] = []
    environments: list[str] = []
    arm: str = "main"
    student: str = ""
    approved_only: str = ""
    bin_set: str = "broad"
    bins: list[str] = []
    complete_chains: str = ""
    leave_out_unmeasured: str = ""
    maximum: str = ""
    order: str = "easiest_first"
    seed: str = "0"

    @classmethod
    def of(cls, selection: Selection, name: str = "") -> SelectionForm:
        data: dict[str, Any] = {"name": name}
        for key, value in selection.model_dump(mode="json").items():
            if isinstance(value, list):
                data[key] = [str(item) for item in value]
            elif isinstance(value, bool):
                data[key] = "true" if value else ""
            else:
                data[key] = "" if value is None else str(value)
        return cls(**data)

    def selection(self) -> Selection:
        """Raises InvalidForm."""
        data = self.model_dump(exclude={"name"})
        for key in ("student", "maximum"):
            data[key] = data[key].strip() or None
        for key in ("approved_only", "complete_chains", "leave_out_unmeasured"):
            data[key] = bool(data[key])
        return parse_selection(data)


@dataclass(frozen=True, slots=True)
class Options:
    """What the form offers: pairs of value and text."""

    runs: Sequence[tuple[str, str]]
    environments: Sequence[tuple[str, str]]
    students: Sequence[tuple[str, str]]
    bins: Sequence[tuple[str, str]] = tuple((name, name) for name in BINS)
    bin_sets: Sequence[tuple[str, str]] = BIN_SETS
    arms: Sequence[tuple[str, str]] = ARMS
    orders: Sequence[tuple[str, str]] = ORDERS


def options_of(work: Session, actor: Actor, values: SelectionForm) -> Options:
    found = queries.runs(work, actor.workspace_id)
    chosen = set(values.runs)
    shown = [run for i, run in enumerate(found) if i < RUNS_SHOWN or str(run.id) in chosen]
    students = queries.students(work, actor.workspace_id)
    return Options(
        runs=[(str(run.id), _run_title(run)) for run in shown],
        environments=[(name, environment.title) for name, environment in registry.environments().items()],
        students=[("", "each run's own"), *((str(s.id), f"{s.model} ({s.digest[:8]})") for s in students)],
    )


def _run_title(run: Choice) -> str:
    return f"{run.title} (run {run.id}, {run.variants:,} valid)"


def at_fields(error: InvalidInput) -> dict[str, str]:
    """A message per field of the form: that of a list's member stands at the list."""
    errors = error.errors if isinstance(error, InvalidForm) else {error.field or "name": error.message}
    return {key.partition(".")[0]: f"{text[:1].upper()}{text[1:]}" for key, text in errors.items()}
