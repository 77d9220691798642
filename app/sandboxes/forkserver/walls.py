"""Puts up the layers in their order, and says of each whether it stands and if not, why."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from app.sandboxes.forkserver import kernel, landlock, limits, namespaces, seccomp

NAMESPACES, IDENTITY, LANDLOCK, SECCOMP = "namespaces", "identity", "landlock", "seccomp"
_LEFT_OUT = "left out on request"


def die_with(parent: int) -> None:
    """Ends this process when `parent` ends, however that happens."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def raise_namespaces(without: Sequence[str]) -> dict[str, str]:
    """Layer -> obstacle, empty where it stands. With namespaces, what returns is another process. Raises OSError."""
    obstacle = _enter(without)
    identity = ""
    if obstacle:
        try:
            namespaces.give_up_privileges()
        except OSError as error:
            identity = str(error)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of identity takes it away
    return {NAMESPACES: obstacle, IDENTITY: identity}


def _enter(without: Sequence[str]) -> str:
    if NAMESPACES in without:
        return _LEFT_OUT
    reasons = []
    for users in (True, False) if os.geteuid() == 0 else (True,):
        reason = namespaces.obstacle(users=users)
        if not reason:
            namespaces.enter(users=users)
            return ""
        reasons.append(reason)
    return "; ".join(reasons)


def raise_the_rest(without: Sequence[str]) -> dict[str, str]:
    """As `raise_namespaces`. No file can be opened afterwards. Raises OSError where seccomp itself is missing."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    limits.limit_zygote()
    os.umask(0o777)
    refusal = _LEFT_OUT
    if LANDLOCK not in without:
        try:
            landlock.restrict()
            refusal = ""
        except OSError as error:
            refusal = str(error)
    if not kernel.AUDIT_ARCH:
        raise OSError(f"no table of system calls for {kernel.MACHINE}")
    seccomp.zygote_filter().install()
    return {LANDLOCK: refusal, SECCOMP: ""}
