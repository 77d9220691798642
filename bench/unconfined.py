"""The floor of bench/sandbox.py: the very zygote of the sandbox, with every wall left out.

python bench/unconfined.py OPTIONS         serves as app/sandboxes/forkserver/zygote.py does with the same options, JSON
python bench/unconfined.py OPTIONS fork    for each line "COUNT SIZE" and SIZE bytes of payload on stdin: forks, runs
                                           and reaps COUNT times, and answers with the seconds that it took
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from typing import Any

_ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_ROOM = 1 << 20


class NoFilter:
    def install(self) -> None:
        pass


class NoLimit:
    def allow(self, size: int) -> None:
        pass


def main() -> None:
    folder = os.path.join(_ROOT, "app", "sandboxes", "forkserver")
    sys.path[:] = [folder, *sys.path, _ROOT]
    import zygote  # type: ignore[import-not-found]  # the script of the sandbox

    sys.path.remove(folder)
    zygote._enter("app.sandboxes.forkserver")
    with zygote._entered("app.domain.values"):
        from app.sandboxes.forkserver import limits, seccomp, serve, walls

    walls.raise_namespaces = lambda _without: dict.fromkeys((walls.NAMESPACES, walls.IDENTITY), "left out")
    walls.raise_the_rest = lambda _without: dict.fromkeys((walls.LANDLOCK, walls.SECCOMP), "left out")
    seccomp.child_filter = NoFilter  # type: ignore[assignment]
    limits.MemoryLimit = NoLimit  # type: ignore[assignment,misc]
    if sys.argv[2:] == ["fork"]:
        requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w")
        zygote._leave_terminal = zygote._greet = lambda *_: None
        serve.Server.serve = lambda server: _fork_on_demand(server, requests, answers)  # type: ignore[method-assign]
    zygote.main()


def options(**others: Any) -> str:
    """What the zygote is started with."""
    start = {"control": 0, "parent": os.getpid(), "preload": [], "libraries": [], "path": [], "seed": 0, "without": []}
    return json.dumps({**start, **others})


def _fork_on_demand(server: Any, requests: Any, answers: Any) -> None:
    from app.sandboxes.forkserver import child, kernel

    while line := requests.readline():
        count, size = map(int, line.split())
        payload = requests.read(size)
        started = time.perf_counter()
        for _ in range(count):
            with mmap.mmap(-1, _ROOM) as area:
                if (pid := kernel.fork()) == 0:
                    child.run(payload, child.Channel(area, _ROOM), server._builtins)
                    os._exit(0)
                if os.wait4(pid, 0)[1]:
                    raise SystemExit("a child failed")
        print(time.perf_counter() - started, file=answers, flush=True)


if __name__ == "__main__":
    main()
