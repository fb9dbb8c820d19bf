"""Partial labels completed by a model: of the classes that a pixel may have, those go that the model rules out.

Source: self-training with confident predictions of clean images, learned from jittered ones (Xie et al. 2020,
arXiv 1911.04252).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.nn import functional as F

from sat2map.arrays import UInt8
from sat2map.classes import ClassTable
from sat2map.data.partial import LEGEND_FILE, ClassSets, PartialLabels
from sat2map.errors import DataError, ModelFileError
from sat2map.evaluate.elsewhere import stretched
from sat2map.files import replacing
from sat2map.model.card import Card
from sat2map.nn.compact import CompactGenerator
from sat2map.nn.generator import Generator
from sat2map.nn.palette import class_probabilities

LEAST = 0.02
"""A class goes where less of the probability of all possible classes is its own."""
LEAST_ROAD, MOST_ROAD = 0.06, 0.3
"""All roads together go below the first, and they alone are left above the second. Labels that let land stand for road
teach a model to be unsure of streets: where it gives them a third, there is one."""
SCALES = (1.0, 1.25, 1.6)
N_VALUES = 256

Probabilities = npt.NDArray[np.float32]
"""Probability of each class; float32, shape (classes, H, W)."""


class Teacher:
    """A generator that gives the probability of each class, as a mean over scales and quarter turns.

    Args:
        generator: with a palette head.
        card: of it.

    Raises:
        ModelFileError: it has no palette head.
    """

    def __init__(self, generator: Generator, card: Card) -> None:
        if not isinstance(generator, CompactGenerator):
            raise ModelFileError(
                "model gives no probabilities of classes", card.name, hint="a model of the compact network"
            )
        self.card, self._generator = card, generator.eval()
        self._class_of_colour = torch.from_numpy(card.classes.class_of_colour.astype(np.int64))

    @torch.inference_mode()
    def probabilities(self, image_hwc: UInt8, gsd_m: float) -> Probabilities:
        """Compute the probabilities of an image.

        Args:
            image_hwc: uint8, shape (H, W, 3).
            gsd_m: metres on the ground per pixel.
        """
        finest, coarsest = self.card.gsd_m
        begin = min(max(gsd_m, finest), coarsest)
        plain = Image.fromarray(image_hwc)
        shown = [plain, stretched(plain, image_hwc, self.card)]
        size = image_hwc.shape[:2]
        total = torch.zeros(1, len(self.card.classes), *size)
        for n, scale in enumerate(SCALES):
            side_m = min(begin * scale, coarsest)
            width, height = (max(1, round(side * gsd_m / side_m)) for side in (size[1], size[0]))
            for turns in range(4):
                # Plain and stretched in turn: scenes are shown to a model in both ways.
                image = shown[(n + turns) % 2].resize((width, height), Image.Resampling.BICUBIC)
                p = self._classes(np.rot90(np.asarray(image), turns))
                total += F.interpolate(torch.rot90(p, -turns, (2, 3)), size, mode="bilinear", align_corners=False)
        probabilities: Probabilities = (total[0] / (4 * len(SCALES))).numpy()
        return probabilities

    def _classes(self, image_hwc: UInt8) -> torch.Tensor:
        """Probabilities of an image at the model's own scale: shape (1, classes, H, W)."""
        height, width = image_hwc.shape[:2]
        sat = torch.from_numpy(image_hwc.copy()).permute(2, 0, 1)[None] / 127.5 - 1
        stride = self.card.stride
        logits = self._generator(F.pad(sat, (0, -width % stride, 0, -height % stride), "replicate"))
        return class_probabilities(logits[..., :height, :width], self._class_of_colour)


def completed(sets_hw: ClassSets, probabilities: Probabilities, table: ClassTable) -> ClassSets:
    """The classes that are left of those that each pixel may have.

    Args:
        sets_hw: uint32, shape (H, W): bit i is set where class i is possible.
        probabilities: what a model makes of the image.
        table: the classes of both.

    Returns:
        uint32, shape (H, W); no set becomes empty.
    """
    roads, others = np.uint32(table.roads), np.uint32(table.every_class & ~table.roads)
    p_road = _shares(sets_hw, probabilities, table)[list(table.road_classes)].sum(0)
    is_open = ((sets_hw & roads) != 0) & ((sets_hw & others) != 0)
    left = sets_hw.copy()
    left[is_open & (p_road > MOST_ROAD)] &= roads
    left[is_open & (p_road < LEAST_ROAD)] &= others
    # Where it is known whether a road is there, every class is compared with the rest of its kind.
    gone = np.where(_shares(left, probabilities, table) < LEAST, _bits(table), 0).sum(0).astype(np.uint32)
    is_open = ((left & roads) != 0) & ((left & others) != 0)
    left[~is_open] &= ~gone[~is_open]
    return left


def _shares(sets_hw: ClassSets, probabilities: Probabilities, table: ClassTable) -> Probabilities:
    """Of the probability of all classes of a set, that of each; equal shares where there is none."""
    possible = (sets_hw & _bits(table)) != 0
    shares: Probabilities = np.where(possible, np.maximum(probabilities, 1e-9), 0)
    shares /= np.maximum(shares.sum(0), 1e-9)
    return shares


def _bits(table: ClassTable) -> ClassSets:
    """The set of each class alone: uint32, shape (classes, 1, 1)."""
    bits: ClassSets = (np.uint32(1) << np.arange(len(table), dtype=np.uint32))[:, None, None]
    return bits


def write_completed(
    labels: PartialLabels, folder: Path, teacher: Teacher, gsd_m: float, *, chosen: Collection[str] | None = None,
    hidden: Sequence[int] = (), tell: Callable[[float], None] = lambda _share: None,
) -> float:  # fmt: skip
    """Write a folder of partial labels, completed: `image/`, `label/` and its legend, which keeps the values it had.

    Args:
        labels: the folder, opened.
        folder: the new one.
        teacher: what completes them.
        gsd_m: metres on the ground per pixel of the images.
        chosen: names of the images that are completed; the others are written as they are. None: all.
        hidden: values of the labels under which roads may be hidden, such as trees, whatever the legend says.
        tell: takes the share of the images that is done.

    Returns:
        Mean number of classes that a pixel may have, over that before.

    Raises:
        DataError: the model has other classes than the labels, or they have more different sets than values.
    """
    table = labels.table
    if teacher.card.classes != table:
        raise DataError(f"classes of the labels ({table}) are not those of the model", teacher.card.name)
    values, hiding, before, after = _Values(labels), labels.sets.copy(), 0, 0
    hiding[list(hidden)] |= np.uint32(table.roads)
    for i, name in enumerate(labels.names):
        image_hwc, label_hw = labels[i]
        old = new = labels.sets[label_hw]
        if chosen is None or name in chosen:
            old = hiding[label_hw]
            new = completed(old, teacher.probabilities(image_hwc, gsd_m), table)
        for inner, image in (("image", image_hwc), ("label", values.of(new))):
            (folder / inner).mkdir(parents=True, exist_ok=True)
            with replacing(folder / inner / f"{Path(name).stem}.png") as work:
                Image.fromarray(image).save(work)
        before, after = before + _n_possible(old, table), after + _n_possible(new, table)
        tell((i + 1) / len(labels))
    _write_legend(folder / LEGEND_FILE, values.of_sets, table)
    return after / before


def _n_possible(sets_hw: ClassSets, table: ClassTable) -> int:
    return int(((sets_hw & _bits(table)) != 0).sum())


class _Values:
    """The values of a new folder of labels: those of the old one where it has the same set, else free ones."""

    def __init__(self, labels: PartialLabels) -> None:
        present = sorted({int(v) for i in range(len(labels)) for v in np.unique(labels[i].label_hw)})
        self.of_sets = dict[int, int]()
        for value in present:
            self.of_sets.setdefault(int(labels.sets[value]), value)
        self._free = iter(sorted(set(range(N_VALUES)) - set(present)))

    def of(self, sets_hw: ClassSets) -> UInt8:
        """The label of an image: uint8, shape (H, W)."""
        found, inverse = np.unique(sets_hw, return_inverse=True)
        numbers = [self._value(classes) for classes in found.tolist()]
        label: UInt8 = np.array(numbers, np.uint8)[inverse].reshape(sets_hw.shape)
        return label

    def _value(self, classes: int) -> int:
        if classes not in self.of_sets:
            value = next(self._free, None)
            if value is None:
                raise DataError(
                    "labels have more different sets of classes than values", N_VALUES, hint="fewer classes"
                )
            self.of_sets[classes] = value
        return self.of_sets[classes]


def _write_legend(path: Path, values: dict[int, int], table: ClassTable) -> None:
    with replacing(path) as work, work.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(("value", "classes"))
        for classes, value in values.items():
            rows.writerow((value, "|".join(name for i, name in enumerate(table.names) if classes >> i & 1)))
