"""Code for a process of its own, to tell its peak memory at its end."""

from __future__ import annotations

# Not `ru_maxrss`: a child's begins at what the process that started it had reached.
PRINT_PEAK_MIB = "print('peak', next(int(l.split()[1]) for l in open('/proc/self/status') if 'VmHWM' in l) // 1024)"
