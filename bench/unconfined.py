"""The floor of bench/sandbox.py: the interpreter of the sandbox with the same modules, warm, and no isolation at all.

python bench/unconfined.py OPTIONS    serves as app/sandboxes/forkserver/zygote.py does with the same options, JSON
python bench/unconfined.py fork       for each line "COUNT SIZE" and SIZE bytes of payload on stdin: forks, runs and
                                      reaps COUNT times, and answers with the seconds that it took
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import random
import sys
import time
import types
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = "app.sandboxes.forkserver"
_ROOM = 1 << 20


def main() -> None:
    sys.path.insert(0, str(_ROOT))
    package = types.ModuleType(_PACKAGE)  # without its __init__, which belongs to the driver
    package.__path__ = [str(_ROOT.joinpath(*_PACKAGE.split(".")))]
    sys.modules[_PACKAGE] = package
    from app.sandboxes.forkserver import modules, protocol, walls
    from app.sandboxes.forkserver.serve import Server

    walls.die_with(os.getppid())
    modules.import_all([], [])

    class NoFilter:
        def install(self) -> None:
            pass

    class NoLimit:
        def allow(self, size: int) -> None:
            pass

    control = 0 if sys.argv[1] == "fork" else json.loads(sys.argv[1])["control"]
    builtins = modules.close_imports([])
    server = Server(control, NoFilter(), builtins, NoLimit())  # type: ignore[arg-type]
    server.warm_up()
    random.seed(0)
    gc.collect()
    gc.disable()
    gc.freeze()
    if sys.argv[1] == "fork":
        _fork_on_demand(builtins)
    else:
        greeting = json.dumps({"layers": {}}).encode()
        os.write(control, protocol.GREETING.pack(len(greeting)) + greeting)
        server.serve()


def _fork_on_demand(builtins: dict[str, object]) -> None:
    from app.sandboxes.forkserver import child, kernel

    while line := sys.stdin.buffer.readline():
        count, size = map(int, line.split())
        payload = sys.stdin.buffer.read(size)
        started = time.perf_counter()
        for _ in range(count):
            with mmap.mmap(-1, _ROOM) as area:
                if (pid := kernel.fork()) == 0:
                    child.run(payload, child.Channel(area, _ROOM), builtins)
                    os._exit(0)
                if os.wait4(pid, 0)[1]:
                    raise SystemExit("a child failed")
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
