"""What a lane says of its servers, and what is made of the words of several lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.ports import Load, ServerState
from app.features.servers import service
from app.features.servers.reporting import Reporter
from app.features.servers.schemas import Condition, LaneReport, RoleName, RoleReport, Saturation, ServerReport, Told

GPU = "http://gpu-1:8000/v1"


@dataclass
class _Role:
    """A role whose servers are as they are said to be."""

    limit: int = 256
    used: int = 64
    states: list[ServerState] = field(default_factory=list)

    def servers(self) -> Sequence[ServerState]:
        return self.states


def _state(generated: int = 0, queries: int = 0, hits: int = 0, *, away: bool = False) -> ServerState:
    return ServerState(GPU, "m", away, 64, Load(32, 4, 0.5, 3, generated, queries, hits))


def _reports(*states: ServerState, every_s: float = 5.0) -> list[ServerReport]:
    """What is said after each of these looks."""
    role = _Role()
    reporter = Reporter(1, 7, "me", {"student": role})
    found = []
    for number, state in enumerate(states):
        role.states = [state]
        (told,) = reporter.report(1_000 + number * every_s).roles
        assert (told.role, told.limit, told.under_way) == ("student", 256, 64)
        found.append(told.servers[0])
    return found


def _said(report: ServerReport) -> tuple[float | None, float | None]:
    assert report.saturation
    return report.saturation.tokens_per_s, report.saturation.prefix_hits


def test_rates_are_over_the_last_looks_and_begin_anew_with_the_server() -> None:
    first, second, third, restarted, after = _reports(
        _state(50_000, 1_000, 900), _state(51_000, 1_100, 920), _state(54_000, 1_200, 960), _state(10), _state(510)
    )
    assert _said(first) == (None, None)
    assert _said(second) == (200.0, 0.2)
    assert _said(third) == (400.0, 0.3)
    assert _said(restarted) == (None, None)
    assert _said(after) == (100.0, None), "nobody looked into the cache"


def test_of_a_server_that_is_away_nothing_old_is_told() -> None:
    there, gone = _reports(_state(5), _state(5, away=True))
    assert there.saturation
    assert (gone.away, gone.saturation) == (True, None)


def _told(age_s: float, *, run_id: int = 7, role: RoleName = "teacher", away: bool = False, running: int = 1) -> Told:
    said = Saturation(running=running, waiting=0, cache=0.5, preempted=0, tokens_per_s=None, prefix_hits=None)
    server = ServerReport(address=GPU, model="m", away=away, under_way=10, saturation=None if away else said)
    return Told(
        1, run_id, age_s, LaneReport(roles=(RoleReport(role=role, limit=256, under_way=10, servers=(server,)),))
    )


def _condition(*told: Told) -> Condition:
    (view,) = service.merged(told, {})
    return view.condition


def test_lanes_of_all_runs_are_put_together_and_the_newest_is_believed() -> None:
    told = [_told(9, running=5), _told(2, running=6), _told(4, run_id=8, role="student", away=True)]
    (view,) = service.merged(told, {7: "Seven", 8: "Eight"})
    assert view.saturation
    assert (view.condition, view.saturation.running) == ("up", 6)
    assert [(u.run_name, u.role, u.lanes, u.away, u.under_way, u.limit) for u in view.uses] == [
        ("Seven", "teacher", 2, 0, 20, 512),
        ("Eight", "student", 1, 1, 10, 256),
    ]


def test_conditions() -> None:
    assert _condition(_told(1)) == "up"
    assert _condition(_told(9), _told(1, away=True)) == "away"
    assert _condition(_told(40), _told(16, away=True)) == "stale"
