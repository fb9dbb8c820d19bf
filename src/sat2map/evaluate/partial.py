"""Metrics of maps where only partial labels are known, as sums that add up over images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sat2map.arrays import Float64, UInt8
from sat2map.classes import WATER, ClassTable
from sat2map.data.partial import dilated

PARK = "park"
SLACK_PX = 3


@dataclass(frozen=True)
class PartialScore:
    """What images with partial labels add to the metrics of their set, in pixels."""

    n_known: int = 0
    n_allowed: int = 0
    """Known pixels whose predicted class is allowed."""
    water_intersection: int = 0
    water_union: int = 0
    """Over pixels that are known to be water or known to be none."""
    true_water: int = 0
    predicted_roads: int = 0
    predicted_roads_right: int = 0
    true_roads: int = 0
    true_roads_found: int = 0
    """Over pixels that are known to be road or known to be none."""
    n_waterless: int = 0
    """Pixels where no water can be."""
    invented_water: int = 0
    n_px: int = 0
    n_park: int = 0
    """Pixels predicted as park, and their share of all."""

    def __add__(self, other: PartialScore) -> PartialScore:
        """Add up two scores."""
        return PartialScore(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})

    def metrics(self) -> dict[str, float]:
        """The metrics; NaN where the labels say nothing of what one measures, such as water where there is none."""
        sums = {name: np.array([getattr(self, name)], np.float64) for name in self.__dataclass_fields__}
        return {name: float(value[0]) for name, value in partial_metrics(sums).items()}


def partial_metrics(sums: Mapping[str, Float64]) -> dict[str, Float64]:
    """Metrics of sums of scores.

    Args:
        sums: each attribute of `PartialScore` by its name: float64, shape (n,), of n sets of images.

    Returns:
        Each metric by its name: float64, shape (n,); NaN where the labels say nothing of what it measures.
    """
    # Without a prediction there is no precision, and F1 is 0.
    precision = np.nan_to_num(_ratio(sums["predicted_roads_right"], sums["predicted_roads"]))
    recall = _ratio(sums["true_roads_found"], sums["true_roads"])
    both = precision + recall
    return {
        "allowed": _ratio(sums["n_allowed"], sums["n_known"]),
        "water_iou": np.where(sums["true_water"] > 0, _ratio(sums["water_intersection"], sums["water_union"]), np.nan),
        "road_f1": np.where(both == 0, 0, _ratio(2 * precision * recall, both)),
        "invented_water": _ratio(sums["invented_water"], sums["n_waterless"]),
        "park": _ratio(sums["n_park"], sums["n_px"]),
    }


def score_partial(classes: UInt8, sets: npt.NDArray[np.uint32], table: ClassTable) -> PartialScore:
    """Score a map of classes against partial labels.

    Args:
        classes: uint8, shape (H, W): predicted class of each pixel.
        sets: uint32, shape (H, W): bit i is set where class i is possible.
        table: the classes; of what it has no class nothing is measured: `water`, `park` and roads.
    """
    known = sets != table.every_class
    allowed = (sets >> classes) & 1 > 0
    water_bit, park, nowhere = table.index_of(WATER), table.index_of(PARK), np.zeros(classes.shape, bool)
    is_water, water, dry = nowhere, nowhere, nowhere
    if water_bit is not None:
        is_water, water, dry = classes == water_bit, sets == 1 << water_bit, (sets >> water_bit) & 1 == 0
    is_road = np.isin(classes, table.road_classes)
    true_road, no_road = (sets & ~table.roads) == 0, (sets & table.roads) == 0
    roads = is_road & (true_road | no_road)
    n = {name: int(mask.sum()) for name, mask in {
        "n_known": known, "n_allowed": known & allowed,
        "water_intersection": is_water & water, "water_union": (is_water & (water | dry)) | water, "true_water": water,
        "predicted_roads": roads, "predicted_roads_right": roads & dilated(true_road, SLACK_PX),
        "true_roads": true_road, "true_roads_found": true_road & dilated(is_road, SLACK_PX),
        "n_waterless": dry, "invented_water": is_water & dry, "n_park": nowhere if park is None else classes == park,
    }.items()}  # fmt: skip
    return PartialScore(**n, n_px=0 if park is None else classes.size)


def _ratio(part: Float64, whole: Float64) -> Float64:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
