"""Stands between the supervisor and a server that starts processes of its own, so that none of them is left behind.

`python -m app.local.guard PROGRAM...` leads a process group. SIGHUP, which comes when the supervisor is killed, ends
the group at once; SIGTERM is passed on. A guard that is killed itself takes the server along, which ends its children.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from app.local.launch import end_with_parent

ORPHANED = signal.SIGHUP


def command(*program: str) -> list[str]:
    """What to write before a command so that it is guarded."""
    return [sys.executable, "-m", "app.local.guard", *program]


def main() -> int:
    signal.signal(ORPHANED, lambda *_: os.killpg(0, signal.SIGKILL))
    own = os.getpid()
    child = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: end_with_parent(signal.SIGTERM, own))
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    status = child.wait()
    return status if status >= 0 else 128 - status  # as shells tell of a signal


if __name__ == "__main__":
    sys.exit(main())
