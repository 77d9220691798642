"""What a run's models cost, as it stood when the run started: a later change of prices rewrites no history."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from app.config import Price, settings
from app.errors import InvalidInput
from app.features.runs.schemas import ModelChoice, RunConfig


class Prices(BaseModel):
    """None where a model has no price. `currency` is a name for screens; nothing is converted."""

    model_config = ConfigDict(frozen=True)

    currency: str = ""
    teacher: Price | None = None
    student: Price | None = None

    @property
    def known(self) -> bool:
        return self.teacher is not None and self.student is not None


def prices_of(config: RunConfig) -> Prices:
    """Those of today. Raises InvalidInput where a cap on money would have nothing to reckon with."""
    known = settings().prices
    prices = Prices(
        currency=settings().currency, teacher=_price(known, config.teacher), student=_price(known, config.student)
    )
    if config.caps.money is not None and not prices.known:
        missing = {_name(getattr(config, role)) for role in ("teacher", "student") if getattr(prices, role) is None}
        raise InvalidInput(
            f"A cap on money needs prices, and there is none of {' and '.join(sorted(missing))}.",
            field="caps.money",
            remedy="Name them in CAIRN_PRICES, or cap tokens, attempts or hours.",
        )
    return prices


def _price(known: Mapping[str, Price], choice: ModelChoice) -> Price | None:
    return known.get(_name(choice)) or known.get(choice.engine)


def _name(choice: ModelChoice) -> str:
    return str(choice.options.get("model") or choice.engine)
