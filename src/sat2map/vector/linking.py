"""Links that follow one another, put in order: list ranking, on whole arrays at once."""

from __future__ import annotations

import numpy as np

from sat2map.arrays import Int64


def ranked_links(following: Int64) -> tuple[Int64, Int64]:
    """The last link of each one's path, -1 for closed paths, and the steps to it: by pointer doubling.

    Source: J. C. Wyllie, The Complexity of Parallel Computations, 1979 (list ranking).
    """
    n = len(following)
    ends = following < 0
    jump = np.where(ends, np.arange(n), following)
    distance = (~ends).astype(np.int64)
    active = np.flatnonzero(~ends)
    for _ in range(n.bit_length() + 1):
        if not len(active):
            break
        target = jump[active]
        distance[active] += distance[target]
        jump[active] = jump[target]
        active = active[~ends[jump[active]]]
    jump[active] = -1
    return jump, distance


def least_of_cycle(following: Int64, members: Int64, tail: Int64) -> Int64:
    """The least corner of the closed path of each link that is in one, for others its own."""
    least, jump = tail.copy(), following.copy()
    for _ in range(len(members).bit_length()):
        target = jump[members]
        found = np.minimum(least[members], least[target])
        further = jump[target]
        least[members], jump[members] = found, further
    return least
