"""`cairn serve-models`: all servers of a plan, until Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import aiohttp
import psutil
import yaml

from app.errors import InvalidForm, Unavailable
from app.local import folder, leftovers
from app.local.ports import check_free
from app.local.signals import ended_by_signal
from app.serving import command, gpus
from app.serving.keeper import Keeper, Served
from app.serving.plan import Plan
from app.serving.probe import Endpoint
from app.serving.switch import Switch
from app.serving.turns import turns

Say = Callable[[str], None]


async def serve(plan: Plan, data_dir: Path, *, say: Say = print) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP; a second signal kills what has not ended by then.

    Raises InvalidForm or Unavailable for a plan that this machine can't carry out, Conflict when another command serves
    models on the same folder.
    """
    vllm, key = command.program(plan), command.key(plan)
    gpus.check(plan, await asyncio.to_thread(gpus.found), psutil.virtual_memory().total / (1 << 30))
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("serve() runs as a task")
    path = folder.prepare(data_dir)
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.owned(path))
        await asyncio.to_thread(leftovers.end_all, path)
        _check_ports(plan)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        switches = _switches(plan, lambda name, news: _tell(say, name, news))
        keepers = [
            Keeper(
                _served(plan, name, vllm, Endpoint(http, _url(plan, name), plan.served_name(name), key)),
                path,
                lambda name, news: _tell(say, name, news),
                switches.get(name),
            )
            for name in plan.models
        ]

        def kill() -> None:
            for keeper in keepers:
                keeper.kill()

        with ended_by_signal(task, kill, say):
            if switches:
                await stack.enter_async_context(turns(switches, plan.host, plan.turns_port))
            await _run(plan, keepers, list(dict.fromkeys(switches.values())), say)


async def _run(plan: Plan, keepers: Sequence[Keeper], switches: Sequence[Switch], say: Say) -> None:
    async with asyncio.TaskGroup() as group:
        for work in (*(switch.run() for switch in switches), *(keeper.run() for keeper in keepers)):
            group.create_task(work)
        for keeper in keepers:
            await keeper.ready.wait()
        say("All models are ready. In a run's settings, for the role that each is to play:\n" + _settings(plan))


def _switches(plan: Plan, report: Callable[[str, str], None]) -> dict[str, Switch]:
    found: dict[str, Switch] = {}
    for group in plan.groups:
        found |= dict.fromkeys(group, Switch(report))
    return found


def _served(plan: Plan, name: str, vllm: str, endpoint: Endpoint) -> Served:
    return Served(
        name,
        command.command(plan, name, vllm),
        command.environment(plan, name),
        endpoint,
        plan.host,
        plan.port_of(name),
        plan.ready_within_s,
        command.SHUTDOWN_S,
    )


def _check_ports(plan: Plan) -> None:
    """Runs name these addresses, so that another port won't do."""
    wanted = {f"models.{name}.port": plan.port_of(name) for name in plan.models}
    if plan.groups:
        wanted["turns_port"] = plan.turns_port
    errors: dict[str, str] = {}
    for field, port in wanted.items():
        try:
            check_free(port, plan.host)
        except Unavailable as error:
            errors[field] = error.message
    if errors:
        raise InvalidForm(errors)


def _url(plan: Plan, name: str) -> str:
    return command.address(plan, plan.port_of(name))


def _tell(say: Say, name: str, news: str) -> None:
    say(f"{datetime.now().astimezone():%H:%M:%S}  {name}  {news}")


def _settings(plan: Plan) -> str:
    """What a run has to say of each model, as YAML."""
    shared = command.shared(plan)
    found: dict[str, object] = {}
    for name, model in plan.models.items():
        options = {"base_urls": f"{_url(plan, name)}/v1", "model": plan.served_name(name)}
        if name in shared:
            options["turns_url"] = f"{command.address(plan, plan.turns_port)}/turns/{name}"
        profile = {"profile": model.profile} if model.profile else {}
        found[name] = {"engine": "vllm", **profile, "options": options}
    return yaml.safe_dump(found, sort_keys=False).rstrip()
