"""What vLLM's /metrics says of its load."""

from __future__ import annotations

import re
from collections import defaultdict

from app.domain.ports import Load

_NONSENSE = 1e15  # no server counts so far, and sums stay finite
_SAMPLE = re.compile(
    r"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|gpu_cache_usage_perc|num_preemptions_total"
    r"|generation_tokens_total|(?:gpu_)?prefix_cache_(?:queries|hits)_total)"
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
        if not abs(found[name][-1]) < _NONSENSE:  # true for NaN as well
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
        generated=int(sum(found["generation_tokens_total"])),
        prefix_queries=int(sum(found["prefix_cache_queries_total"] or found["gpu_prefix_cache_queries_total"])),
        prefix_hits=int(sum(found["prefix_cache_hits_total"] or found["gpu_prefix_cache_hits_total"])),
    )
