"""From the layers that stand to the level that is promised, and what would make it stronger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.ports import Isolation, Layer
from app.errors import IsolationTooWeak
from app.sandboxes.forkserver.walls import IDENTITY, LANDLOCK, NAMESPACES, SECCOMP

_ORDER = list(Isolation)  # strongest first
_REMEDIES = {
    NAMESPACES: "In Docker, run with deploy/seccomp.json as docker-compose.yml does; on Ubuntu 23.10 or newer,"
    " set kernel.apparmor_restrict_unprivileged_userns=0; on Debian, kernel.unprivileged_userns_clone=1.",
    LANDLOCK: "Use a kernel of 5.13 or newer with landlock in its list of security modules (the lsm= boot parameter).",
    IDENTITY: "Run as an ordinary user, or grant CAP_SETUID and CAP_SETGID.",
    SECCOMP: "Use a kernel with CONFIG_SECCOMP_FILTER on x86-64 or aarch64.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What this machine gives: the level and its layers."""

    isolation: Isolation
    layers: tuple[Layer, ...]

    def demand(self, minimum: Isolation) -> None:
        """Raises IsolationTooWeak, with the remedy, where the level is below `minimum`."""
        if _ORDER.index(self.isolation) <= _ORDER.index(minimum):
            return
        missing = [layer for layer in self.layers if layer.obstacle]
        raise IsolationTooWeak(
            f"Isolation is {self.isolation.value!r} here and {minimum.value!r} is demanded:"
            f" {'; '.join(f'{layer.name} ({layer.obstacle})' for layer in missing)}.",
            field="minimum_isolation",
            remedy=" ".join(layer.remedy for layer in missing),
        )


def report(obstacles: Mapping[str, str]) -> Report:
    """`obstacles` names every layer, with an empty text for those that stand. Raises ValueError for anything else."""
    if obstacles.keys() != _REMEDIES.keys() or not all(type(reason) is str for reason in obstacles.values()):
        raise ValueError("not the layers of this sandbox")
    layers = tuple(Layer(name, reason, _REMEDIES[name] if reason else "") for name, reason in obstacles.items())
    standing = {layer.name for layer in layers if not layer.obstacle}
    if {NAMESPACES, LANDLOCK} <= standing:
        isolation = Isolation.FULL
    elif standing & {NAMESPACES, LANDLOCK}:
        isolation = Isolation.CONTAINED  # either one alone already hides the files and shields other processes
    else:
        isolation = Isolation.FILTERED
    return Report(isolation, layers)


def left_out(strongest: Isolation) -> list[str]:
    """The layers to leave out, to have no more than this level."""
    return [NAMESPACES, LANDLOCK][: _ORDER.index(strongest)]
