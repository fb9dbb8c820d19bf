"""What can be asked of a translation, and the windows that follow from it for one model and one scene."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sat2map.engine import Engine, choose_head
from sat2map.errors import ModelFileError
from sat2map.model.card import Card, WantedPrecision
from sat2map.scene.model_grid import ModelGrid
from sat2map.scene.pieces import CLASSES, CONFIDENCE, FAMILIARITY, MAP, Product
from sat2map.tiling import TiledWindow, Window, padded_size, plan, plan_even
from sat2map.tiling.blending import STEP_PX

Mode = Literal["exact", "fast", "blend", "instance"]

DEFAULT_CORE_PX = 1408
"""Side of a core window: larger ones share their margins among more pixels, but take more memory."""
LARGEST_SCENE_WINDOW_PX = 6144
"""Side of the ground that one window draws of a scene that is finer than what the model sees."""
FAST_SHARE = 4
"""The fast mode's margin is the model's over this."""
BYTES_PER_PX = 0.5
"""Of a map and of the pieces it is put together from, as real scenes have it: told, and never relied on."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How a scene is drawn.

    >>> settings = Settings(head="smooth", confidence=True)
    >>> [product.name for product in settings.products]
    ['map', 'confidence']

    Attributes:
        head: one of the model's heads; by default its first.
        core_px: side of a core window on the model grid; raised to a multiple of the model's stride. By default about
            1,408 and, where windows are parts of one image, so that all read about as much.
        margin_px: pixels read on each side of a core window; by default the mode's, which for `exact` is the model's
            own.
        mode: `exact`: windows are parts of one image. `fast`: with a smaller margin. `blend`: tiles of 256 px, each
            by itself, blended where they overlap. `instance`: each window is normalised by its own statistics. By
            default `instance` for a model with instance normalization, else `exact`.
        gsd_m: metres on the ground per pixel of the scene, where its file does not say so.
        classes: draw classes of ground, not colours.
        confidence: draw the probability of the class shown, too.
        precision: with what numbers a model computes that has 8-bit integers; `auto`: the faster on this machine.
        familiarity: draw how like its training data the model finds the ground, too.
    """

    head: str | None = None
    core_px: int = DEFAULT_CORE_PX
    margin_px: int | None = None
    mode: Mode | None = None
    gsd_m: float | None = None
    classes: bool = False
    confidence: bool = False
    precision: WantedPrecision = "auto"
    familiarity: bool = False

    @property
    def products(self) -> list[Product]:
        """What is drawn, each to a file of its own."""
        others = [(CONFIDENCE, self.confidence), (FAMILIARITY, self.familiarity)]
        return [CLASSES if self.classes else MAP, *(product for product, is_wanted in others if is_wanted)]

    def mode_for(self, card: Card) -> Mode:
        """The mode asked for, or the one that the model's normalization asks for.

        Raises:
            ModelFileError: exactness of a model that has none.
        """
        if card.normalization == "instance":
            if self.mode in ("exact", "fast"):
                raise ModelFileError(
                    f"model normalises each window by itself, so no tiling of it is {self.mode}", card.name,
                    hint="set mode to instance, or give the run's generator_frozen.safetensors",
                )  # fmt: skip
            return self.mode or "instance"
        return self.mode or "exact"

    def for_card(self, card: Card) -> Settings:
        """The same settings with the head named.

        Raises:
            ModelFileError: the model has no such head.
        """
        return dataclasses.replace(self, head=choose_head(card, self.head))

    def for_engine(self, engine: Engine) -> Settings:
        """The same settings with head and precision named.

        Raises:
            ModelFileError: the model has no such head or precision.
        """
        precision = engine.with_precision(self.precision).precision
        return dataclasses.replace(self.for_card(engine.card), precision=precision)

    def is_exact(self, card: Card) -> bool:
        """Whether a pixel of the map is the same in whatever window it is drawn."""
        return self.mode_for(card) == "exact" and self.margin_for(card) >= card.margin_px

    def margin_for(self, card: Card) -> int:
        """Pixels of the model grid that are read on each side of a core window."""
        if self.margin_px is not None:
            return self.margin_px
        return card.margin_px // FAST_SHARE if self.mode == "fast" else card.margin_px


@dataclass(frozen=True)
class TilingPlan:
    """What will be done to a scene.

    Attributes:
        height: of what the model sees, which is the scene unless that is resampled.
        width: of what the model sees.
        windows: that are drawn, some of which may turn out empty.
        model_grid: the pixels that the model sees of the scene.
        n_done_px: pixels that an earlier run has drawn.
    """

    height: int
    width: int
    windows: list[TiledWindow]
    model_grid: ModelGrid
    n_done_px: int = 0

    @cached_property
    def rows(self) -> list[list[TiledWindow]]:
        """Rows of windows: a row becomes one piece, and one task where many work."""
        rows: dict[int, list[TiledWindow]] = {}
        for window in self.windows:
            rows.setdefault(window.core.row, []).append(window)
        return list(rows.values())

    def scene_window_of_row(self, row: int) -> Window:
        """Pixels of the scene that a row of windows draws."""
        core = self.rows[row][0].core
        return self.model_grid.scene_window(Window(core.row, 0, core.height, self.width))

    @property
    def n_read_px(self) -> int:
        """Pixels that the network works on, if no window is empty."""
        return sum(window.read.height * window.read.width for window in self.windows)

    @property
    def n_bytes(self) -> int:
        """About what the map and its pieces take on the disk together."""
        return int(self.model_grid.scene_height * self.model_grid.scene_width * BYTES_PER_PX)


def make_plan(card: Card, settings: Settings, model_grid: ModelGrid) -> TilingPlan:
    """The windows in which a model draws a scene.

    Raises:
        ModelFileError: the model cannot do what the settings ask for.
    """
    height, width = model_grid.height, model_grid.width
    mode, stride, margin, core = settings.mode_for(card), card.stride, settings.margin_for(card), settings.core_px
    if mode == "blend":
        stride = margin = STEP_PX
    elif mode == "instance":
        # Windows of their own statistics differ in tone: one piece where that is possible.
        whole = max(padded_size(height, width, stride))
        if whole <= 2 * core:
            core = whole
        else:
            log.warning(
                "each window is normalised by its own statistics, so expect seams; frozen normalization has none"
            )
    elif mode == "exact" and margin < card.margin_px:
        log.warning("a margin of %d px is less than the model's %d, so expect seams", margin, card.margin_px)
    if not model_grid.is_scene_grid:
        core = max(stride, min(core, int(LARGEST_SCENE_WINDOW_PX / max(model_grid.scene_px_per_px))))
        # What is laid back smoothly is drawn from one pixel beyond the core.
        margin += 1
    # Where windows leave no trace in the map, they may be of the sizes that take the least time.
    make = plan_even if settings.is_exact(card) and settings.core_px == DEFAULT_CORE_PX else plan
    windows = make(height, width, stride=stride, margin=margin, core=core)
    return TilingPlan(height, width, windows, model_grid)
