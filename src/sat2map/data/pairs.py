"""Side-by-side pairs: one picture whose left half is A and whose right half is B, at the same scale and place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from sat2map.errors import DataError

UInt8 = npt.NDArray[np.uint8]
Direction = Literal["AtoB", "BtoA"]
"""`AtoB`: the left half is the source, the right half the target; `BtoA`: the other way round."""

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


class Pair(NamedTuple):
    """Source and target of one place; both uint8, shape (H, W, 3), 0..255, RGB."""

    source_hwc: UInt8
    target_hwc: UInt8


def _natural(path: Path) -> tuple[int, str]:
    return len(path.stem), path.name


def list_pairs(folder: str | Path) -> list[Path]:
    """The pictures in a folder, in natural order (2 before 10).

    Raises:
        DataError: no such folder, or no picture in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError("no such folder of pairs", folder, hint="give a folder of side-by-side pictures")
    found = sorted((p for p in root.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES), key=_natural)
    if not found:
        raise DataError(
            "folder holds no picture", folder, hint=f"side-by-side pairs end in {', '.join(PICTURE_SUFFIXES)}"
        )
    return found


def read_pair(path: Path, direction: Direction = "AtoB") -> Pair:
    """Decode one pair and cut its halves apart, before anything is resized: no pixel crosses the seam.

    Raises:
        DataError: the file is no picture, is truncated, or cannot be halved.
    """
    try:
        with Image.open(path) as picture:
            both = np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"pair cannot be read ({error})", path, hint="remove the file or replace it") from error
    width = both.shape[1]
    if width % 2:
        raise DataError(f"pair is {width} px wide, which has no two halves", path, hint="remove the file")
    left, right = both[:, : width // 2], both[:, width // 2 :]
    return Pair(left, right) if direction == "AtoB" else Pair(right, left)


def check_pairs(paths: Sequence[Path], problems: Sequence[DataError]) -> None:
    """Name every broken pair at once.

    Raises:
        DataError: there is any.
    """
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise DataError(
            f"{len(problems)} of {len(paths)} pairs are broken:\n{lines}", hint="remove these files or replace them"
        )
