"""One model or two, scored on the same pairs: from what is loaded to the tables of `metrics.json`; writes no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sat2map.data.pairs import PairFile
from sat2map.errors import ModelFileError
from sat2map.evaluate.measures import PictureScore
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
    """What a contestant got: a score for each picture, the floor's if wanted, and its tables of `metrics.json`."""

    scores: list[PictureScore]
    floor: list[PictureScore]
    tables: dict[str, Any]


def one_colour(colour_rgb: tuple[int, ...]) -> Contestant:
    """A contestant that paints everything in one colour."""
    described = {"model": None, "output": None, "constant_rgb": colour_rgb, "direction": "AtoB"}
    return Contestant(constant(colour_rgb), described)


def load(model: str | None, output: str | None = None, device: str = "auto") -> Contestant:
    """A model, drawing the output of that name, by default its first.

    Raises:
        ModelFileError: what `load_engine` raises, or the model has no such output.
    """
    # Only now: whoever scores one colour need not load a runtime.
    from sat2map.engine import load_engine

    engine = load_engine(model, device)
    card = engine.card
    direction = card.recipe.get("direction", "AtoB")
    described = {"model": card.name, "output": output or card.outputs[0], "direction": direction}
    return Contestant(by_engine(engine, output), described, engine)


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
    output = contestant.described["output"]
    assert rival.engine is not None
    if output not in rival.engine.card.outputs:
        return rival
    return rival._replace(predict=by_engine(rival.engine, output), described={**rival.described, "output": output})


def score_pairs(
    contestant: Contestant, pairs: Pairs, *, watch: Watch = lambda judged: judged, with_floor: bool = False
) -> Tally:
    """Predict and score every pair.

    Args:
        contestant: what is scored.
        pairs: on what.
        watch: sees each picture pass, to count or to keep it.
        with_floor: score the floor beside it.

    Raises:
        DataError: a file is no pair.
    """
    decoded = decode_pairs(pairs.paths, contestant.described["direction"])
    scores, floor, confusions = [], [], []
    for picture in watch(judge(contestant.predict, decoded, pairs.size_px)):
        scores.append(picture.score)
        confusions.append(picture.confusion())
        if with_floor:
            floor.append(picture.floor())
    tables = summarise(scores, pairs.groups, seed=pairs.seed)
    return Tally(scores, floor, {**tables, "confusion": np.sum(confusions, axis=0).tolist()})
