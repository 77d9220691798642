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


def check(plan: Plan, gpus: list[Gpu]) -> None:
    """Raises InvalidForm where the plan wants a GPU that is not there, or more memory than its GPUs have.

    Says nothing of GPUs that are named otherwise than by number.
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
    if errors:
        raise InvalidForm(errors)
