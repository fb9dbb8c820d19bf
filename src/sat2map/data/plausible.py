"""Whether files that are taken for pairs look like pairs; what does not is said before anything learns from it."""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sat2map.arrays import UInt8
from sat2map.data.pairs import PairFile, TwoFiles, read_pair
from sat2map.errors import DataError

N_SAMPLED = 16
NEIGHBOURS_PX = 16
LEAST_JUMP = 2.0
"""The step from the left half to the right one over that between neighbours of the same half; of one image it is 1."""
LARGEST_CLASS = 31
"""Levels up to here in all images of one side are numbers of classes, or of another scale than 0 to 255."""
TAGS = (
    ("a", "b"), ("real_a", "real_b"), ("real_a", "fake_b"), ("sat", "map"), ("sat", "mask"), ("satellite", "map"),
    ("image", "mask"), ("image", "label"), ("img", "mask"), ("img", "label"), ("rgb", "mask"), ("rgb", "label"),
    ("rgb", "gt"), ("image", "gt"), ("source", "target"), ("input", "target"), ("input", "output"), ("x", "y"),
)  # fmt: skip
"""What the names of the two images of a pair end or begin with, as many tools write them."""


class Sample(NamedTuple):
    """What a few pairs look like."""

    jump: float
    """Median step at the seam over the steps beside it; NaN where images are of one colour."""
    is_wide: bool
    """Whether the whole images are twice as wide as high, as pairs of squares are."""
    largest: tuple[int, int]
    """Largest level of A and of B."""


def check_plausible(files: Sequence[PairFile], folder: str | os.PathLike[str]) -> None:
    """Refuse images that are no pairs, and maps that hold numbers of classes.

    Args:
        files: pairs as `list_pairs` found them.
        folder: where they were found, for errors.

    Raises:
        DataError: names such as `1_A.png` and `1_B.png` lie in one folder; or halves of a file continue each other; or
            one side holds no level above 31.
    """
    if not isinstance(files[0], TwoFiles):
        _check_names([Path(os.fspath(file)) for file in files if not isinstance(file, TwoFiles)], folder)
    found = _sample(files)
    if found is None:
        return
    if not isinstance(files[0], TwoFiles) and found.jump < LEAST_JUMP:
        _say_single(folder, is_wide=found.is_wide)
    for side, largest in zip("AB", found.largest, strict=True):
        if 0 < largest <= LARGEST_CLASS:
            raise DataError(
                f"images of side {side} hold no level above {largest}: numbers of classes, not colours", folder,
                hint="colour the maps; or lay them out as partial labels: image/, label/ and legend.csv "
                "(docs/partial-labels.md)",
            )  # fmt: skip


def _say_single(folder: str | os.PathLike[str], *, is_wide: bool) -> None:
    found = "halves of the images continue each other, so they look like single images and not like side-by-side pairs"
    if is_wide:
        logging.getLogger(__name__).warning("%s: %s", found, folder)
        return
    raise DataError(
        found, folder, hint="pairs of single images lie in two folders A and B, or DATA and `target_folder`"
    )


def _check_names(paths: Sequence[Path], folder: str | os.PathLike[str]) -> None:
    """Refuse two images of a pair that lie side by side in one folder."""
    stems: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        stems[path.stem.lower()].add(path.name)
    for one, other in TAGS:
        for pattern in (r"(.+[_\-. ]){tag}", r"{tag}([_\-. ]?.+)"):
            rests = [
                {m[1] for stem in stems if (m := re.fullmatch(pattern.format(tag=tag), stem))} for tag in (one, other)
            ]
            common = rests[0] & rests[1]
            if 2 * len(common) > len(stems) / 2:
                raise DataError(
                    f"two images of each pair lie in one folder ({len(common)} names with {one} and with {other})",
                    folder, hint=f"move them to two folders A and B, without {one} and {other} in their names",
                )  # fmt: skip


def _sample(files: Sequence[PairFile]) -> Sample | None:
    chosen = [files[i] for i in sorted({round(i) for i in np.linspace(0, len(files) - 1, N_SAMPLED)})]
    pairs = []
    for file in chosen:
        try:
            pairs.append(read_pair(file))
        except DataError:
            # Named with all others of its kind when the whole set is read.
            continue
    if not pairs:
        return None
    jumps = [_jump(*pair) for pair in pairs]
    known = [jump for jump in jumps if np.isfinite(jump)]
    shapes = {half.shape[:2] for pair in pairs for half in pair}
    a, b = (max(int(half.max()) for half in side) for side in zip(*pairs, strict=True))
    return Sample(
        float(np.median(known)) if known else float("nan"), all(height == width for height, width in shapes), (a, b)
    )


def _jump(left_hwc: UInt8, right_hwc: UInt8) -> float:
    left, right = left_hwc[:, -NEIGHBOURS_PX:].astype(np.int16), right_hwc[:, :NEIGHBOURS_PX].astype(np.int16)
    if left.shape[1] < 2 or left.shape != right.shape:
        return float("nan")
    beside = float(np.mean([np.abs(np.diff(side, axis=1)).mean() for side in (left, right)]))
    seam = float(np.abs(left[:, -1] - right[:, 0]).mean())
    return seam / beside if beside else (float("inf") if seam else float("nan"))
