# SPDX-License-Identifier: Apache-2.0
"""The driver's end of inject.c: which step of which program is hit, and how."""

import mmap
import pathlib
import struct

FILE, SOCKET, JOURNAL, MEMORY = 1, 2, 4, 8
BEFORE, MIDDLE, AFTER, FAIL = range(4)
FOR_EVER = 1 << 40

LAYOUT = struct.Struct("=qqQQIII92s")
COUNTDOWN, FAILURES, COUNT, FIRED, MODE = 0, 8, 16, 24, 32
LAST = 44


class Injector:
    """The shared file of one program. It is written while the program runs, so fields that decide
    come last when arming and first when disarming."""

    def __init__(self, path: pathlib.Path):
        path.write_bytes(LAYOUT.pack(-1, 0, 0, 0, BEFORE, 0, 0, b""))
        path.chmod(0o666)
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), LAYOUT.size)

    def _set(self, offset, kind, *values):
        struct.pack_into("=" + kind, self.map, offset, *values)

    def _get(self, offset, kind):
        return struct.unpack_from("=" + kind, self.map, offset)[0]

    def arm(self, n, mode, classes, error=0, failures=1):
        """The n-th step from now is hit; n < 0: steps are counted only."""
        self.disarm()
        self._set(COUNT, "Q", 0)
        self._set(MODE, "III", mode, error, classes)
        self._set(FAILURES, "q", failures if n > 0 else 0)
        self._set(COUNTDOWN, "q", n)

    def disarm(self):
        self._set(FAILURES, "q", 0)
        self._set(COUNTDOWN, "q", -1)

    @property
    def count(self):
        return self._get(COUNT, "Q")

    @property
    def fired(self):
        return self._get(FIRED, "Q")

    @property
    def last(self):
        return bytes(self.map[LAST : LAYOUT.size]).split(b"\0")[0].decode()
