"""The isolated server, run as a script: imports what programs may import, puts up every wall it can, and serves.

Only the standard library is at hand (`python -s -P -S -B`), and as little of it as can be: it is all forked with. The
driver's package is entered without its `__init__`, which belongs to the other side.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_ROOT = os.path.realpath(__file__).removesuffix("/app/sandboxes/forkserver/zygote.py")


def main() -> None:
    """Takes one argument, JSON: control (descriptor), parent (pid), preload, libraries, path, seed, wide, without
    (layers)."""
    options = json.loads(sys.argv[1])
    control = options["control"]
    sys.path.append(_ROOT)  # after the standard library, which it must not shadow
    _enter("app.sandboxes.forkserver")
    from app.sandboxes.forkserver import memory, modules, walls

    walls.die_with(options["parent"])
    _leave_terminal(control)
    memory.keep_freed()
    try:
        modules.import_all(options["preload"], [_ROOT, *options["path"]], wide=options["wide"])
        # Last, so that what serves lies together: whatever is written to in a run should fill few pages.
        with _entered("app.domain.values"):
            from app.sandboxes.forkserver.limits import MemoryLimit
            from app.sandboxes.forkserver.seccomp import child_filter
            from app.sandboxes.forkserver.serve import Server

        seed = _import_libraries(options["libraries"], options["path"])
        sys.path.remove(_ROOT)
        limit = MemoryLimit()
        layers = walls.raise_namespaces(options["without"])
        builtins = modules.close_imports([*options["preload"], *options["libraries"]], wide=options["wide"])
        server = Server(control, child_filter(), builtins, limit)
        server.warm_up()
        sys.argv, sys.orig_argv = [""], [""]
        layers |= walls.raise_the_rest(options["without"])
    except Exception as error:  # noqa: BLE001 - told to the driver, which raises it
        _greet(control, {"error": f"{type(error).__name__}: {error}"})
        os._exit(1)
    if "random" in sys.modules:
        sys.modules["random"].seed(options["seed"])  # the same in every run of a replica, another in the other one
    seed(options["seed"])
    gc.collect()
    gc.disable()
    filling = memory.fill_pools()  # noqa: F841 - kept, see there
    gc.freeze()
    _greet(control, {"layers": layers})
    server.serve()


def _import_libraries(names: Sequence[str], path: Sequence[str]) -> Callable[[int], None]:
    """Returns what gives their generators a fixed start. Without libraries nothing more is imported for them."""
    if not names:
        return lambda _: None
    from app.sandboxes.forkserver import preloading

    preloading.import_libraries(names, path)
    return preloading.seed


def _enter(name: str) -> None:
    """Makes a package of ours known without running its `__init__`."""
    package = types.ModuleType(name)
    package.__path__ = [f"{_ROOT}/{name.replace('.', '/')}"]
    sys.modules[name] = package


@contextmanager
def _entered(name: str) -> Iterator[None]:
    """The same for a while, for a package whose `__init__` imports more than is used here."""
    if name in sys.modules:
        yield
        return
    _enter(name)
    yield
    del sys.modules[name]


def _leave_terminal(control: int) -> None:
    """Keeps no descriptor but the control socket and /dev/null, and no reaction to the keyboard."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, control)
    os.closerange(control + 1, 1024)


def _greet(control: int, greeting: dict[str, object]) -> None:
    from app.sandboxes.forkserver.protocol import GREETING

    text = json.dumps(greeting).encode()
    os.write(control, GREETING.pack(len(text)) + text)


if __name__ == "__main__":
    main()
