"""Ends what a killed supervisor left: its children are told of its death, but may still be on their way out.

Two servers on the same files would destroy them, so nothing starts before the old ones are gone. A process is known by
the mark in its environment, or by its working folder: the databases overwrite their environment with their title.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil

MARK = "CAIRN_SUPERVISED"
_GRACE_S = 5.0


def end_all(folder: Path) -> None:
    """Returns when no process of an earlier stack on this folder is left. Call it as the folder's owner."""
    found = [process for process in psutil.process_iter() if _belongs(process, folder)]
    for process in found:
        _signal(process, signal.SIGINT if _is_database(process, folder) else signal.SIGKILL)
    _, alive = psutil.wait_procs(found, timeout=_GRACE_S)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_GRACE_S)


def _belongs(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.pid != os.getpid() and (
            process.environ().get(MARK) == str(folder) or _is_database(process, folder)
        )
    except psutil.Error:  # ended meanwhile, or another user's: then it has no right to write here
        return False


def _is_database(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() in (str(folder / "postgres"), str(folder / "valkey"))
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
