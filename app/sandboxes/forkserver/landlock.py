"""Landlock: no file, no TCP port, no abstract socket and no signal beyond the sandbox, whoever runs it.

The ruleset holds no rule: all that programs may import is imported by then, so that nothing needs to be opened.
"""

from __future__ import annotations

import ctypes
import os
import struct

from app.sandboxes.forkserver import kernel

_CREATE_RULESET_VERSION = 1
# Rights known to each ABI, as the number of bits of LANDLOCK_ACCESS_FS_*; later ABIs add none.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK = 3  # bind and connect TCP, from ABI 4
_SCOPES = 3  # abstract Unix sockets and signals, from ABI 6


def restrict() -> int:
    """Confines this process and its children; gives the kernel's ABI. Needs no_new_privs. Raises OSError."""
    abi = kernel.call("landlock_create_ruleset", None, 0, _CREATE_RULESET_VERSION)
    rights = [(1 << _FILE_RIGHTS[min(abi, 5)]) - 1]
    rights += [_NETWORK] if abi >= 4 else []
    rights += [_SCOPES] if abi >= 6 else []
    attributes = struct.pack(f"={len(rights)}Q", *rights)
    ruleset = kernel.call("landlock_create_ruleset", ctypes.c_char_p(attributes), len(attributes), 0)
    try:
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return abi
