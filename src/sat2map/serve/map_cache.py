"""The folder of all sparse maps: finds the one of a scene and a model, and deletes old ones to make room."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sat2map.errors import OutputError
from sat2map.files import try_lock
from sat2map.scene.georeference import Grid
from sat2map.scene.identity import identity
from sat2map.serve.sparse_map import DONE, LOCK, VERSION, SparseMap, full_size
from sat2map.tiling import Window


class MapCache:
    """A folder of sparse maps with a limit on its size.

    Args:
        folder: holds one folder for each sparse map; made when it is needed.
        limit_bytes: room that all sparse maps may take.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self._needed: dict[str, int] = {}

    @contextmanager
    def opened(
        self, what: str, files: Iterable[Path], grid: Grid, windows: Sequence[Window], *, with_mask: bool
    ) -> Iterator[SparseMap]:
        """Open the sparse map of a layer, with everything that was drawn in it before.

        Args:
            what: text that says what is drawn and how, beginning with the name of the layer.
            files: files that the scene is read from.
            grid: grid of the scene.
            windows: windows on that grid, which they partition, row by row.
            with_mask: whether the scene has invalid pixels.

        Raises:
            OutputError: the sparse maps in use do not fit into the cache, another server draws this one, or the folder
                cannot be written to.
        """
        name = _folder_name(what, files)
        self._needed[name] = full_size(grid, with_mask=with_mask)
        try:
            make_room(self._folder, self._needed, self._limit_bytes)
            try:
                sparse_map = SparseMap(self._folder / name, grid, windows, with_mask=with_mask)
            except OSError as error:
                found = f"folder of what is drawn cannot be written to ({error.strerror})"
                raise OutputError(found, self._folder, hint="choose another with `cache`") from error
            try:
                yield sparse_map
            finally:
                sparse_map.close()
        finally:
            self._needed.pop(name, None)


def make_room(root: Path, needed: dict[str, int], limit_bytes: int) -> None:
    """Delete the sparse maps that have not been used for longest, until those that are needed now fit.

    Args:
        root: folder of all sparse maps.
        needed: full size in bytes of each sparse map that will be used, by the name of its folder.
        limit_bytes: room that all sparse maps may take.

    Raises:
        OutputError: the sparse maps that are needed do not fit by themselves.
    """
    total = sum(needed.values())
    if total > limit_bytes:
        raise OutputError(
            f"maps of these scenes take up to {total / 2**30:.1f} GiB, the cache may take",
            f"{limit_bytes / 2**30:.1f} GiB", hint="`cache_gib` with a larger number, or fewer scenes",
        )  # fmt: skip
    others = [done for done in root.glob(f"*/{DONE}") if done.parent.name not in needed]
    for done in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True):
        size = sum(file.stat().st_blocks * 512 for file in done.parent.iterdir())
        if total + size <= limit_bytes:
            total += size
        elif _is_free(done):
            shutil.rmtree(done.parent)


def _is_free(done: Path) -> bool:
    lock = try_lock(done.with_name(LOCK))
    if lock is None:
        return False
    lock.release()
    return True


def _folder_name(what: str, files: Iterable[Path]) -> str:
    """Name the sparse map of a layer: another file, a changed file or another model gives another name."""
    digest = hashlib.sha256(f"{VERSION} {what}".encode())
    for state in identity(files):
        digest.update(f"{state}\n".encode())
    return f"{what.partition(' ')[0]}-{digest.hexdigest()[:24]}"
