"""What a run has spent, and which of its caps that reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.config import Price
from app.db import Session
from app.features.runs.prices import Prices
from app.features.runs.schemas import Caps
from app.features.runs.statements import SPENT
from app.models import Chain, Run

CAPS = ("tokens", "attempts", "hours", "money")


@dataclass(frozen=True, slots=True)
class Spending:
    """Tokens and attempts are those of the replies that the ledger holds; `money` is None without prices."""

    teacher_prompt_tokens: int  # these five in the order of statements.SPENT
    teacher_completion_tokens: int
    student_prompt_tokens: int
    student_completion_tokens: int
    attempts: int
    hours: float
    money: float | None
    currency: str

    @property
    def tokens(self) -> int:
        return (
            self.teacher_prompt_tokens
            + self.teacher_completion_tokens
            + self.student_prompt_tokens
            + self.student_completion_tokens
        )

    def of(self, cap: str) -> float:
        """The amount that a cap bounds."""
        return float(getattr(self, cap) or 0.0)


def spending(session: Session, run: Run) -> Spending:
    """Of the run's own chains in both arms; what people asked for beside them is within no cap."""
    # The hours are by the database's clock at both ends.
    lasted = func.extract("epoch", func.coalesce(Run.finished_at, func.now()) - Run.created_at)
    hours = select(lasted / 3600).where(Run.id == run.id).scalar_subquery()
    amounts = (func.coalesce(func.sum(getattr(Chain, name)), 0) for name in SPENT)
    *counts, since = session.execute(select(*amounts, hours).where(Chain.run_id == run.id)).one()
    told, written, read, answered, attempts = map(int, counts)
    prices = prices_of_run(run)
    money = _money(prices, (told, written, read, answered), float(since))
    return Spending(told, written, read, answered, attempts, float(since), money, prices.currency)


def money_for_tokens(prices: Prices, counts: Sequence[int]) -> float:
    """`counts` are the first four of statements.SPENT; a model without a price counts as free."""
    teacher, student = prices.teacher or Price(), prices.student or Price()
    per_million = (teacher.prompt, teacher.completion, student.prompt, student.completion)
    return sum(price * count for price, count in zip(per_million, counts, strict=True)) / 1e6


def _money(prices: Prices, counts: Sequence[int], hours: float) -> float | None:
    if prices.teacher is None or prices.student is None:
        return None
    return money_for_tokens(prices, counts) + hours * (prices.teacher.hour + prices.student.hour)


def prices_of_run(run: Run) -> Prices:
    """Those of when it started."""
    return Prices.model_validate(run.prices)


def uncounted(caps: Caps, spent: Spending, calls: int, prices: Prices) -> str:
    """A warning where a cap should count tokens that no server tells; `calls` are those of the teacher."""
    replies = {
        "teacher": (calls, spent.teacher_completion_tokens),
        "student": (spent.attempts, spent.student_completion_tokens),
    }
    silent = [role for role, (count, tokens) in replies.items() if count and not tokens]
    priced = {"teacher": prices.teacher or Price(), "student": prices.student or Price()}
    blind = {"tokens": silent, "money": [role for role in silent if priced[role].completion]}
    met = [cap for cap, roles in blind.items() if roles and getattr(caps, cap) is not None]
    if not met:
        return ""
    which = f"the {'cap' if len(met) == 1 else 'caps'} on {' and '.join(met)}"
    return (
        f"No completion tokens are told of the {' and the '.join(blind[met[0]])}: nothing of them counts for {which}. "
        "A cap on attempts or hours holds in any case."
    )


def reached(caps: Caps, spent: Spending) -> str | None:
    """The first cap that is used up."""
    return next((name for name in CAPS if (cap := getattr(caps, name)) is not None and spent.of(name) >= cap), None)
