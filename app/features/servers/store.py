"""The last report of each lane, in Redis, where it runs out by itself: a lane that was killed is forgotten.

Nothing depends on it. Raises redis.RedisError where Redis is away, and ValueError for an address that is none.
"""

from __future__ import annotations

from pydantic import ValidationError

from app.events import client
from app.features.servers.schemas import LaneReport, Told

KEEP_S = 60
_LANES = "cairn:lanes"  # the keys of all reports; some have run out


def _key(workspace_id: int, run_id: int, owner: str) -> str:
    return f"cairn:lane:{workspace_id}:{run_id}:{owner}"


def put(workspace_id: int, run_id: int, owner: str, report: LaneReport) -> None:
    key = _key(workspace_id, run_id, owner)
    with client().pipeline(transaction=False) as pipe:
        pipe.set(key, report.model_dump_json(), ex=KEEP_S)
        pipe.sadd(_LANES, key)
        pipe.execute()


def drop(workspace_id: int, run_id: int, owner: str) -> None:
    key = _key(workspace_id, run_id, owner)
    with client().pipeline(transaction=False) as pipe:
        pipe.delete(key)
        pipe.srem(_LANES, key)
        pipe.execute()


def reports(workspace_id: int | None = None, run_id: int | None = None) -> list[Told]:
    """Those of a workspace or of one run, or all. How old they are Redis tells, so that no two clocks are compared."""
    keys = sorted(key.decode() if isinstance(key, bytes) else key for key in client().smembers(_LANES))
    places = {key: tuple(map(int, key.split(":", 4)[2:4])) for key in keys}
    chosen = [
        key for key, (workspace, run) in places.items() if workspace_id in (None, workspace) and run_id in (None, run)
    ]
    with client().pipeline(transaction=False) as pipe:
        for key in chosen:
            pipe.get(key)
            pipe.pttl(key)
        answers = pipe.execute()
    found, gone = [], []
    for key, text, left_ms in zip(chosen, answers[::2], answers[1::2], strict=True):
        if text is None:
            gone.append(key)
        elif (report := _read(text)) is not None:
            workspace, run = places[key]
            found.append(Told(workspace, run, max(0.0, KEEP_S - left_ms / 1000), report))
    if gone:
        client().srem(_LANES, *gone)  # a lane that lives adds itself again
    return found


def _read(text: bytes) -> LaneReport | None:
    """None for the report of a version of the code that says other things."""
    try:
        return LaneReport.model_validate_json(text)
    except ValidationError:
        return None
