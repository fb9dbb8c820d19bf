"""Pairs decoded once, into one memory-mapped file of uint8 that any number of runs share."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from sat2map.arrays import UInt8
from sat2map.data.identity import combined, file_digests
from sat2map.data.pairs import Direction, Pair, PairFile, PairFolder, check_pairs, list_pairs, read_pair
from sat2map.errors import DataError
from sat2map.files import cache_folder, full_disk_named

CACHE_VERSION = 2
WORK_SUFFIX = ".part"
SILENT_S = 600
"""A decode writes every few seconds; one that has not for so long was killed."""


@dataclass(frozen=True)
class CachedPairs:
    """A data set's pairs, by index; pixels are read from disk when they are asked for.

    Attributes:
        names: file name of each pair.
        shapes: height and width of each whole image, both halves.
        pixels: uint8, one dimension: every image, one after the other.
        direction: which half is the source.
        digests: of the bytes of each pair's files.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    pixels: UInt8
    direction: Direction
    digests: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((3 * h * w for h, w in self.shapes), initial=0))

    def __getitem__(self, index: int) -> Pair:
        height, width = self.shapes[index]
        both = self.pixels[self._starts[index] : self._starts[index + 1]].reshape(height, width, 3)
        left, right = both[:, : width // 2], both[:, width // 2 :]
        return Pair(left, right) if self.direction == "AtoB" else Pair(right, left)


def open_cached(folder: PairFolder, *, direction: Direction = "AtoB", cache: Path | None = None) -> CachedPairs:
    """Open a data set, decoding it if no run has done so.

    Raises:
        DataError: what `list_pairs` raises, or pairs are broken (all of them are named).
    """
    paths = list_pairs(folder)
    root = cache or cache_folder()
    digests = file_digests(paths, root)
    name = combined([f"pairs {CACHE_VERSION}", *digests])
    index, pixels = (root / f"{name}{suffix}" for suffix in (".json", ".u8"))
    if not index.exists():
        root.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(root)
        _decode(paths, index, pixels)
    shapes = tuple((h, w) for h, w in json.loads(index.read_text()))
    return CachedPairs(tuple(p.name for p in paths), shapes, np.memmap(pixels, np.uint8, "r"), direction, digests)


def _remove_abandoned(root: Path) -> None:
    """Remove what killed decodes left; a decode that goes on, of another process, is left alone."""
    for work in root.glob(f"*{WORK_SUFFIX}"):
        # Another process may be removing it as well, or have finished it.
        with suppress(FileNotFoundError):
            last_write = max(path.stat().st_mtime for path in (work, *work.iterdir()))
            if time.time() - last_write > SILENT_S:
                shutil.rmtree(work)


def _decode(paths: Sequence[PairFile], index: Path, pixels: Path) -> None:
    """Write both files of a cache beside their names, then rename; two runs at once write the same bytes.

    The index comes last: where it is, the pixels are whole.
    """
    with (
        full_disk_named(pixels),
        tempfile.TemporaryDirectory(dir=index.parent, prefix=f"{index.stem}-", suffix=WORK_SUFFIX) as work,
    ):
        shapes = []
        problems: list[DataError] = []
        with (Path(work) / "pixels").open("wb") as out:
            for both in _decoded(paths):
                if isinstance(both, DataError):
                    problems.append(both)
                else:
                    shapes.append(both.shape[:2])
                    out.write(both.tobytes())
        check_pairs(paths, problems)
        (Path(work) / "index").write_text(json.dumps(shapes))
        (Path(work) / "pixels").rename(pixels)
        (Path(work) / "index").rename(index)


def _decoded(paths: Sequence[PairFile]) -> Iterator[UInt8 | DataError]:
    def decode(path: PairFile) -> UInt8 | DataError:
        try:
            return np.concatenate(read_pair(path), axis=1)
        except DataError as error:
            return error

    # Pillow decodes without the interpreter's lock. In slices: a plain map would hold the whole set in memory.
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), 64):
            yield from pool.map(decode, paths[start : start + 64])
