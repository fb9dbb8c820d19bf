"""At what ground resolution the model sees a scene, and the way between its grid and the scene's.

Resampling is one virtual warp of the whole scene: every window of it is a window of the same image.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.warp import reproject

from sat2map.arrays import Bool, UInt8
from sat2map.scene.georeference import Grid
from sat2map.scene.gsd import assumed_gsd, ground_gsd
from sat2map.scene.source import Source
from sat2map.tiling import Window

TOLERANCE = 0.1
"""Share by which a scene may lie outside the model's range and still be left as it is."""
LARGEST_ENLARGEMENT = 2.0
"""Per axis; beyond it there is nothing to be seen that the scene does not show."""
LARGEST_READ_PX = 2**23
"""Pixels of the scene that are held at once to be resampled."""
STRIP_ROWS = 256


@dataclass(frozen=True)
class ModelGrid:
    """The pixel grid at the resolution that the model sees, and the scene grid that it covers.

    Attributes:
        scene_height: rows of the scene.
        scene_width: columns of the scene.
        height: rows of the model grid.
        width: columns of the model grid.
        reason: what was decided, and why.
        is_too_coarse: whether the map will be poor at this resolution.
        is_gsd_known: whether the scene or the user says how large its pixels are on the ground.
    """

    scene_height: int
    scene_width: int
    height: int
    width: int
    reason: str = ""
    is_too_coarse: bool = False
    is_gsd_known: bool = True

    @property
    def is_doubtful(self) -> bool:
        """Whether the reason should be told."""
        return self.is_too_coarse or not self.is_gsd_known

    @property
    def is_scene_grid(self) -> bool:
        """Whether nothing is resampled."""
        return (self.scene_height, self.scene_width) == (self.height, self.width)

    @property
    def scene_px_per_px(self) -> tuple[float, float]:
        """Pixels of the scene to one that the model sees, along a column and along a row."""
        return self.scene_height / self.height, self.scene_width / self.width

    def scene_window(self, model_window: Window) -> Window:
        """Pixels of the scene whose centres lie in a window that the model sees; windows of a partition give one."""
        starts, ends = (
            (model_window.row, model_window.col),
            (model_window.row + model_window.height, model_window.col + model_window.width),
        )
        limits = (self.scene_height, self.scene_width)
        row, col = (math.ceil(start * step - 0.5) for start, step in zip(starts, self.scene_px_per_px, strict=True))
        row_end, col_end = (
            min(math.ceil(end * step - 0.5), limit)
            for end, step, limit in zip(ends, self.scene_px_per_px, limits, strict=True)
        )
        return Window(row, col, row_end - row, col_end - col)

    def to_scene_grid(self, pixels_hwc: UInt8, model_window: Window, target: Window, *, smooth: bool) -> UInt8:
        """Draw a window of the scene from pixels on the model's grid.

        Args:
            pixels_hwc: uint8, shape (h, w, channels): those of `model_window`.
            model_window: holds the target's ground, and one pixel more on each side where the image goes on.
            target: window of the scene.
            smooth: interpolate between pixels; otherwise the nearest is taken.
        """
        rows = _taps(target.row, target.height, self.scene_px_per_px[0], self.height, smooth)
        cols = _taps(target.col, target.width, self.scene_px_per_px[1], self.width, smooth)
        if not smooth:
            return pixels_hwc[rows.first - model_window.row][:, cols.first - model_window.col]
        drawn = np.empty((target.height, target.width, pixels_hwc.shape[2]), np.uint8)
        for start in range(0, target.height, STRIP_ROWS):
            strip = slice(start, start + STRIP_ROWS)
            some = _Taps(rows.first[strip], rows.second[strip], rows.weight[strip])
            lines = _blend(pixels_hwc, some, origin=model_window.row, axis=0)
            drawn[strip] = np.rint(_blend(lines, cols, origin=model_window.col, axis=1))
        return drawn


class _Taps(NamedTuple):
    """For each pixel of the scene the two of the model's that it is drawn from, and the weight of the second."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    weight: npt.NDArray[np.float32]


def _taps(start: int, length: int, step: float, limit: int, smooth: bool) -> _Taps:
    centre = (np.arange(start, start + length) + 0.5) / step
    position = centre - 0.5 if smooth else centre
    first = np.floor(position).astype(np.intp)
    weight = (position - first).astype(np.float32)
    return _Taps(first.clip(0, limit - 1), (first + 1).clip(0, limit - 1), weight)


def _blend(pixels: npt.NDArray[Any], taps: _Taps, *, origin: int, axis: int) -> npt.NDArray[np.float32]:
    shaped = taps.weight[:, None, None] if axis == 0 else taps.weight[:, None]
    low = pixels.take(taps.first - origin, axis).astype(np.float32)
    blended: npt.NDArray[np.float32] = low + (pixels.take(taps.second - origin, axis) - low) * shaped
    return blended


def choose_model_grid(grid: Grid, known_m: tuple[float, float], gsd_m: float | None = None) -> ModelGrid:
    """Decide at what ground resolution the model sees a scene.

    Args:
        grid: of the scene.
        known_m: metres per pixel that the model was trained for, finest and coarsest.
        gsd_m: of the scene, where the user knows better.
    """
    h, w = grid.height, grid.width
    found = (gsd_m, gsd_m) if gsd_m else ground_gsd(grid)
    assumed = assumed_gsd(grid) if found is None else None
    lo, hi = known_m
    asked = f"the model knows {lo:g} to {hi:g}"
    if found is None and assumed is None:
        words = f"ground resolution unknown, so as it is ({asked} m/px; give the GSD if you know it)"
        return ModelGrid(h, w, h, w, words, is_gsd_known=False)
    sides, units = (found, "") if found else assumed  # type: ignore[misc]
    chosen = _model_grid_of(grid, sides, known_m, asked)
    if not units:
        return chosen
    words = f"no CRS, so its units are taken for {units} (give the CRS or the GSD if you know it): {chosen.reason}"
    return dataclasses.replace(chosen, reason=words, is_gsd_known=False)


def _model_grid_of(grid: Grid, sides_m: tuple[float, float], known_m: tuple[float, float], asked: str) -> ModelGrid:
    """The model grid of a scene whose pixels have those sides."""
    h, w, (lo, hi) = grid.height, grid.width, known_m
    is_square = math.isclose(*sides_m, rel_tol=0.02)
    here = f"{sides_m[0]:.3g} m/px" if is_square else f"{sides_m[0]:.3g} x {sides_m[1]:.3g} m/px"
    if all(lo * (1 - TOLERANCE) <= side <= hi * (1 + TOLERANCE) for side in sides_m):
        return ModelGrid(h, w, h, w, f"{here}, as it is ({asked})")
    # One end for both axes: the model knows square pixels.
    wanted = min(max(math.sqrt(sides_m[0] * sides_m[1]), lo), hi)
    if max(sides_m) / wanted > LARGEST_ENLARGEMENT:
        words = f"{here}, as it is: too coarse to be enlarged ({asked}), so expect a rough map without small streets"
        return ModelGrid(h, w, h, w, words, is_too_coarse=True)
    model_w, model_h = (max(1, round(side * step / wanted)) for side, step in zip((w, h), sides_m, strict=True))
    return ModelGrid(h, w, model_h, model_w, f"{here}, resampled to {wanted:.3g} ({asked})")


class ResampledSource:
    """A scene on the grid that the model sees.

    Args:
        source: the scene.
        model_grid: the grid to read it on.
    """

    def __init__(self, source: Source, model_grid: ModelGrid) -> None:
        self._source, self._model_grid = source, model_grid
        self.has_mask = source.has_mask

    def read(self, window: Window) -> tuple[UInt8, Bool | None]:
        """RGB of a window on the model's grid, uint8, shape (h, w, 3), and where it saw data (None: everywhere)."""
        rows_per_px, cols_per_px = self._model_grid.scene_px_per_px
        n_rows = max(1, int(LARGEST_READ_PX / (window.width * cols_per_px * rows_per_px)))
        warped = np.concatenate([self._warp(strip) for strip in window.strips(n_rows)])
        return warped[..., :3], warped[..., 3] > 0 if self.has_mask else None

    def _warp(self, window: Window) -> UInt8:
        (rows, cols), source = self._model_grid.scene_px_per_px, self._source
        # What GDAL's kernel reads, and a pixel for rounding.
        margin_rows, margin_cols = math.ceil(rows) + 2, math.ceil(cols) + 2
        top, left = math.floor(window.row * rows) - margin_rows, math.floor(window.col * cols) - margin_cols
        bottom = math.ceil((window.row + window.height) * rows) + margin_rows
        right = math.ceil((window.col + window.width) * cols) + margin_cols
        fine = Window(top, left, bottom - top, right - left).clipped(source.grid.height, source.grid.width)
        bands = [*np.moveaxis(source.read(fine), -1, 0)]
        alpha = {}
        if self.has_mask:
            bands.append(source.valid(fine).astype(np.uint8) * 255)
            alpha = {"src_alpha": 4, "dst_alpha": 4}
        pixels = np.stack(bands).astype(np.float32)
        for axis in (1, 2):
            if pixels.shape[axis] == 1:
                # With alpha, GDAL takes the nearest pixel in some windows of an image that is one pixel wide.
                pixels = pixels.repeat(2, axis)
        drawn = np.zeros((len(bands), window.height, window.width), np.float32)
        reproject(
            pixels, drawn, resampling=Resampling.bilinear,
            src_crs="EPSG:3857", dst_crs="EPSG:3857",  # any one: both grids are counted in pixels of the scene
            src_transform=_pixels(fine.row, fine.col),
            dst_transform=_pixels(window.row * rows, window.col * cols, rows, cols),
            # GDAL would find a scale for each window by itself, and windows would not agree.
            XSCALE=1 / max(cols, 1), YSCALE=1 / max(rows, 1), tolerance=0, **alpha,
        )  # fmt: skip
        # Weights are fractions, so halves are common; rounding error must not decide them.
        rounded: UInt8 = np.moveaxis(np.floor(drawn + 0.503), 0, -1).clip(0, 255).astype(np.uint8)
        return rounded


def _pixels(row: float, col: float, row_step: float = 1, col_step: float = 1) -> Affine:
    """A window as GDAL has it; away from zero, since a transform like the identity means none to it."""
    return Affine(col_step, 0, col + 1, 0, -row_step, -row - 1)
