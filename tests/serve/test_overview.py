"""Overviews made piece by piece are GDAL's, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sat2map.classes import COLOURS_RGB
from sat2map.scene.destination import open_writer
from sat2map.scene.georeference import Grid
from sat2map.serve.overview import Taps, reduce, reduced_size, reduced_window
from sat2map.tiling import Window

from ..scene.rasters import PLACE


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    # From 4 px on, no axis has shrunk to one pixel before the last level: see `sat2map.serve.overview`.
    st.integers(4, 700), st.integers(513, 1300), st.booleans(), st.integers(40, 400), st.booleans(),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_pieces_equal_the_overviews_of_the_translated_file(
    tmp_path: Path, height: int, width: int, masked: bool, piece_px: int, turned: bool, seed: int
) -> None:
    if turned:
        height, width = width, height
    rng = np.random.default_rng(seed)
    # Few colours: averages then often lie just between two levels.
    rgb = COLOURS_RGB[rng.integers(0, 3, (height, width))]
    valid = rng.random((height, width)) < 0.7 if masked else None
    path = tmp_path / f"{seed}.tif"
    path.unlink(missing_ok=True)
    with open_writer(path, Grid(height, width, **PLACE), with_mask=masked, tags={}) as writer:
        writer.write(Window(0, 0, height, width), rgb, valid)
    with rasterio.open(path) as dataset:
        n_levels = len(dataset.overviews(1))
    assert n_levels
    for level in range(n_levels):
        with rasterio.open(path, overview_level=level) as dataset:
            wanted, wanted_valid = np.moveaxis(dataset.read(), 0, -1), dataset.read_masks(1) > 0
        assert wanted.shape[:2] == reduced_size(*rgb.shape[:2])
        pieces, pieces_valid = _in_pieces(rgb, valid, piece_px)
        np.testing.assert_array_equal(pieces, wanted)
        if pieces_valid is not None:
            np.testing.assert_array_equal(pieces_valid, wanted_valid)
        rgb, valid = pieces, pieces_valid


def _in_pieces(rgb: np.ndarray, valid: np.ndarray | None, piece_px: int) -> tuple[np.ndarray, np.ndarray | None]:
    height, width = rgb.shape[:2]
    rows, cols = reduced_size(height, width)
    result = np.zeros((rows, cols, 3), np.uint8)
    result_valid = None if valid is None else np.zeros((rows, cols), bool)
    for row in range(0, height, piece_px):
        for col in range(0, width, piece_px):
            # What a change of these pixels changes above; together that is everything.
            part = reduced_window(Window(row, col, piece_px, piece_px).clipped(height, width), height, width)
            y = Taps.of(height, rows, part.row, part.row + part.height)
            x = Taps.of(width, cols, part.col, part.col + part.width)
            read = np.s_[y.start : y.stop, x.start : x.stop]
            pixels, piece_valid = reduce(y, x, rgb[read], None if valid is None else valid[read])
            result[part.slices] = pixels
            if result_valid is not None:
                result_valid[part.slices] = piece_valid
    return result, result_valid


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_reduced_window_holds_every_pixel_that_a_change_reaches(height: int, width: int, data: st.DataObject) -> None:
    row, col = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    part = reduced_window(Window(row, col, 1, 1), height, width)
    rows, cols = reduced_size(height, width)
    for size, reduced, place, start, length in (
        (height, rows, row, part.row, part.height), (width, cols, col, part.col, part.width),
    ):  # fmt: skip
        taps = Taps.of(size, reduced, 0, reduced)
        reached = np.flatnonzero(((taps.index == place) & (taps.weight > 0)).any(1))
        assert set(reached) <= set(range(start, start + length))
