"""The map of one open scene, drawn window by window: nothing else draws a window of a scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from sat2map.arrays import Bool, UInt8
from sat2map.engine import Engine, check_outputs, choose_head
from sat2map.scene.gaps import fill_gaps
from sat2map.scene.model_grid import ResampledSource, choose_model_grid
from sat2map.scene.pieces import FAMILIARITY
from sat2map.scene.source import Source
from sat2map.scene.stretch import DEFAULT_LEVELS
from sat2map.tiling import TiledWindow, Window, blended, padded_size, read_padded
from sat2map.translate.settings import Settings, TilingPlan, make_plan

FILL_PX = 64
"""How far the ground is continued into what is not there. Beside a black margin the model sees water: within 48 px of
it, classes on four parts of a masked mosaic were right on 76 % of pixels; continued by 128 px, 80 %; by 64, 84 %."""

Runner = Callable[[UInt8], UInt8]
"""Runs the model on an image, uint8, shape (h, w, 3). The result has the same height and width, and three channels of
colour, and one for each of the other outputs that are wanted."""


def make_runner(engine: Engine, settings: Settings, others: Sequence[str] = ()) -> Runner:
    """Choose how the model is run on one window.

    Args:
        engine: runs the model.
        settings: how the window is drawn.
        others: outputs that are wanted beside the map.

    Raises:
        ModelFileError: the model has no such head, no such output, or no such mode.
    """
    engine = engine.with_precision(settings.precision)
    head, mode = choose_head(engine.card, settings.head), settings.mode_for(engine.card)
    check_outputs(engine, others)
    if mode == "instance" and engine.card.normalization == "frozen":
        engine = engine.with_instance_normalization()

    def run_batch(sat_bhwc: UInt8) -> UInt8:
        drawn = engine.run_outputs(np.ascontiguousarray(sat_bhwc), [head, *others])
        return np.concatenate([_of_pixels(drawn[name], sat_bhwc.shape[1]) for name in [head, *others]], -1)

    def run_blended(sat_hwc: UInt8) -> UInt8:
        result = blended(run_batch, sat_hwc)
        if head == "crisp":
            classes = engine.card.classes
            result[..., :3] = classes.colours_rgb[classes.nearest_colour(result[..., :3])]
        return result

    return run_blended if mode == "blend" else lambda sat_hwc: run_batch(sat_hwc[None])[0]


def _of_pixels(output_bhwc: UInt8, height: int) -> UInt8:
    """Give each pixel the value of its cell, where an output has cells of several pixels."""
    side_px = height // output_bhwc.shape[1]
    return output_bhwc if side_px == 1 else output_bhwc.repeat(side_px, 1).repeat(side_px, 2)


class ReadWindow(NamedTuple):
    """A window of a scene that has been read, and is ready to be drawn.

    Attributes:
        window: of the tiling plan.
        valid: where its pixels hold data, on the scene grid, bool, shape (h, w); None: everywhere.
        drawn: the part of it that is drawn, since beside it no pixel is valid.
        sat_hwc: what the model sees of that part, margin included, uint8; None where no pixel is valid.
    """

    window: TiledWindow
    valid: Bool | None
    drawn: TiledWindow
    sat_hwc: UInt8 | None


class SceneDrawing:
    """An open scene, its tiling plan, and the model that draws it.

    It knows that windows without data are skipped, how gaps are filled, on which grid the model sees the scene, and how
    the result comes back to the scene grid. `read` and `draw_read` may run in different threads. Beside the products
    that the settings ask for it draws the familiarity of a model that has one, which costs next to nothing.

    >>> from importlib.resources import files
    >>> from sat2map import Translator
    >>> from sat2map.scene.source import open_scene
    >>> translator = Translator.load()
    >>> with open_scene(str(files("sat2map.bundled") / "naip.tif"), rule=translator.stretch_rule) as scene:
    ...     drawing = SceneDrawing(scene, translator.engine, Settings())
    ...     layers, valid = drawing.draw(drawing.plan.windows[0])
    >>> layers[0].shape, valid
    ((204, 266, 3), None)

    Args:
        scene: open for reading.
        engine: runs the model.
        settings: how the scene is drawn.
        plan: its windows, where they have been planned already.

    Raises:
        ModelFileError: the model cannot do what the settings ask for.
    """

    def __init__(self, scene: Source, engine: Engine, settings: Settings, plan: TilingPlan | None = None) -> None:
        card = engine.card
        self._engine, self._classes = engine, card.classes
        self.scene, self.settings = scene, settings.for_card(card)
        self.plan = plan or make_plan(card, settings, choose_model_grid(scene.grid, card.gsd_m, settings.gsd_m))
        self.products = list(self.settings.products)
        if FAMILIARITY.name in engine.outputs and FAMILIARITY not in self.products:
            self.products.append(FAMILIARITY)
        # Elsewhere a pixel may depend on the window that it is drawn in.
        self._may_crop = self.plan.model_grid.is_scene_grid and self.settings.is_exact(card)
        self._run = make_runner(engine, self.settings, [product.name for product in self.products[1:]])
        grid = self.plan.model_grid
        self._resampled = None if grid.is_scene_grid else ResampledSource(scene, grid)
        self._beyond = np.array(card.levels or DEFAULT_LEVELS).mean(1).astype(np.uint8)

    def shared_by(self, n_windows: int) -> SceneDrawing | None:
        """The same drawing for so many threads that draw a window each; None where one at a time is better."""
        engine = self._engine.with_precision(self.settings.precision).shared_by(n_windows)
        return None if engine is None else SceneDrawing(self.scene, engine, self.settings, self.plan)

    def scene_window(self, window: TiledWindow) -> Window:
        """The pixels of the scene that a window of the plan writes."""
        return self.plan.model_grid.scene_window(window.core)

    def draw(self, window: TiledWindow) -> tuple[list[UInt8], Bool | None]:
        """Read and draw a window of the plan.

        Returns:
            For each of `products` its layer on the scene grid, uint8, shape (h, w, bands); and where the
            pixels are valid, bool, shape (h, w), None: everywhere.

        Raises:
            SceneError: the scene cannot be read.
        """
        read = self.read(window)
        return self.draw_read(read), read.valid

    def draw_whole(self) -> tuple[UInt8, Bool | None]:
        """Draw all of the scene, in memory: the first product's layer and the valid pixels, as of `draw`."""
        height, width = self.scene.grid.height, self.scene.grid.width
        whole = np.zeros((height, width, self.products[0].n_bands), np.uint8)
        whole_valid = np.zeros((height, width), bool) if self.scene.has_mask else None
        for window in self.plan.windows:
            (layer, *_), valid = self.draw(window)
            part = self.scene_window(window).slices
            whole[part] = layer
            if whole_valid is not None:
                whole_valid[part] = valid
        return whole, whole_valid

    def read(self, window: TiledWindow) -> ReadWindow:
        """Read what a window of the plan needs."""
        valid = self.scene.valid(self.scene_window(window)) if self.scene.has_mask else None
        if valid is not None and not valid.any():
            return ReadWindow(window, valid, window, None)
        drawn = window if valid is None or not self._may_crop else self._cropped(window, valid)
        return ReadWindow(window, valid, drawn, self.read_model_grid(drawn.read))

    def _cropped(self, window: TiledWindow, valid: Bool) -> TiledWindow:
        """The smallest window that holds all valid pixels of another, and its own margin."""
        stride, core = self._engine.card.stride, window.core
        (top, bottom), (left, right) = (_ends(valid, axis, stride) for axis in (0, 1))
        part = Window(core.row + top, core.col + left, bottom - top, right - left)
        read = part.grown(padded_size(self.settings.margin_for(self._engine.card), 0, stride)[0])
        return TiledWindow(
            part.intersection(core), read.clipped(*padded_size(self.plan.height, self.plan.width, stride))
        )

    def read_model_grid(self, window: Window) -> UInt8:
        """Read a window of the model grid, padding included, with gaps filled; uint8, shape (h, w, 3)."""
        return read_padded(self._filled, window, self.plan.height, self.plan.width)

    def draw_read(self, read: ReadWindow) -> list[UInt8]:
        """Draw a window that has been read; the layers of `draw`."""
        grid, target, window = self.plan.model_grid, self.scene_window(read.window), read.drawn
        if read.sat_hwc is None:
            shape = target.height, target.width
            return [np.zeros((*shape, product.n_bands), np.uint8) for product in self.products]
        # Interpolation needs one pixel more on each side.
        around = window.core if grid.is_scene_grid else window.core.grown(1).clipped(grid.height, grid.width)
        result = self._run(read.sat_hwc)[around.inside(window.read).slices]
        layers = self._layers(result)
        if grid.is_scene_grid:
            return [_placed(layer, around.inside(target), target) for layer, _ in layers]
        return [grid.to_scene_grid(layer, around, target, smooth=is_smooth) for layer, is_smooth in layers]

    def _layers(self, result: UInt8) -> list[tuple[UInt8, bool]]:
        """Each product's layer on the model grid, and whether it may be interpolated."""
        image = result[..., :3]
        drawn = (self._classes.classify(image)[..., None], False) if self.settings.classes else (image, self._is_smooth)
        return [drawn, *((result[..., i : i + 1], True) for i in range(3, result.shape[-1]))]

    @property
    def _is_smooth(self) -> bool:
        return self.settings.head != "crisp"

    def _filled(self, window: Window) -> UInt8:
        """A window of the model grid within the scene, with gaps filled."""
        if not self.scene.has_mask:
            return self.scene.read(window) if self._resampled is None else self._resampled.read(window)[0]
        wide = window.grown(FILL_PX).clipped(self.plan.height, self.plan.width)
        inner = window.inside(wide).slices
        if self._resampled is not None:
            rgb, valid = self._resampled.read(wide)
            assert valid is not None
            if valid[inner].all():
                return rgb[inner]
        else:
            valid = self.scene.valid(wide)
            if valid[inner].all():
                return self.scene.read(window)
            rgb = self.scene.read(wide)
        return fill_gaps(rgb, valid, FILL_PX, self._beyond)[inner]


def _ends(valid: Bool, axis: int, stride: int) -> tuple[int, int]:
    """Where the valid pixels begin and end along an axis, on multiples of the stride."""
    found = np.flatnonzero(valid.any(1 - axis))
    return int(found[0]) // stride * stride, padded_size(int(found[-1]) + 1, 0, stride)[0]


def _placed(layer: UInt8, part: Window, target: Window) -> UInt8:
    """A layer of a part of a window, in a layer of all of it."""
    if (part.height, part.width) == (target.height, target.width):
        return layer
    whole = np.zeros((target.height, target.width, layer.shape[-1]), np.uint8)
    whole[part.slices] = layer
    return whole
