"""Which GPUs this machine has, as far as `nvidia-smi` tells."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from app.errors import InvalidForm
from app.serving.plan import Plan

_QUERY = ("nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class Gpu:
    index: str
    name: str
    memory_gib: float


def found() -> list[Gpu]:
    """Empty where there is no NVIDIA driver."""
    try:
        told = subprocess.run(_QUERY, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return read(told)


def read(told: str) -> list[Gpu]:
    """`nvidia-smi`'s answer; memory that it can't tell (MiB) counts as unknown, 0."""
    rows = [[cell.strip() for cell in line.split(",")] for line in told.splitlines()]
    return [Gpu(row[0], row[1], float(row[2]) / 1024 if row[2].isdecimal() else 0.0) for row in rows if len(row) == 3]


def check(plan: Plan, gpus: list[Gpu], machine_gib: float) -> None:
    """Raises InvalidForm where the plan wants a GPU that is not there, or more memory than GPUs or machine have.

    Says nothing of GPUs that are named otherwise than by number, and of models whose size is not known.
    """
    memory = {gpu.index: gpu.memory_gib for gpu in gpus}
    errors: dict[str, str] = {}
    for name, model in plan.models.items():
        field = f"models.{name}.devices"
        absent = [device for device in model.devices if device.isdecimal() and device not in memory]
        if gpus and absent:
            errors[field] = f"There is no GPU {', '.join(absent)} here; there are {', '.join(memory)}."
            continue
        have = sum(memory.get(device, 0.0) for device in model.devices)
        need = model.known.weights_gib if model.known else 0.0
        if have and all(memory.get(device) for device in model.devices) and have < need:
            errors[field] = (
                f"The weights alone take about {need:g} GiB, and GPU {', '.join(model.devices)} "
                f"has {have:.0f}. Name more devices."
            )
    for group in plan.groups:
        need = sum(known.weights_gib for name in group if (known := plan.models[name].known))
        if machine_gib < need:
            errors["share"] = (
                f"The weights of {' and '.join(group)} move to this machine's memory while they sleep: about "
                f"{need:g} GiB, and it has {machine_gib:.0f}. Give them GPUs of their own."
            )
    if errors:
        raise InvalidForm(errors)
