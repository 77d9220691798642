"""How a variant is laid out, wherever it is shown: its parts as text, what it is compared with, its chain as a map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.domain.difficulty import BROAD
from app.domain.problem import Problem
from app.domain.values import Unsupported, render
from app.features.chains.schemas import SeedView, VariantRow, VariantView
from app.web.charts import DifficultyMap, Stone, difficulty_map

Mode = Literal["unified", "split"]
LONGEST_CELL = 600


@dataclass(frozen=True, slots=True)
class Parts:
    """A problem as text: what is asked, the code, and each input with its gold output (None: judged by a property)."""

    statement: str = ""
    program: str = ""
    cases: Sequence[tuple[str, str | None]] = ()

    @classmethod
    def of(cls, problem: Problem | None) -> Parts:
        if problem is None:
            return cls()
        gold = [_spelled(value) for value in problem.outputs]
        missing = len(problem.inputs) - len(gold)
        inputs = [", ".join(map(_spelled, arguments)) for arguments in problem.inputs]
        return cls(
            problem.message.strip(), problem.program, list(zip(inputs, [*gold, *[None] * missing], strict=False))
        )

    @property
    def cases_text(self) -> str:
        """One line per case, for comparing."""
        return "\n".join(f"f({given})" + (f" -> {gold}" if gold is not None else "") for given, gold in self.cases)


def _spelled(value: object) -> str:
    try:
        return render(value)
    except Unsupported as error:
        return f"<{error}>"


@dataclass(frozen=True, slots=True)
class Base:
    """Something to compare a variant with. `key` stands in the query string."""

    key: str
    name: str
    parts: Parts = field(default_factory=Parts)


def choices_of(view: VariantView) -> list[tuple[str, str]]:
    """(key, name) of everything that the variant can be compared with: its parent first, then what is near."""
    nearest = _nearest(view)
    near = [("parent", nearest[1])] if nearest else []
    near += [(str(v.id), f"{name} {v.place}") for v, name in _relatives(view) if not v.invalid_code]
    return [*near, ("seed", "seed"), ("none", "nothing")]


def _relatives(view: VariantView) -> list[tuple[VariantRow, str]]:
    nearest = _nearest(view)
    older = [v for v in reversed(view.ancestors) if nearest is None or v.id != nearest[0].id]
    return [
        *((v, "sibling") for v in view.siblings),
        *((v, "ancestor") for v in older),
        *((v, "child") for v in view.children),
    ]


def _nearest(view: VariantView) -> tuple[VariantRow, str] | None:
    """The parent, or the nearest ancestor that is valid and so has code to compare with; and what it is called."""
    valid = next((v for v in reversed(view.ancestors) if not v.invalid_code), None)
    if valid is None:
        return None
    return valid, f"{'parent' if valid.id == view.row.parent_id else 'valid ancestor'} {valid.place}"


def base_of(view: VariantView, key: str, load: Callable[[int], Problem | None]) -> Base | None:
    """What `key` names, None for nothing; the seed stands in for a parent where none is valid."""
    if key == "parent" or not key:
        nearest = _nearest(view)
        if nearest is None:
            return seed_base(view.seed) if key else None
        return Base("parent", nearest[1], Parts.of(load(nearest[0].id)))
    if key == "seed":
        return seed_base(view.seed)
    other = next((v for v in view.family if key == str(v.id)), None)
    return Base(key, other.place, Parts.of(load(other.id))) if other else None


def seed_base(seed: SeedView) -> Base:
    return Base("seed", f"seed {seed.source}".strip(), Parts(program=seed.text))


def map_of(
    family: Iterable[VariantRow], chosen: int | None, href: Callable[[int], str], width: float = 640.0
) -> DifficultyMap:
    """The chain as stones over the bands that its badges name."""
    family = list(family)
    places = {v.id: v.place for v in family}
    stones = [
        Stone(
            key=v.place,
            turn=v.turn,
            href=href(v.id),
            parent=places.get(v.parent_id) if v.parent_id else None,
            tally=v.tally,
            invalid=v.invalid_code or "",
            title=v.headline,
            direction=v.direction,
            mark=v.review,
            asked=v.growth_id is not None,
        )
        for v in family
    ]
    return difficulty_map(stones, bins=BROAD, chosen=places.get(chosen) if chosen else None, width=width)
