"""What the two sides of the wall say to each other: fixed headers, bytes after them, nothing that is ever evaluated.

The driver (trusted) and the zygote (isolated) share a socket. One request is answered by one response. The child that
runs a program never sees the socket: it leaves frames in a piece of memory that the zygote made for this run alone and
copies out once the child is dead.
"""

from __future__ import annotations

from struct import Struct

# Kind, bytes of payload, wall clock in ms, CPU in ms, memory in MB, room for frames in bytes.
REQUEST = Struct("<BIIIII")
RUN, ATTEMPTS = range(2)

# Bytes of frames, end, wall clock in us, CPU in us, peak resident KB of the child and of the zygote, wait status.
RESPONSE = Struct("<IBIIIIi")
ENDED, DEADLINE = range(2)  # by itself, or killed at its deadline

# At the start of the shared memory: bytes of frames that follow. Then each frame: kind, bytes of text, text.
USED = Struct("<Q")
FRAME = Struct("<BI")
VALUE, EXCEPTION, UNSUPPORTED, MEMORY, LOADING, LOADED = range(6)  # LOADED comes first and counts for no call

# Exit statuses of the child. A program that forges one only misnames its own failure.
CLEAN, BROKEN, NO_MEMORY, NO_ROOM = 0, 1, 70, 71
WANTS_WIDE = 72  # to be run again where more modules are: see modules.py

# The longest name and text of an exception that are passed on, in characters.
NAME_LENGTH, DETAIL_LENGTH = 80, 300

# A length before the zygote's greeting, which is JSON.
GREETING = Struct("<I")
