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
from sat2map.data.check.image_check import ImageCheck, PairLocation, check_image, grey
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
    pairs: tuple[PairLocation, ...]
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
        checks: of the pairs that can be read.
        problems: the most serious first.
        shared: common ground of any two pairs, however small.
        groups: number of the group of each look.
        positions: row and column of each look in its group's scene; None where footprints told the groups.
    """

    checks: list[ImageCheck]
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
    files = {PairLocation(set_name, file.name): file for set_name, pairs in sets.items() for file in pairs}
    checks: list[ImageCheck] = []
    broken: list[Problem] = []
    for found, _ in zip(_examine(files, find_shared), progress(range(len(files)), len(files)), strict=False):
        if isinstance(found, Problem):
            broken.append(found)
        else:
            checks.append(found)
    shared, groups, positions = _share(checks, files) if find_shared else ([], list(range(len(checks))), None)
    counted = [s for s in shared if s.share >= least_share]
    problems = [
        *broken, *_swapped(checks), *_misaligned(checks), *_duplicates(checks, counted), *_leaks(checks, counted),
        *_disagreeing(checks, counted, files), *_blank(checks), *_sizes(checks),
    ]  # fmt: skip
    return Report(checks, problems, shared, groups, positions)


def _examine(files: Mapping[PairLocation, PairFile], find_shared: bool) -> Iterator[ImageCheck | Problem]:
    def check(item: tuple[PairLocation, PairFile]) -> ImageCheck | Problem:
        where, file = item
        try:
            return check_image(where, file, with_details=find_shared)
        except DataError as error:
            return Problem("unreadable", (where,), error.found)

    items = iter(files.items())
    with ThreadPoolExecutor() as pool:
        while batch := list(islice(items, 32)):
            yield from pool.map(check, batch)


def _share(
    checks: Sequence[ImageCheck], files: Mapping[PairLocation, PairFile]
) -> tuple[list[Shared], list[int], list[tuple[int, int]] | None]:
    """Common ground, groups and positions: by footprints where every pair has one, else by what is seen."""
    footprints = [check.footprint for check in checks if check.footprint is not None]
    if checks and len(footprints) == len(checks):
        found = [Shared(i, j, share, None) for i, j, share in shared_ground(footprints)]
        return found, footprint_groups(footprints), None
    sizes = [check.size for check in checks]
    overlaps = overlap.find_overlaps([check.details for check in checks], _reader(checks, files, of_map=False), sizes)
    found = [Shared(o.first, o.second, _share_of(o, sizes), (o.dy, o.dx)) for o in overlaps]
    return found, overlap.groups(len(checks), overlaps), overlap.positions(len(checks), overlaps)


def _reader(checks: Sequence[ImageCheck], files: Mapping[PairLocation, PairFile], *, of_map: bool) -> Read:
    """Brightness of each pair's photograph or of its map; few are held in memory."""

    @lru_cache(N_HELD)
    def read_bytes(index: int) -> UInt8:
        check = checks[index]
        return grey(read_pair(files[check.location])[check.photograph ^ of_map]).astype(np.uint8)

    return lambda index: read_bytes(index).astype(np.float32)


def _share_of(found: Overlap, sizes: Sequence[tuple[int, int]]) -> float:
    smaller = min(sizes[i][0] * sizes[i][1] for i in (found.first, found.second))
    return found.area(sizes) / smaller


def _swapped(checks: Sequence[ImageCheck]) -> Iterator[Problem]:
    """Pairs whose map is on the other side than that of most pairs."""
    difference = np.array([check.flatness[1] - check.flatness[0] for check in checks])
    usual = 1 if (difference >= 0).sum() >= len(checks) / 2 else -1
    odd = tuple(checks[i].location for i in np.flatnonzero(difference * usual < -FLAT_MARGIN).tolist())
    if odd:
        yield Problem("swapped", odd, "halves look swapped: the map is on the other side than in most pairs")


def _misaligned(checks: Sequence[ImageCheck]) -> Iterator[Problem]:
    """One shift of all halves of a set; the lines of a single pair are too few to be sure of."""
    by_set = defaultdict[str, list[tuple[int, int]]](list)
    for check in checks:
        if check.shift_px is not None:
            by_set[check.location.set_name].append(check.shift_px)
    for set_name, shifts in by_set.items():
        dy, dx = np.median(shifts, axis=0).round().astype(int).tolist()
        near = np.abs(np.subtract(shifts, (dy, dx))).max(1) <= LEAST_SHIFT_PX
        confident = len(shifts) >= LEAST_PAIRS and near.mean() >= LEAST_AGREEMENT
        if confident and max(abs(dy), abs(dx)) > LEAST_SHIFT_PX:
            pairs = tuple(check.location for check in checks if check.location.set_name == set_name)
            yield Problem("misaligned", pairs, f"B must move {dx} px to the right and {dy} px down to lie on A")


def _disagreeing(
    checks: Sequence[ImageCheck], shared: Sequence[Shared], files: Mapping[PairLocation, PairFile]
) -> Iterator[Problem]:
    """Pairs whose map, unlike their photograph, does not continue that of most pairs on the same ground."""
    sizes = [check.size for check in checks]

    read = _reader(checks, files, of_map=True)
    for_it, against = Counter[int](), Counter[int]()
    for first, second, _, shift in shared:
        if shift is None:
            continue
        agreement = overlap.correlation(Overlap(first, second, *shift), read, sizes)
        if not np.isnan(agreement):
            (against if agreement < overlap.LEAST_CORRELATION else for_it).update((first, second))
    odd = tuple(checks[i].location for i in sorted(against) if against[i] > for_it[i])
    if odd:
        yield Problem("map elsewhere", odd, "map does not continue those of images of the same ground")


def _duplicates(checks: Sequence[ImageCheck], shared: Sequence[Shared]) -> Iterator[Problem]:
    same = defaultdict[bytes, list[int]](list)
    for i, check in enumerate(checks):
        # Two maps of nothing but water are equal; two photographs are not.
        same[check.digests[check.photograph]].append(i)
    groups = {tuple(group) for group in same.values() if len(group) > 1}
    near = {(s.first, s.second) for s in shared if s.share > SAME_IMAGE}
    for group in sorted(groups | {two for two in near if not any(set(two) <= set(group) for group in groups)}):
        maps = {check.digests for check in (checks[i] for i in group)}
        words = "same image, but another map" if group in groups and len(maps) > 1 else "same image"
        yield Problem("duplicate", tuple(checks[i].location for i in group), words)


def _leaks(checks: Sequence[ImageCheck], shared: Sequence[Shared]) -> Iterator[Problem]:
    """Ground that two sets have in common."""
    leaks = defaultdict[tuple[str, str], list[PairLocation]](list)
    for s in shared:
        one, other = checks[s.first].location, checks[s.second].location
        if one.set_name != other.set_name:
            leaks[one.set_name, other.set_name] += [one, other]
    for (one_set, other_set), pairs in leaks.items():
        yield Problem(
            "shared ground", tuple(dict.fromkeys(pairs)),
            f"{len(pairs) // 2} overlaps between {one_set} and {other_set}, with which figures flatter",
        )  # fmt: skip


def _blank(checks: Sequence[ImageCheck]) -> Iterator[Problem]:
    blank = tuple(check.location for check in checks if min(check.flatness) == 1.0)
    if blank:
        yield Problem("blank", blank, "both halves are of one colour, or nearly")


def _sizes(checks: Sequence[ImageCheck]) -> Iterator[Problem]:
    sizes = Counter(check.size for check in checks)
    if len(sizes) > 1:
        (height, width), n = sizes.most_common(1)[0]
        odd = tuple(check.location for check in checks if check.size != (height, width))
        yield Problem("size", odd, f"{n} pairs are {width} x {height} px, these are not")


def listed_overlaps(rows: Sequence[Mapping[str, str]], checks: Sequence[ImageCheck]) -> dict[tuple[int, int], float]:
    """Overlaps that a groups.csv with columns `x_px` and `y_px` implies: share of the smaller image, by indices.

    Raises:
        DataError: a position is no number.
    """
    try:
        placed = {
            (row["split"], row["file"]): (row["group"], float(row["x_px"]), float(row["y_px"]))
            for row in rows
            if row.get("x_px") and row.get("y_px")
        }
    except ValueError as error:
        raise DataError(f"position in groups.csv is no number ({error})", hint="x_px and y_px are pixels") from error
    members = defaultdict[str, list[tuple[int, float, float]]](list)
    for i, check in enumerate(checks):
        if check.location in placed:
            group, x, y = placed[check.location]
            members[group].append((i, x, y))
    listed = {}
    for together in members.values():
        for (i, x, y), (j, u, v) in combinations(together, 2):
            (height, width), (height_2, width_2) = checks[i].size, checks[j].size
            rows_px = min(y + height, v + height_2) - max(y, v)
            cols_px = min(x + width, u + width_2) - max(x, u)
            if rows_px > 0 and cols_px > 0:
                listed[i, j] = rows_px * cols_px / min(height * width, height_2 * width_2)
    return listed


def group_rows(report: Report) -> list[dict[str, object]]:
    """What a groups.csv says of every pair that could be read."""
    rows: list[dict[str, object]] = []
    for i, (check, group) in enumerate(zip(report.checks, report.groups, strict=True)):
        row: dict[str, object] = {
            "split": check.location.set_name,
            "file": check.location.name,
            "group": f"g{group + 1:03d}",
        }
        if report.positions is not None:
            row["y_px"], row["x_px"] = report.positions[i]
        rows.append(row)
    return rows
