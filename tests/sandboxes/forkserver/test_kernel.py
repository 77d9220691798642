"""The table of system calls against the kernel's own headers: a wrong number there would allow another call."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.sandboxes.forkserver import kernel

# asm-generic/unistd.h is aarch64's table where it has none of its own, as before Linux 6.11.
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/aarch64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h"),
}
# From include/uapi/linux/audit.h and elf-em.h: EM_X86_64 or EM_AARCH64, 64 bits, little endian.
AUDIT = {"x86_64": 62 | 0x80000000 | 0x40000000, "aarch64": 183 | 0x80000000 | 0x40000000}


@pytest.mark.parametrize(("place", "machine"), list(enumerate(HEADERS)))
def test_numbers_are_those_of_the_headers(place: int, machine: str) -> None:
    header = next((path for path in map(Path, HEADERS[machine]) if path.exists()), None)
    if header is None:
        pytest.skip("the kernel's headers are not installed")
    # __NR3264_ marks calls whose name differs on 32-bit machines.
    defined = dict(re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE))
    known = {name: numbers[place] for name, numbers in kernel._NUMBERS.items()}
    assert known == {name: int(defined.get(name, -1)) for name in known}


def test_architectures_are_those_of_the_headers() -> None:
    assert kernel._AUDIT == AUDIT
