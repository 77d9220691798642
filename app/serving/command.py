"""The command line and environment of one `vllm serve`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from app.errors import InvalidForm, Unavailable
from app.serving.plan import Plan, flag_words

# Requests under way get as long when the server is asked to end.
SHUTDOWN_S = 120
# How models are spread over GPUs; where the plan says nothing of it, all GPUs hold one copy together.
_SPREADING = frozenset({"tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size"})
# Of a shared GPU's memory: a server that sleeps keeps its CUDA context and graphs there, some GiB.
_SHARED = 0.85
# What a model server has no business to know.
_SECRETS = ("DATABASE_URL", "REDIS_URL")


def find(vllm: str) -> str | None:
    """The path of vLLM's program: on the PATH, in Cairn's own environment, or wherever the name itself leads."""
    beside = Path(sys.executable).parent / Path(vllm).expanduser()
    found = shutil.which(vllm) or (str(beside) if beside.is_file() else None)
    return found and os.path.abspath(found)


def program(plan: Plan) -> str:
    """Raises Unavailable where there is none."""
    found = find(plan.vllm)
    if found is None:
        raise Unavailable(
            f"There is no program {plan.vllm!r} here.",
            remedy="Install vLLM, best in an environment of its own, and name its program as `vllm:` in the file.",
        )
    return found


def command(plan: Plan, name: str, vllm: str) -> list[str]:
    model = plan.models[name]
    flags = model.all_flags
    if len(model.devices) > 1 and not _SPREADING & flags.keys():
        flags = {"tensor-parallel-size": len(model.devices), **flags}
    if name in shared(plan):
        flags = {"gpu-memory-utilization": _SHARED, **flags, "enable-sleep-mode": True}
    return [
        *(vllm, "serve", model.weights, "--served-model-name", plan.served_name(name)),
        *("--host", plan.host, "--port", str(plan.port_of(name)), "--shutdown-timeout", str(SHUTDOWN_S)),
        # Else sampling settings from the model's files would come on top of the run's.
        *flag_words({"generation-config": "vllm", **flags}),
    ]


def environment(plan: Plan, name: str) -> dict[str, str]:
    model = plan.models[name]
    kept = {
        variable: value
        for variable, value in os.environ.items()
        if variable not in _SECRETS and not variable.startswith("CAIRN_")
    }
    ours = {"VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "120"}  # longer than pauses between a chain's turns
    if model.devices:
        ours["CUDA_VISIBLE_DEVICES"] = ",".join(model.devices)
    if secret := key(plan):
        ours["VLLM_API_KEY"] = secret  # not as a flag: every user sees those
    if name in shared(plan):
        ours["VLLM_SERVER_DEV_MODE"] = "1"  # without it there is no /sleep
    return kept | ours | model.environment


def key(plan: Plan) -> str:
    """Raises InvalidForm where others could reach a server that asks for none."""
    secret = os.environ.get(plan.api_key_variable, "").strip()
    if not secret and not plan.is_local:
        raise InvalidForm(
            {"host": f"Others can reach {plan.host}: set {plan.api_key_variable} to a key that servers ask for."}
        )
    return secret


def shared(plan: Plan) -> frozenset[str]:
    """The models that share a GPU with another."""
    return frozenset(name for group in plan.groups for name in group)


def address(plan: Plan, port: int) -> str:
    """Where this machine finds what listens on a port of the plan's host."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(plan.host, plan.host)  # noqa: S104 (nothing is bound here)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
