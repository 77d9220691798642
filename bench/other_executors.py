"""How other projects run a solution against expected values, for bench/sandbox.py: the processes they start per run.

Written to start the same processes and do the same steps around a run, not to have the same features; and favoured:
the process that forks here is small, where theirs holds numpy at least, or a trainer. Side by side, EvalPlus itself
takes 1.1 to 1.3 times as long as what stands here for it. None of them isolates.

    humaneval   `check_correctness`: a Manager and a process per run, in a directory of its own, an alarm, asserts
    evalplus    `untrusted_check`: a process per run, shared Value and Array, a time limit per input, compared inside
    verl        prime_code: a Manager and a process per run, the solution as a module, an alarm per input
    subprocess  `python -I` per run, source and inputs as JSON on stdin, values as JSON on stdout
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Job = tuple[str, str, Sequence[tuple[Any, ...]], Sequence[Any]]  # source, function, inputs, expected
_TIMEOUT_S = 3.0
_PASSED = "passed"
_DISABLED = ("kill", "system", "putenv", "remove", "rmdir", "fork", "rename", "truncate", "chmod", "chown", "chdir")
_forking = multiprocessing.get_context("fork")
_SCRIPT = """
import json, sys
source, function, inputs = json.load(sys.stdin)
space = {}
exec(source, space)
json.dump([space[function](*each) for each in inputs], sys.stdout)
"""


def humaneval(job: Job) -> bool:
    with _forking.Manager() as manager:
        result = manager.list()
        process = _forking.Process(target=_run_humaneval, args=(job, result))
        process.start()
        process.join(_TIMEOUT_S + 1)
        _end(process)
        return list(result) == [_PASSED]


def evalplus(job: Job) -> bool:
    count = len(job[2])
    progress, status = _forking.Value("i", 0), _forking.Value("i", 0)
    details = _forking.Array("b", [0] * count)
    process = _forking.Process(target=_run_evalplus, args=(job, progress, status, details))
    process.start()
    process.join(_TIMEOUT_S + 1)
    _end(process)
    return status.value == 1 and all(details[: progress.value])


def verl(job: Job) -> bool:
    manager = _forking.Manager()
    try:
        results, metadata = manager.list(), manager.list()
        process = _forking.Process(target=_run_verl, args=(job, results, metadata))
        process.start()
        process.join(_TIMEOUT_S + 1)
        _end(process)
        return bool(results) and all(results[0])
    finally:
        manager.shutdown()


def plain_subprocess(job: Job) -> bool:
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


EXECUTORS: dict[str, Callable[[Job], bool]] = {
    "humaneval": humaneval,
    "evalplus": evalplus,
    "verl": verl,
    "subprocess": plain_subprocess,
}


def run_many(name: str, jobs: Sequence[Job]) -> list[float]:
    """Seconds that each job took, one after the other; called in a worker process. Raises where a job fails."""
    durations = []
    for job in jobs:
        started = time.perf_counter()
        if not EXECUTORS[name](job):
            raise RuntimeError(f"{name} failed a right solution")
        durations.append(time.perf_counter() - started)
    return durations


def _run_humaneval(job: Job, result: Any) -> None:
    source, function, inputs, expected = job
    lines = [f"    assert candidate(*{given!r}) == {wanted!r}" for given, wanted in zip(inputs, expected, strict=True)]
    check = "\n".join([source, "def check(candidate):", *lines, f"check({function})"])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            with _guarded(), _silence(), _alarm(_TIMEOUT_S):
                exec(check, {})  # noqa: S102 - the purpose
            result.append(_PASSED)
        except Exception as error:  # noqa: BLE001 - whatever the solution raises is its result
            result.append(f"failed: {error}")
        os.chdir("/")


def _run_evalplus(job: Job, progress: Any, status: Any, details: Any) -> None:
    source, function, inputs, expected = job
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        space: dict[str, Any] = {}
        try:
            with _guarded(memory=4 << 30), _silence():
                exec(source, space)  # noqa: S102 - the purpose
                for place, (given, wanted) in enumerate(zip(inputs, expected, strict=True)):
                    with _alarm(1.0), _silence():
                        details[place] = space[function](*given) == wanted
                    progress.value += 1
            status.value = 1
        except Exception:  # noqa: BLE001 - whatever the solution raises is its result
            status.value = 2
        os.chdir("/")


def _run_verl(job: Job, results: Any, metadata: Any) -> None:
    source, function, inputs, expected = job
    module = types.ModuleType("solution")
    outcomes: list[bool] = []
    try:
        with _guarded():
            exec(source, module.__dict__)  # noqa: S102 - the purpose
            method = getattr(module, function)
            for given, wanted in zip(inputs, expected, strict=True):
                with _alarm(_TIMEOUT_S), _silence():
                    found = json.loads(json.dumps(method(*given)))
                outcomes.append(found == wanted)
    except Exception as error:  # noqa: BLE001 - whatever the solution raises is its result
        metadata.append(repr(error))
        outcomes.append(False)
    results.append(outcomes)


def _end(process: Any) -> None:
    if process.is_alive():
        process.kill()
    process.join()


@contextlib.contextmanager
def _guarded(memory: int | None = None) -> Iterator[None]:
    """As their `reliability_guard`, which disables functions by name and says itself that it is no sandbox."""
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    kept = {name: getattr(os, name) for name in _DISABLED}
    for name in _DISABLED:
        setattr(os, name, None)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(os, name, function)


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield
