"""What a folder of partial labels or road masks holds, and which of its files are broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sat2map.classes import CLASSES, ClassTable
from sat2map.data.check.image_check import PairLocation
from sat2map.data.check.inspect import Problem
from sat2map.data.ground_file import data_table
from sat2map.data.pairs import PairFile, read_pair
from sat2map.data.partial import (
    FEWEST_ROADS,
    LEGEND_FILE,
    MOST_ROADS,
    ROAD_VALUE,
    ClassSets,
    LabelKind,
    label_pairs,
    read_legend,
    road_sets,
)
from sat2map.errors import DataError


@dataclass(frozen=True)
class LabelReport:
    """What was found in a folder of partial labels or road masks.

    Attributes:
        kind: what it holds.
        n_images: pairs of an image and a label.
        sizes: how many images are of each height and width.
        shares: share of the pixels of each set of classes, by the names of the classes joined by `|`.
        known: share of the pixels of which anything is known.
        problems: what is wrong.
    """

    kind: LabelKind
    n_images: int
    sizes: Counter[tuple[int, int]]
    shares: dict[str, float]
    known: float
    problems: list[Problem]


def inspect_labels(
    folder: Path, kind: LabelKind, *, progress: Callable[[Iterable[int], int], Iterable[int]] = lambda steps, _n: steps
) -> LabelReport:
    """Read every image and label of a folder.

    Args:
        folder: holds `image/`, and `label/` with `legend.csv`, or `mask/`.
        kind: which of the two.
        progress: wraps the loop over images; takes the loop and its length.

    Raises:
        DataError: a part of the folder is missing, or its legend cannot be used.
    """
    table = data_table(folder) or CLASSES
    sets, legend = (road_sets(table), set(range(256))) if kind == "roads" else read_legend(folder / LEGEND_FILE, table)
    files = label_pairs(folder, kind)
    name = folder.resolve().name
    sizes, counts, problems = Counter[tuple[int, int]](), np.zeros(256), list[Problem]()
    useless = list[PairLocation]()
    for (file, found), _ in zip(_read(files), progress(range(len(files)), len(files)), strict=False):
        where = PairLocation(name, file.name)
        if isinstance(found, DataError):
            problems.append(Problem("unreadable", (where,), found.found))
            continue
        size, values = found
        sizes[size] += 1
        counts += values
        if lacking := sorted(set(np.flatnonzero(values).tolist()) - legend):
            problems.append(Problem("unknown value", (where,), f"label holds {lacking[0]}, which {LEGEND_FILE} lacks"))
        if kind == "roads" and not FEWEST_ROADS < values[ROAD_VALUE + 1 :].sum() / values.sum() < MOST_ROADS:
            useless.append(where)
    if useless:
        problems.append(Problem("mask", tuple(useless), "nearly empty, or more than half white: it is not used"))
    shares = _shares(counts, sets, table)
    known = 1 - shares.get(_names(int(table.every_class), table), 0) if shares else 0.0
    return LabelReport(kind, len(files), sizes, shares, known, problems)


def _shares(counts: npt.NDArray[np.float64], sets: ClassSets, table: ClassTable) -> dict[str, float]:
    """Share of the pixels of each set of classes, the largest first, from how often labels hold each value."""
    shares = Counter[str]()
    for value in np.flatnonzero(counts).tolist():
        shares[_names(int(sets[value]), table)] += counts[value] / counts.sum()
    return {names: float(share) for names, share in shares.most_common()}


def _names(bits: int, table: ClassTable) -> str:
    return "|".join(name for i, name in enumerate(table.names) if bits >> i & 1)


Found = tuple[tuple[int, int], npt.NDArray[np.intp]]
"""Height and width of an image, and how often its label holds each value."""


def _read(files: Iterable[PairFile]) -> Iterator[tuple[PairFile, Found | DataError]]:
    def read(file: PairFile) -> tuple[PairFile, Found | DataError]:
        try:
            label = read_pair(file).target_hwc[..., 0]
        except DataError as error:
            return file, error
        return file, ((label.shape[0], label.shape[1]), np.bincount(label.ravel(), minlength=256))

    turn = iter(files)
    with ThreadPoolExecutor() as pool:
        while batch := list(islice(turn, 32)):
            yield from pool.map(read, batch)
