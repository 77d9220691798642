"""Namespaces, landlock and seccomp, entered once by an interpreter that is then forked for each program."""

from app.sandboxes.forkserver.sandbox import ForkServerSandbox

__all__ = ["ForkServerSandbox"]
