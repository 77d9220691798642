"""Namespaces: a world of its own with no file, no network, no other process and no privilege.

An ordinary user makes a user namespace first, which grants the right to make the others. Root becomes an ordinary user
before that; where user namespaces are forbidden and root has CAP_SYS_ADMIN, it makes the others directly.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

from app.sandboxes.forkserver import kernel

# Neither root nor nobody (65534), which other services run as; it fits into a container's usual 65,536 ids.
UNPRIVILEGED_ID = 64_999
_INSIDE_ID = 65_534

_MOUNTS, _CGROUPS, _HOSTNAME, _IPC, _USERS, _PROCESSES, _NETWORK = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_ALL_BUT_USERS = _MOUNTS | _CGROUPS | _HOSTNAME | _IPC | _PROCESSES | _NETWORK

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 8, 32, 4096
_MS_REC, _MS_PRIVATE, _MNT_DETACH = 16384, 1 << 18, 2
_LOCKED = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
_MOUNT_POINTS = ("/tmp", "/dev", "/usr")  # noqa: S108 - covered in a mount namespace of our own; any directory serves
_CAPABILITY_VERSION_3, _LAST_CAPABILITY = 0x20080522, 63


def become_unprivileged() -> None:
    """Root leaves its identity; anyone else keeps theirs. Raises OSError."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
        os.setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)


def give_up_privileges() -> None:
    """All capabilities, and the identity of root. Raises OSError where root cannot change who it is."""
    for capability in range(_LAST_CAPABILITY + 1):
        with contextlib.suppress(OSError):  # not ours to drop, or unknown to this kernel
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
    try:
        become_unprivileged()
    finally:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        none_at_all = (ctypes.c_uint32 * 6)()
        kernel.call("capset", ctypes.byref(header), ctypes.byref(none_at_all))


def enter(*, users: bool) -> None:
    """Moves into new namespaces. What returns is a new process, the first in its process namespace. Raises OSError."""
    if users:
        become_unprivileged()
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else /proc/self/uid_map belongs to root
        user, group = os.geteuid(), os.getegid()
        kernel.call("unshare", _USERS | _ALL_BUT_USERS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{_INSIDE_ID} {user} 1")
        _write("/proc/self/gid_map", f"{_INSIDE_ID} {group} 1")
    else:
        kernel.call("unshare", _ALL_BUT_USERS)
    first = os.fork()
    if first:
        _stand_by(first)
    _leave_files()
    give_up_privileges()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def obstacle(*, users: bool) -> str:
    """Why `enter` would fail here; empty where it works. It is tried in a process that ends with the trial."""
    reader, writer = os.pipe()
    trial = os.fork()
    if trial == 0:
        try:
            enter(users=users)
            os.write(writer, b"entered")
        except OSError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as report:
        said = report.read().decode()
    os.waitpid(trial, 0)
    return "" if said == "entered" else said or "the trial ended without a word"


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _stand_by(first: int) -> None:
    """Stays outside as the parent that the driver knows, until the first process inside has ended."""
    os.closerange(0, 256)
    os.waitpid(first, 0)
    os._exit(0)


def _leave_files() -> None:
    """Makes an empty, read-only file system the only one."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    place = next(filter(os.path.isdir, _MOUNT_POINTS))
    _mount("tmpfs", place, "tmpfs", _LOCKED, "size=4k,nr_inodes=2,mode=555")
    os.chdir(place)
    kernel.call("pivot_root", ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    kernel.call("umount2", ctypes.c_char_p(b"."), _MNT_DETACH)
    os.chdir("/")
    _mount(None, "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _LOCKED)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    source_, target_, kind_, options_ = (
        ctypes.c_char_p(t.encode() if t else None) for t in (source, target, kind, options)
    )
    kernel.call("mount", source_, target_, kind_, flags, options_)
