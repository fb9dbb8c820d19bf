"""What is wrong with a data set: pairs that cannot be used, halves that do not belong together, ground that is shared.

It reads and reports; it never changes a data set.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np

from sat2map.arrays import UInt8
from sat2map.data.check import overlap
from sat2map.data.check.look import Look, Where, grey, look_at
from sat2map.data.check.overlap import Overlap, Read
from sat2map.data.footprint import footprint_groups, shared_ground
from sat2map.data.pairs import PairFile, read_pair
from sat2map.errors import DataError

LEAST_SHARE = 0.01
"""Of the smaller image: common ground that counts as an overlap."""
FLAT_MARGIN = 0.05
"""By how much the source must be flatter than its map to look like one."""
LEAST_SHIFT_PX = 3
"""What a map's generalisation moves by itself."""
LEAST_AGREEMENT = 0.4
"""Share of pairs near the shift of all; by chance, a hundredth is."""
LEAST_PAIRS = 5
SAME_IMAGE = 0.99
N_HELD = 512
"""Decoded images held in memory: 180 MB of 600 px."""


class Problem(NamedTuple):
    """Something wrong with some pairs."""

    kind: str
    pairs: tuple[Where, ...]
    words: str


class Shared(NamedTuple):
    """Two pairs that show common ground: indices, its share of the smaller image, and the shift where it is known."""

    first: int
    second: int
    share: float
    shift_px: tuple[int, int] | None


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        looks: of the pairs that can be read.
        problems: the most serious first.
        shared: common ground of any two pairs, however small.
        groups: number of the group of each look.
        positions: row and column of each look in its group's scene; None where places told the groups.
    """

    looks: list[Look]
    problems: list[Problem] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    positions: list[tuple[int, int]] | None = None


def inspect(
    sets: Mapping[str, Sequence[PairFile]],
    *,
    find_shared: bool = True,
    least_share: float = LEAST_SHARE,
    progress: Callable[[Iterable[int], int], Iterable[int]] = lambda steps, _n: steps,
) -> Report:
    """Look at every pair of one or more sets.

    Args:
        sets: pairs by the name of their set; ground that two sets share is a problem.
        find_shared: look for common ground.
        least_share: common ground that counts, as a share of the smaller image.
        progress: wraps the loop over pairs; takes the loop and its length.
    """
    files = {Where(set_name, file.name): file for set_name, pairs in sets.items() for file in pairs}
    looks: list[Look] = []
    broken: list[Problem] = []
    for found, _ in zip(_examine(files, find_shared), progress(range(len(files)), len(files)), strict=False):
        if isinstance(found, Problem):
            broken.append(found)
        else:
            looks.append(found)
    shared, groups, positions = _share(looks, files) if find_shared else ([], list(range(len(looks))), None)
    counted = [s for s in shared if s.share >= least_share]
    problems = [
        *broken, *_swapped(looks), *_misaligned(looks), *_duplicates(looks, counted), *_leaks(looks, counted),
        *_disagreeing(looks, counted, files), *_blank(looks), *_sizes(looks),
    ]  # fmt: skip
    return Report(looks, problems, shared, groups, positions)


def _examine(files: Mapping[Where, PairFile], find_shared: bool) -> Iterator[Look | Problem]:
    def look(item: tuple[Where, PairFile]) -> Look | Problem:
        where, file = item
        try:
            return look_at(where, file, with_details=find_shared)
        except DataError as error:
            return Problem("unreadable", (where,), error.found)

    items = iter(files.items())
    with ThreadPoolExecutor() as pool:
        while batch := list(islice(items, 32)):
            yield from pool.map(look, batch)


def _share(
    looks: Sequence[Look], files: Mapping[Where, PairFile]
) -> tuple[list[Shared], list[int], list[tuple[int, int]] | None]:
    """Common ground, groups and positions: by place where every pair has one, else by what is seen."""
    places = [look.place for look in looks if look.place is not None]
    if looks and len(places) == len(looks):
        found = [Shared(i, j, share, None) for i, j, share in shared_ground(places)]
        return found, footprint_groups(places), None
    sizes = [look.size for look in looks]
    overlaps = overlap.find_overlaps([look.details for look in looks], _reader(looks, files, of_map=False), sizes)
    found = [Shared(o.first, o.second, _share_of(o, sizes), (o.dy, o.dx)) for o in overlaps]
    return found, overlap.groups(len(looks), overlaps), overlap.positions(len(looks), overlaps)


def _reader(looks: Sequence[Look], files: Mapping[Where, PairFile], *, of_map: bool) -> Read:
    """Brightness of each pair's photograph or of its map; few are held in memory."""

    @lru_cache(N_HELD)
    def read_bytes(index: int) -> UInt8:
        look = looks[index]
        return grey(read_pair(files[look.where])[look.photograph ^ of_map]).astype(np.uint8)

    return lambda index: read_bytes(index).astype(np.float32)


def _share_of(found: Overlap, sizes: Sequence[tuple[int, int]]) -> float:
    smaller = min(sizes[i][0] * sizes[i][1] for i in (found.first, found.second))
    return found.area(sizes) / smaller


def _swapped(looks: Sequence[Look]) -> Iterator[Problem]:
    """Pairs whose map is on the other side than that of most pairs."""
    difference = np.array([look.flatness[1] - look.flatness[0] for look in looks])
    usual = 1 if (difference >= 0).sum() >= len(looks) / 2 else -1
    odd = tuple(looks[i].where for i in np.flatnonzero(difference * usual < -FLAT_MARGIN).tolist())
    if odd:
        yield Problem("swapped", odd, "halves look swapped: the map is on the other side than in most pairs")


def _misaligned(looks: Sequence[Look]) -> Iterator[Problem]:
    """One shift of all halves of a set; the lines of a single pair are too few to be sure of."""
    by_set = defaultdict[str, list[tuple[int, int]]](list)
    for look in looks:
        if look.shift_px is not None:
            by_set[look.where.set_name].append(look.shift_px)
    for set_name, shifts in by_set.items():
        dy, dx = np.median(shifts, axis=0).round().astype(int).tolist()
        near = np.abs(np.subtract(shifts, (dy, dx))).max(1) <= LEAST_SHIFT_PX
        sure = len(shifts) >= LEAST_PAIRS and near.mean() >= LEAST_AGREEMENT
        if sure and max(abs(dy), abs(dx)) > LEAST_SHIFT_PX:
            pairs = tuple(look.where for look in looks if look.where.set_name == set_name)
            yield Problem("misaligned", pairs, f"B must move {dx} px to the right and {dy} px down to lie on A")


def _disagreeing(looks: Sequence[Look], shared: Sequence[Shared], files: Mapping[Where, PairFile]) -> Iterator[Problem]:
    """Pairs whose map, unlike their photograph, does not continue that of most pairs on the same ground."""
    sizes = [look.size for look in looks]

    read = _reader(looks, files, of_map=True)
    for_it, against = Counter[int](), Counter[int]()
    for first, second, _, shift in shared:
        if shift is None:
            continue
        agreement = overlap.correlation(Overlap(first, second, *shift), read, sizes)
        if not np.isnan(agreement):
            (against if agreement < overlap.LEAST_CORRELATION else for_it).update((first, second))
    odd = tuple(looks[i].where for i in sorted(against) if against[i] > for_it[i])
    if odd:
        yield Problem("map elsewhere", odd, "map does not continue those of images of the same ground")


def _duplicates(looks: Sequence[Look], shared: Sequence[Shared]) -> Iterator[Problem]:
    same = defaultdict[bytes, list[int]](list)
    for i, look in enumerate(looks):
        # Two maps of nothing but water are equal; two photographs are not.
        same[look.digests[look.photograph]].append(i)
    groups = {tuple(group) for group in same.values() if len(group) > 1}
    near = {(s.first, s.second) for s in shared if s.share > SAME_IMAGE}
    for group in sorted(groups | {two for two in near if not any(set(two) <= set(group) for group in groups)}):
        maps = {look.digests for look in (looks[i] for i in group)}
        words = "same image, but another map" if group in groups and len(maps) > 1 else "same image"
        yield Problem("duplicate", tuple(looks[i].where for i in group), words)


def _leaks(looks: Sequence[Look], shared: Sequence[Shared]) -> Iterator[Problem]:
    """Ground that two sets have in common."""
    leaks = defaultdict[tuple[str, str], list[Where]](list)
    for s in shared:
        one, other = looks[s.first].where, looks[s.second].where
        if one.set_name != other.set_name:
            leaks[one.set_name, other.set_name] += [one, other]
    for (one_set, other_set), pairs in leaks.items():
        yield Problem(
            "shared ground", tuple(dict.fromkeys(pairs)),
            f"{len(pairs) // 2} overlaps between {one_set} and {other_set}, with which figures flatter",
        )  # fmt: skip


def _blank(looks: Sequence[Look]) -> Iterator[Problem]:
    blank = tuple(look.where for look in looks if min(look.flatness) == 1.0)
    if blank:
        yield Problem("blank", blank, "both halves are of one colour, or nearly")


def _sizes(looks: Sequence[Look]) -> Iterator[Problem]:
    sizes = Counter(look.size for look in looks)
    if len(sizes) > 1:
        (height, width), n = sizes.most_common(1)[0]
        odd = tuple(look.where for look in looks if look.size != (height, width))
        yield Problem("size", odd, f"{n} pairs are {width} x {height} px, these are not")


def listed_overlaps(rows: Sequence[Mapping[str, str]], looks: Sequence[Look]) -> dict[tuple[int, int], float]:
    """Overlaps that a groups.csv with columns `x_px` and `y_px` implies: share of the smaller image, by indices.

    Raises:
        DataError: a place is no number.
    """
    try:
        placed = {
            (row["split"], row["file"]): (row["group"], float(row["x_px"]), float(row["y_px"]))
            for row in rows
            if row.get("x_px") and row.get("y_px")
        }
    except ValueError as error:
        raise DataError(f"place in groups.csv is no number ({error})", hint="x_px and y_px are pixels") from error
    members = defaultdict[str, list[tuple[int, float, float]]](list)
    for i, look in enumerate(looks):
        if look.where in placed:
            group, x, y = placed[look.where]
            members[group].append((i, x, y))
    listed = {}
    for together in members.values():
        for (i, x, y), (j, u, v) in combinations(together, 2):
            (height, width), (height_2, width_2) = looks[i].size, looks[j].size
            rows_px = min(y + height, v + height_2) - max(y, v)
            cols_px = min(x + width, u + width_2) - max(x, u)
            if rows_px > 0 and cols_px > 0:
                listed[i, j] = rows_px * cols_px / min(height * width, height_2 * width_2)
    return listed


def group_rows(report: Report) -> list[dict[str, object]]:
    """What a groups.csv says of every pair that could be read."""
    rows: list[dict[str, object]] = []
    for i, (look, group) in enumerate(zip(report.looks, report.groups, strict=True)):
        row: dict[str, object] = {"split": look.where.set_name, "file": look.where.name, "group": f"g{group + 1:03d}"}
        if report.positions is not None:
            row["y_px"], row["x_px"] = report.positions[i]
        rows.append(row)
    return rows
