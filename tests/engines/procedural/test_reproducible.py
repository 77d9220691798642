from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.engines.procedural.seeds import SEED

ROOT = Path(__file__).parents[3]

_PROGRAM = """
import json, sys
from app.engines._procedural import entry
seed = open(sys.argv[1]).read()
pieces = [piece for candidate in entry.cut(seed) if (piece := entry.try_one(candidate, seed))]
told = [entry.propose(e, seed, pieces, "first", 0.5, [], "", {}, 0.0, f"{n}/0")
        for e in ("abduction", "deduction", "fuzzing", "induction") for n in range(5)]
view = {"message": "Return the parts of `a` between ' ', sorted.", "signature": "f(a)",
        "examples": [(("b a",), ["a", "b"]), (("z c y",), ["c", "y", "z"])], "hidden": 0}
tried = [entry.attempt("induction", view, 1, n, 1.0) for n in range(10)]
print(json.dumps([pieces, told, tried]))
"""


def test_the_same_seed_gives_the_same_problems_under_any_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "seed.py").write_text(SEED)
    outputs = []
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _PROGRAM, str(tmp_path / "seed.py")]
        outputs.append(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)
    assert json.loads(outputs[0])[0]
    assert outputs[0] == outputs[1] == outputs[2]
