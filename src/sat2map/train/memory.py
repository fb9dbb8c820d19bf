"""Keeps freed memory in the process while a run trains; changes no number that is computed."""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of glibc's `malloc.h`."""
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep what is freed for the next step, in huge pages; call before torch is imported.

    Otherwise the C library gives each large tensor back to the system, which has to clear every page of the next one: a
    fifth of a step. Does nothing where the C library is not glibc. Settings of the user's own stay.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, LARGEST_INT)
        mallopt(M_MMAP_MAX, 0)
