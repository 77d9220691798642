"""What vLLM's /metrics says of its load."""

from __future__ import annotations

import re
from collections import defaultdict

from app.domain.ports import Load

_SAMPLE = re.compile(
    r"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|gpu_cache_usage_perc|num_preemptions_total)"
    r"(?:\{[^}]*\})? (\S+)",
    re.MULTILINE,
)


def read_load(text: str) -> Load | None:
    """Summed over the engines behind one address; None where the text is of another server."""
    found: dict[str, list[float]] = defaultdict(list)
    for name, value in _SAMPLE.findall(text):
        try:
            found[name].append(float(value))
        except ValueError:
            return None
    if "num_requests_running" not in found:
        return None
    # Older versions say `gpu_`.
    cache = found["kv_cache_usage_perc"] or found["gpu_cache_usage_perc"]
    return Load(
        running=int(sum(found["num_requests_running"])),
        waiting=int(sum(found["num_requests_waiting"])),
        cache=max(cache, default=0.0),
        preempted=int(sum(found["num_preemptions_total"])),
    )
