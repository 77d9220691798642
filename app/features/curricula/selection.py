"""Which of a workspace's variants a selection takes, in what order, and why the others are left out. Pure.

Drawing and shuffling sort by a hash of the seed and the problem's content, so that the same problems come in the same
order on every machine, and one more problem moves no other.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from app.domain.difficulty import Bin, bin_of, is_complete
from app.domain.randomness import derive
from app.features.curricula.schemas import Selection

# Why a variant is left out, in the order in which it is asked.
REASONS = MappingProxyType(
    {
        "invalid": "No valid problem",
        "rejected": "Rejected in review",
        "unapproved": "Not approved yet",
        "no_pass_rate": "No pass rate",
        "outside_bins": "Pass rate outside every bin of the set",
        "duplicate": "Same code as another one chosen",
        "similar": "Nearly the code of another tree",
        "benchmark": "Shares something with a benchmark set",
        "incomplete_chain": "Its chain lacks an easy, a medium or a hard variant",
        "other_bin": "In a bin that is not chosen",
        "over_maximum": "Beyond the maximum of its environment and bin",
    }
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A valid variant in the scope of a selection, with its pass rate under the student that counts."""

    variant_id: int
    run_id: int
    chain_id: int
    chain_position: int
    arm: str
    environment: str
    turn: int
    branch: int
    content_hash: str
    fingerprint: str
    review: str
    rate: float | None
    passed: int = 0
    failed: int = 0
    errors: int = 0
    similar: bool = False
    contaminated: bool = False

    @property
    def place(self) -> tuple[int, int, str, int, int]:
        """Sorts as the problems grew."""
        return self.run_id, self.chain_position, self.arm, self.turn, self.branch


@dataclass(frozen=True, slots=True)
class Chosen:
    """A variant that is taken. `stage` counts the difficulties of an ordered selection, else it is 0."""

    candidate: Candidate
    bin: str
    rate: float
    stage: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a selection gives now. `unmeasured` are chosen by every filter, but have no pass rate."""

    chosen: tuple[Chosen, ...]
    excluded: dict[str, tuple[Candidate, ...]]
    unmeasured: tuple[Candidate, ...]
    bins: tuple[str, ...]
    digest: str

    def counts(self) -> dict[str, dict[str, int]]:
        """Environment -> bin -> number of problems; every bin of the set, environments in alphabetical order."""
        found = Counter((item.candidate.environment, item.bin) for item in self.chosen)
        names = sorted({environment for environment, _ in found})
        return {name: {b: found[name, b] for b in self.bins} for name in names}

    def rates(self) -> list[tuple[float, int]]:
        """Each pass rate with the number of problems that have it."""
        return sorted(Counter(item.rate for item in self.chosen).items())


@dataclass
class _Sorter:
    """Collects what is left out, by reason."""

    excluded: dict[str, list[Candidate]] = field(default_factory=lambda: defaultdict(list))

    def keep(self, candidates: Iterable[Candidate], reason: str, taken: Callable[[Candidate], bool]) -> list[Candidate]:
        kept: list[Candidate] = []
        for candidate in candidates:
            (kept if taken(candidate) else self.excluded[reason]).append(candidate)
        return kept


def evaluate(candidates: Iterable[Candidate], selection: Selection) -> Evaluation:
    """Applies `selection` to the candidates of its scope (runs, environments and arm are already applied)."""
    bins, sorter = selection.bins_of_set, _Sorter()
    left = sorted(candidates, key=lambda c: c.place)
    left = sorter.keep(left, "rejected", lambda c: c.review != "rejected")
    if selection.approved_only:
        left = sorter.keep(left, "unapproved", lambda c: c.review == "approved")
    unmeasured = [c for c in left if c.rate is None]
    left = [c for c in left if c.rate is not None]
    if selection.leave_out_unmeasured:
        sorter.excluded["no_pass_rate"] += unmeasured
        unmeasured = []
    left = sorter.keep(left, "outside_bins", lambda c: _bin(c, bins) is not None)
    left = sorter.keep(left, "duplicate", _first_of_its_code())
    left = sorter.keep(left, "similar", lambda c: not c.similar)
    left = sorter.keep(left, "benchmark", lambda c: not c.contaminated)
    if selection.complete_chains:
        whole = _complete_chains(left, bins)
        left = sorter.keep(left, "incomplete_chain", lambda c: c.chain_id in whole)
    if selection.bins:
        left = sorter.keep(left, "other_bin", lambda c: _bin(c, bins) in selection.bins)
    if selection.maximum is not None:
        drawn = _draw(left, selection, bins)
        left = sorter.keep(left, "over_maximum", lambda c: c.variant_id in drawn)
    chosen = _ordered(left, selection)
    return Evaluation(
        chosen=chosen,
        excluded={reason: tuple(sorter.excluded[reason]) for reason in REASONS if sorter.excluded[reason]},
        unmeasured=tuple(unmeasured),
        bins=tuple(b.name for b in bins),
        digest=_digest(chosen, unmeasured),
    )


def _bin(candidate: Candidate, bins: Sequence[Bin]) -> str | None:
    return None if candidate.rate is None else bin_of(candidate.rate, bins)


def _first_of_its_code() -> Callable[[Candidate], bool]:
    seen: set[str] = set()

    def is_first(candidate: Candidate) -> bool:
        names = {candidate.fingerprint, candidate.content_hash}
        first = seen.isdisjoint(names)
        seen.update(names)
        return first

    return is_first


def _complete_chains(candidates: Iterable[Candidate], bins: Sequence[Bin]) -> set[int]:
    rates: dict[int, list[float]] = defaultdict(list)
    for candidate in candidates:
        if candidate.rate is not None:
            rates[candidate.chain_id].append(candidate.rate)
    return {chain_id for chain_id, of_chain in rates.items() if is_complete(of_chain, bins)}


def _draw(candidates: Iterable[Candidate], selection: Selection, bins: Sequence[Bin]) -> set[int]:
    """At most `maximum` per environment and bin; whole chains stay together where chains are what is chosen."""
    groups: dict[tuple[str, str | None], list[Candidate]] = defaultdict(list)
    chains: dict[int, str] = {}  # a chain is named by the least hash of its problems, since ids differ per machine
    for candidate in candidates:
        groups[candidate.environment, _bin(candidate, bins)].append(candidate)
        chains[candidate.chain_id] = min(candidate.content_hash, chains.get(candidate.chain_id, candidate.content_hash))

    def lot(candidate: Candidate) -> tuple[int, int]:
        of_chain = derive(selection.seed, "chain", chains[candidate.chain_id]) if selection.complete_chains else 0
        return of_chain, derive(selection.seed, "draw", candidate.content_hash)

    return {c.variant_id for group in groups.values() for c in sorted(group, key=lot)[: selection.maximum]}


def _ordered(candidates: Iterable[Candidate], selection: Selection) -> tuple[Chosen, ...]:
    binned = [(c, b, c.rate) for c in candidates if c.rate is not None and (b := _bin(c, selection.bins_of_set))]
    hardest = selection.order == "hardest_first"
    if selection.order in ("easiest_first", "hardest_first"):
        binned.sort(key=lambda item: (item[2] if hardest else -item[2], item[0].content_hash, item[0].variant_id))
    elif selection.order == "shuffled":
        binned.sort(key=lambda item: (derive(selection.seed, "order", item[0].content_hash), item[0].variant_id))
    # Only an order by difficulty has stages: stretches of one bin each, for trainers that shuffle within a file.
    names = list(dict.fromkeys(b for _, b, _ in binned)) if selection.order.endswith("_first") else []
    return tuple(Chosen(c, b, rate, names.index(b) if names else 0) for c, b, rate in binned)


def _digest(chosen: Iterable[Chosen], unmeasured: Iterable[Candidate]) -> str:
    """What somebody saw, to be compared with what is there when they press the button."""
    seen = [f"{c.candidate.variant_id} {c.candidate.content_hash} {c.rate!r}" for c in chosen]
    waiting = [f"{c.variant_id} unmeasured" for c in unmeasured]
    return hashlib.sha256("\n".join(seen + waiting).encode()).hexdigest()[:16]
