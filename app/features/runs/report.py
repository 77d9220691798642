"""A run's summary as plain data: what `--json` prints and the API answers."""

from __future__ import annotations

from dataclasses import asdict

from app.features.runs.summary import RunSummary


def as_data(summary: RunSummary) -> dict[str, object]:
    """JSON-ready; `yield` is usable variants per teacher call."""
    data = asdict(summary)
    for name in ("main", "baseline"):
        if data[name] is not None:
            data[name]["yield"] = getattr(summary, name).yield_
            data[name]["usable_by_turn"] = {
                str(turn): {"usable": usable, "proposals": proposals}
                for turn, (usable, proposals) in data[name]["usable_by_turn"].items()
            }
    data["ended_because"] = summary.ended_because
    data["spent"]["tokens"] = summary.spent.tokens
    data["incidents"] = [group | {"last_at": group["last_at"].isoformat()} for group in data["incidents"]]
    return data
