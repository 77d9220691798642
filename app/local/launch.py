"""The last step before a service's own program: ties its life to the supervisor, and lets root run what refuses root.

Run as a script, by `python -I -S launch.py SUPERVISOR DEATH_SIGNAL IDENTITY PROGRAM...`: a process of its own can do
between fork and exec what is unsafe to do in a copy of a process with threads. Only the standard library is in reach.
"""

from __future__ import annotations

import ctypes
import os
import sys

SAME = "same"  # as whoever started the supervisor
MAPPED = "mapped"  # root outside, user 1000 inside a user namespace: PostgreSQL refuses user 0
NOBODY = "nobody"  # an unprivileged user that may read root's files: where user namespaces are forbidden

NOBODY_ID = 65534
_INSIDE_ID = 1000

# From linux/sched.h, linux/prctl.h and linux/capability.h.
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1

_libc = ctypes.CDLL(None, use_errno=True)


def prefix(death_signal: int, identity: str) -> list[str]:
    """What to write before a command, so that it runs as `identity` and gets the signal when this process ends."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(death_signal)), identity]


def main() -> None:
    supervisor, death_signal, identity, *command = sys.argv[1:]
    if identity == MAPPED:
        _map_root()
    elif identity == NOBODY:
        _become_nobody()
    end_with_parent(int(death_signal), int(supervisor))  # after the change of identity, which clears it
    os.execv(command[0], command)  # noqa: S606 (there is no shell to want)


def end_with_parent(death_signal: int, parent: int) -> None:
    """This process gets the signal when the thread that made it ends. Raises SystemExit where `parent` has ended."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(f"process {parent} ended before what it started began")


def _map_root() -> None:
    group = os.getegid()
    _checked(_libc.unshare(_CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_ID} 0 1"),
        ("gid_map", f"{_INSIDE_ID} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def _become_nobody() -> None:
    """Keeps one capability, to pass through root's own folders on the way to the program and its data."""
    _checked(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups([])
    os.setresgid(NOBODY_ID, NOBODY_ID, NOBODY_ID)
    os.setresuid(NOBODY_ID, NOBODY_ID, NOBODY_ID)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    held = 1 << _CAP_DAC_OVERRIDE
    data = (ctypes.c_uint32 * 6)(held, held, held, 0, 0, 0)  # effective, permitted, inheritable: low, then high words
    _checked(_libc.capset(header, data), "capset")
    _checked(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0), "prctl(PR_CAP_AMBIENT)")


def _checked(result: int, call: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
