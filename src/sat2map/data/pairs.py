"""Pairs of images of one area, A and B: halves of one file, or two files of equal name, which may be GeoTIFFs.

It never resamples: two images of different size or georeference are no pair.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from sat2map.arrays import UInt8
from sat2map.errors import DataError, Sat2mapError

if TYPE_CHECKING:
    from sat2map.scene.georeference import Grid

Direction = Literal["AtoB", "BtoA"]
"""`AtoB`: A (the left half) is the source and B (the right half) the target; `BtoA`: the other way round."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
RASTER_SUFFIXES = (".tif", ".tiff")
FOLDERS = ("A", "B")
"""Folders of equal names within a data set, as other implementations have them."""
N_NAMED = 5
"""How many files an error names."""
GRID_TOLERANCE_PX = 0.01
DEEP_HINT = "gdal_translate -ot Byte -scale LOW HIGH 0 255 SRC 8bit.tif, with one scale for the whole set"


class Pair(NamedTuple):
    """Source and target of one area; both uint8, shape (H, W, 3), 0..255, RGB."""

    source_hwc: UInt8
    target_hwc: UInt8


@dataclass(frozen=True)
class TwoFiles:
    """A pair whose images are files of their own."""

    a: Path
    b: Path

    @property
    def name(self) -> str:
        """By which the pair is known: that of A's file."""
        return self.a.name


@dataclass(frozen=True)
class TwoFolders(os.PathLike[str]):
    """A data set whose images lie in two folders, wherever they are; as a path, it is the first of them."""

    a: Path
    b: Path

    def __fspath__(self) -> str:
        return str(self.a)


PairFile = Path | TwoFiles
"""One side-by-side image, or two files."""
PairFolder = str | Path | TwoFolders
"""A folder of side-by-side images, a folder with `A` and `B` in it, or two folders."""


def natural(name: str) -> list[tuple[int, str]]:
    """Sorting key by which 2 comes before 10, wherever in a name the numbers stand."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def same_name(name: str) -> str:
    """A name in the one form that accented letters have in all file systems (NFC): macOS may take them apart (NFD)."""
    return unicodedata.normalize("NFC", name)


def is_image_file(path: Path) -> bool:
    """Whether a file is an image by its name: nothing hidden, as macOS leaves beside each image."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def list_pairs(folder: PairFolder) -> Sequence[PairFile]:
    """The pairs of a data set, in natural order (2 before 10).

    Raises:
        DataError: no such folder, no image in it, or an image of one folder that has none of its name in the other.
    """
    if isinstance(folder, TwoFolders):
        return _match(folder)
    root = Path(folder)
    if not root.is_dir():
        raise DataError("no such folder of pairs", folder, hint="give a folder of side-by-side images")
    a, b = (root / name for name in FOLDERS)
    if a.is_dir() and b.is_dir():
        return _match(TwoFolders(a, b))
    return list_images(root)


def list_images(folder: Path) -> list[Path]:
    """The images of a folder, in natural order.

    Raises:
        DataError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataError("no such folder of pairs", folder, hint="give a folder of images")
    found = [path for path in folder.iterdir() if is_image_file(path)]
    if found:
        return sorted(found, key=lambda path: (natural(path.stem), path.name))
    hint = f"side-by-side pairs end in {', '.join(IMAGE_SUFFIXES)}; two folders are called A and B"
    inner = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__MACOSX")))
    if inner:
        hint = (
            f"it holds folders ({', '.join(inner[:N_NAMED])}): give one of them, and `target_folder` where B is another"
        )
    raise DataError("folder holds no image", folder, hint=hint)


def _match(folders: TwoFolders) -> list[TwoFiles]:
    """Pairs of the files whose names, without their endings, are equal."""
    named = []
    for folder in (folders.a, folders.b):
        files = list_images(folder)
        by_stem = {same_name(path.stem): path for path in files}
        if len(by_stem) < len(files):
            twice = next(path for path in files if by_stem[same_name(path.stem)] != path)
            raise DataError("two images of a folder have one name", twice, hint="keep one of them")
        named.append(by_stem)
    a, b = named
    for these, others, other in ((a, b, folders.b), (b, a, folders.a)):
        alone = [path.name for stem, path in these.items() if stem not in others]
        if alone:
            more = ", ..." if len(alone) > N_NAMED else ""
            raise DataError(
                f"{len(alone)} images have none of the same name in {other}", ", ".join(alone[:N_NAMED]) + more,
                hint="give the missing images, or move these elsewhere: both folders hold the same names",
            )  # fmt: skip
    return [TwoFiles(path, b[stem]) for stem, path in a.items()]


def read_pair(file: PairFile, direction: Direction = "AtoB") -> Pair:
    """Decode one pair; a side-by-side image is cut before anything is resized, so that no pixel crosses the seam.

    Images are turned as their EXIF says. Of two GeoTIFFs, both lie on the same grid.

    Raises:
        DataError: a file is no image, truncated, of more than 8 bits, or cannot be halved; or two files differ in
            size or georeference.
    """
    a, b = _read_two(file) if isinstance(file, TwoFiles) else _read_halves(file)
    return Pair(a, b) if direction == "AtoB" else Pair(b, a)


def _read_halves(path: Path) -> tuple[UInt8, UInt8]:
    both = _read_image(path)
    width = both.shape[1]
    if width % 2:
        raise DataError(
            f"pair is {width} px wide, which has no two halves", path,
            hint="side-by-side pairs are of even width; single images lie in two folders A and B",
        )  # fmt: skip
    return both[:, : width // 2], both[:, width // 2 :]


def _read_two(files: TwoFiles) -> tuple[UInt8, UInt8]:
    (a, grid_a), (b, grid_b) = (_read_any(path) for path in (files.a, files.b))
    if a.shape != b.shape:
        sizes = " and ".join(f"{half.shape[1]} x {half.shape[0]}" for half in (a, b))
        raise DataError(f"images of the pair differ in size ({sizes} px)", files.b, hint="bring both to one size")
    if grid_a is not None and grid_b is not None and not _same_georeference(grid_a, grid_b):
        raise DataError(
            "rasters of the pair are not on the same grid", files.b,
            hint=f"rio warp {files.b} OUT.tif --like {files.a}",
        )  # fmt: skip
    return a, b


def read_image(path: Path) -> UInt8:
    """Decode one image, which may be a raster: uint8, shape (H, W, 3), RGB.

    Raises:
        DataError: it is no image, truncated, or of more than 8 bits.
    """
    return _read_any(path)[0]


def _read_any(path: Path) -> tuple[UInt8, Grid | None]:
    return _read_raster(path) if _is_raster(path) else (_read_image(path), None)


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in RASTER_SUFFIXES


def _read_image(path: Path) -> UInt8:
    try:
        with Image.open(path) as image:
            _refuse_deep(image, path)
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"pair cannot be read ({error})", path, hint="replace it by a sound copy, or move it elsewhere"
        ) from error


def _refuse_deep(image: Image.Image, path: Path) -> None:
    """Refuse what Pillow would cut or clip to 8 bits without a word."""
    tiles = getattr(image, "tile", None)
    codec = tiles[0].args if tiles else ""
    raw = codec if isinstance(codec, str) else str((codec or ("",))[0])
    # BGR;16 is a BMP of five and six bits.
    if image.mode.startswith(("I", "F")) or (";16" in raw and not raw.startswith("B")):
        raise DataError(f"pair has more than 8 bits ({image.mode})", path, hint=DEEP_HINT)


def _read_raster(path: Path) -> tuple[UInt8, Grid]:
    # Only now: rasterio is slow to load, and images do not need it.
    from sat2map.scene.source import open_scene
    from sat2map.tiling import Window

    try:
        with open_scene(path) as source:
            if source.stretch is None:
                grid = source.grid
                return np.ascontiguousarray(source.read(Window(0, 0, grid.height, grid.width))), grid
    except Sat2mapError as error:
        raise DataError(f"pair cannot be read ({error.found})", path, hint=error.hint) from error
    # A scene of its own is stretched to 8 bits; each pair by itself would be another world.
    raise DataError("pair has more than 8 bits", path, hint=DEEP_HINT)


def _same_georeference(one: Grid, other: Grid) -> bool:
    """Whether corners agree to a small part of a pixel; what has none agrees with everything."""
    if one.transform is None or other.transform is None:
        return True
    if one.crs != other.crs:
        return False
    to_pixels = ~one.transform
    corners = [(x, y) for x in (0, one.width) for y in (0, one.height)]
    moved = [to_pixels * (other.transform * corner) for corner in corners]
    return bool(np.abs(np.subtract(moved, corners)).max() < GRID_TOLERANCE_PX)


def check_pairs(paths: Sequence[PairFile], problems: Sequence[DataError]) -> None:
    """Name every broken pair at once.

    Raises:
        DataError: there is any.
    """
    if problems:
        raise DataError(
            f"{len(problems)} of {len(paths)} pairs are broken",
            hint="replace them by sound copies, or move them elsewhere",
            details=map(str, problems),
        )
