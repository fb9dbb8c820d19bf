"""The frontier of a palette head: predictions of one model at several temperatures of its softmax."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sat2map.evaluate.protocol import Predict, by_engine

if TYPE_CHECKING:
    from sat2map.engine import Engine

GAMMAS = (0.5, 1.0, 2.0, 4.0)
PALETTE_HEADS = ("crisp", "smooth")


def frontier(engine: Engine, model: str | Path | None, device: str = "auto") -> Iterator[tuple[str, Predict]]:
    """Yield name and prediction of each point, from the softest colours to crisp; none without a palette head.

    An ONNX file has its temperature in its graph, so it gives two points; a safetensors file gives all.

    Args:
        engine: the model, loaded.
        model: what it was loaded from.
        device: device of the points that a safetensors file gives.
    """
    card = engine.card
    if not set(PALETTE_HEADS) <= set(card.heads):
        return
    from sat2map.model.bundled import resolve

    path = resolve(model)
    if path.suffix == ".safetensors":
        from sat2map.engine.torch import TorchEngine, load_generator

        generator, _ = load_generator(path)
        for gamma in GAMMAS:
            softened = copy.copy(generator)
            softened.temperature = gamma  # type: ignore[assignment]
            yield f"γ = {gamma:g}", by_engine(TorchEngine(softened, card, device), "smooth")
    else:
        yield f"γ = {card.temperature:g}", by_engine(engine, "smooth")
    yield "crisp", by_engine(engine, "crisp")
