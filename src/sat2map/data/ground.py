"""Pairs of your own ground: scenes and vectors in, a data set of images and maps out, with its groups and its terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from sat2map.data.align_image import write_align_image
from sat2map.data.footprint import footprint_groups
from sat2map.data.ground_cells import CLASS_FOLDER, Cell, CellWriter, PredictedRoads, Reason
from sat2map.data.ground_file import DATA_FILE, GroundFile, write_ground_file
from sat2map.data.pairs import FOLDERS
from sat2map.data.split import GROUPS_FILE, write_rows
from sat2map.errors import DataError
from sat2map.files import replacing_folder
from sat2map.scene.options import DEFAULT_READ_OPTIONS, ReadOptions
from sat2map.scene.source import open_scene, share_stretch
from sat2map.scene.stretch import NOTHING_SHARED
from sat2map.vector.draw import Counts, open_vector_map
from sat2map.vector.draw_style import DrawStyle

ALIGN_FILE, ALIGN_IMAGE = "alignment.csv", "alignment.png"
PAIR_PX = 600
BLOCK_PAIRS = 2
"""Side of a block, in pairs."""

RoadModel = Callable[[str], AbstractContextManager[PredictedRoads]]
"""Opens what a model sees of a scene."""


@dataclass(frozen=True)
class GroundOptions:
    """How pairs are cut.

    Attributes:
        size_px: side of a pair.
        block_m: pairs whose centres lie in one square of this side are one group; None: two pairs wide.
        layers: of the vectors; names or patterns.
        licence: of the maps; None: the style's, which is that of the vectors.
        read: how scenes are read.
    """

    size_px: int = PAIR_PX
    block_m: float | None = None
    layers: tuple[str, ...] = ()
    licence: str | None = None
    read: ReadOptions = DEFAULT_READ_OPTIONS


DEFAULT_GROUND_OPTIONS = GroundOptions()


@dataclass(frozen=True)
class WrittenPairs:
    """What was written.

    Attributes:
        folder: of the data set.
        cells: all squares of all scenes.
        n_groups: groups of the pairs.
        counts: what became of the features near each scene.
    """

    folder: Path
    cells: tuple[Cell, ...]
    n_groups: int
    counts: dict[str, Counts]

    def n_cells(self, reason: Reason) -> int:
        """Squares of which this became."""
        return sum(cell.reason == reason for cell in self.cells)

    def remarks(self) -> Iterator[str]:
        """Why squares are no pairs, and of how many the roads were completed, in lines."""
        for reason in get_args(Reason):
            if reason != "written" and (n := self.n_cells(reason)):
                yield f"left out: {n} of {len(self.cells)} squares ({reason})"
        if n := sum(cell.is_completed for cell in self.cells):
            yield f"completed: {n} squares lack roads that the model sees, and have them from it"


def write_ground_pairs(
    scenes: Sequence[str | Path], vectors: Sequence[Path], folder: Path, style: DrawStyle,
    options: GroundOptions = DEFAULT_GROUND_OPTIONS, *, road_model: RoadModel | None = None, overwrite: bool = False,
) -> WrittenPairs:  # fmt: skip
    """Cut pairs from scenes, and draw their maps from vectors.

    Images go to `A`, maps to `B`, and numbers of classes, with the class table's colours, to `classes`.

    Args:
        scenes: files or URLs.
        vectors: files that GDAL reads, extracts of OpenStreetMap, or GeoParquet.
        folder: of the data set, which appears whole at the end.
        style: how the vectors are drawn.
        options: how pairs are cut.
        road_model: what a model sees of a scene. Vectors are moved to where it sees their roads; squares where it
            sees some that are not drawn have them from it, and those where it sees many are left out.
        overwrite: whether a data set that exists is replaced.

    Raises:
        DataError: vectors cannot be read or lie elsewhere, the style draws nothing, or no pair is left.
        SceneError: a scene cannot be read, or has no georeference.
        OutputError: the folder cannot be written.
    """
    with replacing_folder(folder, DATA_FILE, overwrite=overwrite, inputs=[*scenes, *vectors]) as work:
        for part in (*FOLDERS, CLASS_FOLDER):
            (work / part).mkdir()
        cells, counts, gsd_m = _write_scenes(scenes, vectors, work, style, options, road_model)
        written = [cell for cell in cells if cell.reason == "written"]
        if not written:
            _refuse_empty(cells, options, scenes)
        n_groups = _write_groups(work, written, (options.block_m or BLOCK_PAIRS * options.size_px * gsd_m) / gsd_m)
        _write_alignment(work / ALIGN_FILE, cells)
        described = GroundFile.of(style, options.licence, gsd_m, scenes, vectors)
        n_written = {"n_pairs": len(written), "n_groups": n_groups}
        write_ground_file(work / DATA_FILE, described.model_copy(update=n_written))
    return WrittenPairs(folder, tuple(cells), n_groups, counts)


def _write_scenes(
    scenes: Sequence[str | Path], vectors: Sequence[Path], work: Path, style: DrawStyle, options: GroundOptions,
    road_model: RoadModel | None,
) -> tuple[list[Cell], dict[str, Counts], float]:  # fmt: skip
    """Write the pairs of all scenes; return their squares, what became of the features, and the median GSD."""
    shared = share_stretch(scenes, options.read) if len(scenes) > 1 else NOTHING_SHARED
    cells: list[Cell] = []
    counts: dict[str, Counts] = {}
    sides_m = []
    for scene, name in zip(map(str, scenes), _scene_names(scenes), strict=True):
        with (
            open_scene(scene, options.read, shared=shared) as source,
            nullcontext() if road_model is None else road_model(scene) as predicted,
        ):
            drawn = open_vector_map(vectors, style, source.grid, scene, options.layers)
            counts[scene] = drawn.counts
            sides_m.append((drawn.frame.x_m * drawn.frame.y_m) ** 0.5)
            found = CellWriter(source, drawn, work, name, predicted).write_all(scene, options.size_px)
            if aligned := [cell for cell in found if cell.shift is not None]:
                image = work / (ALIGN_IMAGE if len(scenes) == 1 else f"{name}_{ALIGN_IMAGE}")
                write_align_image(image, source, aligned, drawn.roads, sides_m[-1])
            cells += found
    return cells, counts, float(np.median(sides_m))


def _scene_names(scenes: Sequence[str | Path]) -> list[str]:
    """A name for each scene by which its pairs begin, no two alike."""
    stems = [Path(str(scene)).stem for scene in scenes]
    alike = Counter(stems)
    return [stem if alike[stem] == 1 else f"{stem}-{i + 1}" for i, stem in enumerate(stems)]


def _refuse_empty(cells: Sequence[Cell], options: GroundOptions, scenes: Sequence[str | Path]) -> None:
    names = ", ".join(Path(str(scene)).name for scene in scenes)
    if not cells:
        raise DataError(f"scenes are smaller than a pair of {options.size_px} px", names, hint="set `size_px` lower")
    reasons = Counter(cell.reason for cell in cells)
    words = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    raise DataError(
        f"none of {len(cells)} squares became a pair ({words})", names,
        hint="are these vectors of this ground, and complete? a smaller `size_px` loses less to nodata",
    )  # fmt: skip


def _write_groups(work: Path, cells: Sequence[Cell], block_px: float) -> int:
    """Write the group of each pair: a block, and all that shares ground with it; return how many there are."""
    # Footprints are in the CRS's unit, which need not be metres.
    unit_per_px = [(c.footprint.right - c.footprint.left) / c.window.width for c in cells]
    numbers = footprint_groups([cell.footprint for cell in cells], block_px * float(np.median(unit_per_px)))
    rows = [{"file": f"{cell.name}.tif", "group": f"b{n + 1:03d}"} for cell, n in zip(cells, numbers, strict=True)]
    write_rows(work / GROUPS_FILE, rows)
    return len(set(numbers))


def _write_alignment(path: Path, cells: Sequence[Cell]) -> None:
    """Write what a model found of each square: the table of shifts and of missing roads."""
    rows = [
        {
            "file": cell.name, "scene": Path(cell.scene).name, "row": cell.window.row, "col": cell.window.col,
            "right_m": f"{cell.shift.estimate.right_m:.2f}", "up_m": f"{cell.shift.estimate.up_m:.2f}",
            "confidence": f"{cell.shift.estimate.confidence:.3f}",
            "smoothed_right_m": f"{cell.shift.smoothed_m[0]:.2f}", "smoothed_up_m": f"{cell.shift.smoothed_m[1]:.2f}",
            "missing_roads": f"{cell.missing or 0:.3f}", "became": "completed" if cell.is_completed else cell.reason,
        }
        for cell in cells
        if cell.shift is not None
    ]  # fmt: skip
    if rows:
        write_rows(path, rows)
