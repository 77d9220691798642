"""The figures of the installation as Prometheus spells them: base units, counters in `_total`, few labels.

docs/deployment.md lists them; a test holds it to that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.db import unit_of_work
from app.errors import AppError
from app.features.monitoring import broker
from app.features.monitoring import service as monitoring
from app.features.monitoring.schemas import Installation, RunTotals
from app.features.runs.usage import StageSum
from app.features.servers import service as servers
from app.features.servers import store
from app.features.servers.schemas import ServerView

_Rows = Iterable[tuple[Any, ...]]  # the labels' values, then the value


class Installed(Collector):
    """Reads database and broker anew at every scrape; where one is away the other is told of."""

    def collect(self) -> Iterator[Metric]:
        try:
            with unit_of_work() as session:
                found = monitoring.installation(session)
        except AppError:
            yield _gauge("cairn_database_up", "Whether the database answers.", (), [(0,)])
        else:
            yield _gauge("cairn_database_up", "Whether the database answers.", (), [(1,)])
            yield from _runs(found)
            yield from _work(found.totals)
            yield _counter(
                "cairn_incidents", "Infrastructure errors as runs noted them.", ("stage", "kind"), found.incidents
            )
        yield from _broker()


def _runs(found: Installation) -> Iterator[Metric]:
    run = ("run",)
    yield _gauge("cairn_runs", "Runs by state.", ("state",), found.runs)
    yield _gauge("cairn_runs_in_trouble", "Runs that paused by themselves.", (), [(found.troubled,)])
    yield _gauge(
        "cairn_run_turns_done",
        "Turns done by the chains of a run that is not over; the newest 50 runs.",
        run,
        [(one.run_id, one.turns_done) for one in found.open_runs],
    )
    yield _gauge(
        "cairn_run_lanes",
        "Live lanes of a run that is running.",
        run,
        [(one.run_id, one.lanes) for one in found.open_runs if one.state == "running"],
    )
    yield _gauge("cairn_lanes", "Live lanes, by the level of their sandbox.", ("isolation",), found.lanes)
    yield _gauge("cairn_lane_slots_free", "Places of running runs that no lane holds.", (), [(found.free_slots,)])


def _work(totals: RunTotals) -> Iterator[Metric]:
    arm, stages = ("arm",), totals.stages
    at = ("arm", "stage")
    yield _gauge(
        "cairn_chains",
        "Chains by state.",
        ("arm", "state"),
        _summed((of_arm, state, count) for of_arm, state, _, count in totals.chains),
    )
    yield _counter(
        "cairn_chains_ended",
        "Chains that ended, by why.",
        ("arm", "reason"),
        _summed((of_arm, reason, count) for of_arm, state, reason, count in totals.chains if state != "open"),
    )
    yield _counter("cairn_stages", "Stages of variants that were committed.", at, [(*_at(s), s.count) for s in stages])
    yield _counter(
        "cairn_stage_errors",
        "Requests and checks that were repeated; of judging, attempts left without a verdict.",
        at,
        [(*_at(s), s.errors) for s in stages],
    )
    yield _counter(
        "cairn_stage_seconds",
        "Time of committed stages: wall, and in it model and sandbox; cpu of the sandbox's programs.",
        (*at, "of"),
        [
            (*_at(s), of, value)
            for s in stages
            for of, value in (("wall", s.wall_s), ("model", s.model_s), ("sandbox", s.sandbox_s), ("cpu", s.cpu_s))
            if value is not None
        ],
    )
    yield _counter(
        "cairn_tokens",
        "Tokens of teachers (proposing) and students (attempting).",
        (*at, "kind"),
        [
            (*_at(s), kind, value)
            for s in stages
            if s.stage in ("proposing", "attempting")
            for kind, value in (("prompt", s.prompt_tokens), ("completion", s.completion_tokens))
        ],
    )
    attempts = [(s.arm, s.samples) for s in stages if s.stage == "attempting"]
    yield _counter("cairn_attempts", "Attempts of students.", arm, attempts)
    yield _counter("cairn_verdicts", "Attempts that were judged.", ("arm", "verdict"), totals.verdicts)


def _at(stage: StageSum) -> tuple[str, str]:
    return stage.arm, stage.stage


def _broker() -> Iterator[Metric]:
    try:
        waiting, told = broker.messages(), store.reports()
    except (redis.RedisError, ValueError, AppError):
        yield _gauge("cairn_broker_up", "Whether Redis answers.", (), [(0,)])
        return
    yield _gauge("cairn_broker_up", "Whether Redis answers.", (), [(1,)])
    yield _gauge("cairn_queue_messages", "Messages that no worker has taken yet.", (), [(waiting,)])
    yield from _servers(servers.merged(told, {}))


def _servers(views: Sequence[ServerView]) -> Iterator[Metric]:
    """Of several paths on one host the first is told of, since a path may hold a secret."""
    found = {(_host(view.address), view.model): view for view in reversed(views) if view.condition != "stale"}
    here = ("server", "model")
    up = [(*key, int(view.condition == "up")) for key, view in found.items()]
    yield _gauge("cairn_model_server_up", "0 while the circuit is open.", here, up)
    said = [(key, view.saturation) for key, view in found.items() if view.saturation]
    for name, text, rows in (
        ("requests_running", "Requests running, by vLLM's word.", [(*key, s.running) for key, s in said]),
        ("requests_waiting", "Requests waiting, by vLLM's word.", [(*key, s.waiting) for key, s in said]),
        ("kv_cache_usage_ratio", "How full the KV cache is, 0 to 1.", [(*key, s.cache) for key, s in said]),
        (
            "prefix_cache_hit_ratio",
            "Share of prompt tokens found in the prefix cache, over the last seconds.",
            [(*key, s.prefix_hits) for key, s in said if s.prefix_hits is not None],
        ),
        (
            "tokens_per_second",
            "Tokens written, over the last seconds.",
            [(*key, s.tokens_per_s) for key, s in said if s.tokens_per_s is not None],
        ),
    ):
        yield _gauge(f"cairn_model_server_{name}", text, here, rows)
    preempted = [(*key, s.preempted) for key, s in said]
    yield _counter("cairn_model_server_preemptions", "Sequences preempted since the server started.", here, preempted)
    uses = [(*key, use) for key, view in found.items() for use in view.uses]
    by_role = (*here, "role")
    for name, text, value in (
        ("samples_under_way", "Samples that our lanes have under way.", "under_way"),
        ("samples_limit", "Most samples that our lanes may have under way, over all servers of the role.", "limit"),
    ):
        asked = _summed((host, model, use.role, getattr(use, value)) for host, model, use in uses)
        yield _gauge(f"cairn_model_server_{name}", text, by_role, asked)


def _host(address: str) -> str:
    return urlsplit(address).netloc


def _summed(rows: _Rows) -> list[tuple[Any, ...]]:
    """Rows with the same labels as one."""
    found: defaultdict[tuple[Any, ...], float] = defaultdict(float)
    for *labels, value in rows:
        found[tuple(labels)] += value
    return [(*labels, value) for labels, value in found.items()]


def _gauge(name: str, text: str, labels: Sequence[str], rows: _Rows) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=labels), rows)


def _counter(name: str, text: str, labels: Sequence[str], rows: _Rows) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=labels), rows)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, rows: _Rows) -> Metric:
    for *labels, value in rows:
        family.add_metric([str(label) for label in labels], float(value))
    return family
