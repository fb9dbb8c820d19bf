"""Partial labels: images where each pixel is known to be one of a set of classes, and no more than that."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Bool, UInt8
from sat2map.classes import ClassTable
from sat2map.data.cache import CachedPairs, open_cached
from sat2map.data.pairs import PairFile, TwoFolders, list_pairs
from sat2map.errors import DataError, import_extra

LabelKind = Literal["partial", "roads"]
"""`partial`: labels in `label/`, and `legend.csv`; `roads`: masks in `mask/`, white where a road is."""
LABEL_FOLDERS: Mapping[LabelKind, str] = {"partial": "label", "roads": "mask"}
LEGEND_FILE = "legend.csv"
LEGEND_HINT = "a CSV with the columns value, classes; classes are names of the class table joined by |"
ROAD_VALUE = 127
"""Masks of roads are white, 255, where a road is; what lies above this value is taken for white."""
FEWEST_ROADS, MOST_ROADS = 0.01, 0.5
"""A road mask is used if its share of white lies between: emptier ones were left undone, fuller ones are blank."""

ClassSets = npt.NDArray[np.uint32]
"""Sets of classes as bits: bit i is set where class i is possible."""


class PartialPair(NamedTuple):
    """An image and what is known of it."""

    image_hwc: UInt8
    """uint8, shape (H, W, 3), 0..255, RGB."""
    label_hw: UInt8
    """uint8, shape (H, W): a row of `PartialLabels.sets` for each pixel."""


@dataclass(frozen=True)
class PartialLabels:
    """A folder of images with partial labels, decoded once.

    Attributes:
        names: file name of each image that is used.
        sets: uint32, shape (256,): the classes that each value of a label allows.
        table: the classes.
    """

    table: ClassTable
    names: tuple[str, ...]
    sets: ClassSets
    pairs: CachedPairs
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> PartialPair:
        image_hwc, label_hwc = self.pairs[self.indices[index]]
        return PartialPair(image_hwc, label_hwc[..., 0])

    def matching(self, only: Sequence[str] = (), without: Sequence[str] = ()) -> PartialLabels:
        """The images that `matches` chooses by their names."""
        return self.chosen([i for i, name in enumerate(self.names) if matches(name, only, without)])

    def chosen(self, kept: Sequence[int]) -> PartialLabels:
        """The images of these indices."""
        return replace(self, names=tuple(self.names[i] for i in kept), indices=tuple(self.indices[i] for i in kept))


def matches(name: str, only: Sequence[str] = (), without: Sequence[str] = ()) -> bool:
    """Whether a name matches one of the patterns `only`, if there are any, and none of `without`.

    >>> matches("t4_001.png", without=["t1_*", "t3_*"])
    True
    """
    return (not only or any(fnmatchcase(name, p) for p in only)) and not any(fnmatchcase(name, p) for p in without)


def label_kind(folder: Path) -> LabelKind | None:
    """What a folder holds beside `image/`: partial labels, or road masks; None: it is no such folder."""
    kinds = (kind for kind, inner in LABEL_FOLDERS.items() if (folder / inner).is_dir())
    return next(kinds, None) if (folder / "image").is_dir() else None


def label_pairs(folder: Path, kind: LabelKind) -> Sequence[PairFile]:
    """The images of a folder of labels, each with its label; raises what `list_pairs` raises."""
    return list_pairs(TwoFolders(folder / "image", folder / LABEL_FOLDERS[kind]))


def label_files(folder: Path, kind: LabelKind) -> list[PairFile]:
    """Every file of a folder of labels: its images with their labels, and its legend.

    Raises:
        DataError: what `list_pairs` raises.
    """
    legend = [folder / LEGEND_FILE] if kind == "partial" else []
    return [*label_pairs(folder, kind), *legend]


def open_labels(folder: Path, kind: LabelKind, table: ClassTable, cache: Path | None = None) -> PartialLabels:
    """Open a folder of partial labels or road masks; raises what `open_partial` and `open_road_masks` raise."""
    return (open_partial if kind == "partial" else open_road_masks)(folder, table, cache)


def open_partial(folder: Path, table: ClassTable, cache: Path | None = None) -> PartialLabels:
    """Open a folder of images and labels of equal names.

    Args:
        folder: holds `image/`, `label/` (one band of 8 bits) and `legend.csv`.
        table: the classes that the legend names.
        cache: folder of decoded images, if not the user's.

    Raises:
        DataError: a part is missing or broken, or a label holds a value that the legend lacks.
    """
    sets, known = read_legend(folder / LEGEND_FILE, table)
    pairs = open_cached(TwoFolders(folder / "image", folder / "label"), cache=cache)
    for i, name in enumerate(pairs.names):
        present = np.flatnonzero(np.bincount(pairs[i].target_hwc[..., 0].ravel(), minlength=256))
        lacking = sorted(set(present.tolist()) - known)
        if lacking:
            raise DataError(
                f"label holds the value {lacking[0]}, which {LEGEND_FILE} does not have", folder / "label" / name,
                hint=f"add a row to {LEGEND_FILE}; labels are single bands of 8 bits, without a palette",
            )  # fmt: skip
    return PartialLabels(table, pairs.names, sets, pairs, tuple(range(len(pairs))))


def open_road_masks(folder: Path, table: ClassTable, cache: Path | None = None) -> PartialLabels:
    """Open a folder of images and road masks: the special case in which only the roads are known.

    Masks that are nearly empty, or more than half white, are left out.

    Args:
        folder: holds `image/` and `mask/`, white where a road is.
        table: the classes.
        cache: folder of decoded images, if not the user's.

    Raises:
        DataError: a part is missing or broken, no mask can be used, or no class is a road.
    """
    sets = road_sets(table)
    pairs = open_cached(TwoFolders(folder / "image", folder / "mask"), cache=cache)
    shares = [float((pairs[i].target_hwc[..., 0] > ROAD_VALUE).mean()) for i in range(len(pairs))]
    indices = tuple(i for i, share in enumerate(shares) if FEWEST_ROADS < share < MOST_ROADS)
    if not indices:
        raise DataError("no road mask can be used", folder / "mask", hint="masks are white where a road is")
    return PartialLabels(table, tuple(pairs.names[i] for i in indices), sets, pairs, indices)


def road_sets(table: ClassTable) -> ClassSets:
    """The set of classes of each value of a road mask: a road, or anything but a road; uint32, shape (256,).

    Raises:
        DataError: no class, or every one, is a road.
    """
    if not table.roads or table.roads == table.every_class:
        raise DataError("road masks say nothing of classes among which no, or every, class is a road", table)
    sets = np.full(256, table.every_class & ~table.roads, np.uint32)
    sets[ROAD_VALUE + 1 :] = table.roads
    return sets


def read_legend(file: Path, table: ClassTable) -> tuple[ClassSets, set[int]]:
    """The set of classes of each value of a label, shape (256,), and the values that the legend has.

    Raises:
        DataError: it is missing, broken or empty, or names a class that there is not.
    """
    sets = np.full(256, table.every_class, np.uint32)
    known = set[int]()
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            for row in csv.DictReader(lines):
                value = int(row["value"])
                sets[value], known = _set_of(row, file, table), known | {value}
    except (OSError, KeyError, ValueError, TypeError, IndexError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("legend of the partial labels cannot be read", file, hint=LEGEND_HINT) from error
    if not known:
        raise DataError("legend of the partial labels has no rows", file, hint=LEGEND_HINT)
    return sets, known


def _set_of(row: Mapping[str, str], file: Path, table: ClassTable) -> int:
    found, unknown = named_set(row["classes"], table)
    if unknown:
        raise DataError(f"{file.name} names a class that there is not", unknown[0], hint=f"one of {table}")
    # A value without classes says nothing.
    return found or int(table.every_class)


def named_set(text: str, table: ClassTable) -> tuple[int, list[str]]:
    """The set of the classes that a text names (`a|b`), as bits, and the names that are of no class.

    >>> from sat2map.classes import CLASSES
    >>> named_set("land | water|moon", CLASSES)
    (9, ['moon'])
    """
    names = dict.fromkeys(name.strip() for name in text.split("|") if name.strip())
    return sum(1 << table.names.index(name) for name in names if name in table.names), [
        name for name in names if name not in table.names
    ]


def expand_folder(folder: str | os.PathLike[str]) -> Path:
    """A folder of a recipe, with `~` and variables such as `$SAT2MAP_DATA` replaced.

    Raises:
        DataError: there is no such folder, or a variable is not set.
    """
    path = Path(os.path.expandvars(folder)).expanduser()
    if "$" in str(path):
        variable = str(path).partition("$")[2].partition("/")[0].strip("{}")
        raise DataError(
            "folder of the recipe has a variable that is not set",
            folder,
            hint=f"export {variable}=FOLDER, or leave its `sources` out",
        )
    if not path.is_dir():
        raise DataError(
            "no such folder of the recipe",
            path,
            hint="change `folder`, or leave it out; `set` sources=[] leaves all out",
        )
    return path


def dilated(mask: Bool, slack_px: int) -> Bool:
    """The pixels of a mask and all that are no farther from one than `slack_px` in rows and in columns.

    Args:
        mask: bool, shape (H, W).
        slack_px: how far.
    """
    grown: Bool = import_extra("scipy.ndimage", "eval").maximum_filter(mask, 2 * slack_px + 1, mode="constant")
    return grown


def near_roads(roads: Bool, slack_px: int) -> Bool:
    """Pixels that are no road and so near to one that a mask, which is rarely right to the pixel, says nothing of them.

    Args:
        roads: bool, shape (H, W).
        slack_px: how near.
    """
    return dilated(roads, slack_px) & ~roads
