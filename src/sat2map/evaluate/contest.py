"""One model or two, scored on the same pairs: from what is loaded to the tables of `metrics.json`; writes no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sat2map.data.pairs import PairFile
from sat2map.errors import ModelFileError
from sat2map.evaluate.metrics import ImageScore
from sat2map.evaluate.protocol import Judged, Predict, by_engine, constant, decode_pairs, judge, summarise

if TYPE_CHECKING:
    from sat2map.engine import Engine

Watch = Callable[[Iterator[Judged]], Iterator[Judged]]


class Contestant(NamedTuple):
    """What is scored."""

    predict: Predict
    described: dict[str, Any]
    """What the protocol says of it: model, output, direction."""
    engine: Engine | None = None


class Pairs(NamedTuple):
    """What it is scored on: files, the overlap group of each, and how."""

    paths: Sequence[PairFile]
    groups: list[str]
    size_px: int
    seed: int


class Tally(NamedTuple):
    """What a contestant got: a score for each image, the baseline's if wanted, and its tables of `metrics.json`."""

    scores: list[ImageScore]
    baseline: list[ImageScore]
    tables: dict[str, Any]


def one_colour(colour_rgb: tuple[int, ...]) -> Contestant:
    """A contestant that paints everything in one colour."""
    described = {"model": None, "head": None, "constant_rgb": colour_rgb, "direction": "AtoB"}
    return Contestant(constant(colour_rgb), described)


def load(model: str | None, head: str | None = None, device: str = "auto") -> Contestant:
    """A model, drawing the output of that name, by default its first.

    Raises:
        ModelFileError: what `load_engine` raises, or the model has no such head.
    """
    # Only now: whoever scores one colour need not load a runtime.
    from sat2map.engine import load_engine

    engine = load_engine(model, device)
    card = engine.card
    direction = card.recipe.get("direction", "AtoB")
    described = {"model": card.name, "head": head or card.heads[0], "direction": direction}
    return Contestant(by_engine(engine, head), described, engine)


def load_rival(model: str, contestant: Contestant, device: str = "auto") -> Contestant:
    """Another model to compare with: the same output, where it has one of that name.

    Raises:
        ModelFileError: as for `load`, or the two were trained in opposite directions.
    """
    rival = load(model, device=device)
    direction = rival.described["direction"]
    if direction != contestant.described["direction"]:
        raise ModelFileError(
            f"models draw in opposite directions ({direction})", model, hint="compare models of one task"
        )
    head = contestant.described["head"]
    assert rival.engine is not None
    if head not in rival.engine.card.heads:
        return rival
    return rival._replace(predict=by_engine(rival.engine, head), described={**rival.described, "head": head})


def score_pairs(
    contestant: Contestant, pairs: Pairs, *, watch: Watch = lambda judged: judged, with_baseline: bool = False
) -> Tally:
    """Predict and score every pair.

    Args:
        contestant: what is scored.
        pairs: on what.
        watch: sees each image pass, to count or to keep it.
        with_baseline: score the baseline beside it.

    Raises:
        DataError: a file is no pair.
    """
    decoded = decode_pairs(pairs.paths, contestant.described["direction"])
    scores, baseline, confusions = [], [], []
    for image in watch(judge(contestant.predict, decoded, pairs.size_px)):
        scores.append(image.score)
        confusions.append(image.confusion())
        if with_baseline:
            baseline.append(image.baseline())
    tables = summarise(scores, pairs.groups, seed=pairs.seed)
    return Tally(scores, baseline, {**tables, "confusion": np.sum(confusions, axis=0).tolist()})
