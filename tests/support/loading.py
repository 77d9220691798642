"""What the `datasets` library makes of exported files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_LOAD = """
import json, sys
import datasets
jsonl, parquet, cache = sys.argv[1:]
one = datasets.load_dataset("json", data_files=jsonl, split="train", cache_dir=cache)
two = datasets.load_dataset("parquet", data_files=parquet, split="train", cache_dir=cache)
stream = datasets.load_dataset("json", data_files=jsonl, split="train", streaming=True)
assert one.features == two.features, (one.features, two.features)
assert one.to_list() == two.to_list() == list(stream)
print(json.dumps({"rows": one.to_list(), "features": {name: repr(f) for name, f in one.features.items()}}))
"""


def load_with_datasets(folder: Path, jsonl: bytes, parquet: bytes) -> dict[str, Any]:
    """`rows` and `features` of both files, which must agree; in a process of its own with no network."""
    files = folder / "train.jsonl", folder / "train.parquet"
    for path, content in zip(files, (jsonl, parquet), strict=True):
        path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, *map(str, files), str(folder / "cache")],
        env={"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return loaded
