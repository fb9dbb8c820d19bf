"""Whether a model is worth using, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEWEST_GROUPS, ROUGH_GROUPS = 3, 6
"""With fewer held-out blocks an interval says nothing, or is rough."""


def verdict(metrics: Mapping[str, Any], before: str) -> str:
    """Whether a model is worth using, in a sentence or two.

    Args:
        metrics: of its evaluation, as `metrics.json` has them.
        before: the model that it began with.
    """
    protocol = metrics["protocol"]
    where = f"on {protocol['n_images']} squares in {protocol['n_groups']} blocks that it was not trained on"
    rough = " So few blocks make the interval rough." if protocol["n_groups"] < ROUGH_GROUPS else ""
    name = "road_f1" if metrics["metrics"]["road_f1"]["value"] is not None else "miou"
    what = "roads" if name == "road_f1" else "classes"
    value = metrics["metrics"][name]["value"]
    if "difference" not in metrics:
        constant = metrics["constant_baseline"]["metrics"]
        miou, plain = metrics["metrics"]["miou"]["value"], constant["miou"]["value"]
        return (
            f"{before} has other classes, so there is no before. After: miou {miou:.3f} {where}; one colour everywhere "
            f"has {plain:.3f}.{rough}"
        )
    cell = metrics["difference"]["metrics"][name]
    said = (
        f"{where} it draws {what} with a {name} of {value:.3f}, and {before} of "
        f"{metrics['versus']['metrics'][name]['value']:.3f} ({cell['value']:+.3f}, 95 % {cell['low']:+.3f} to "
        f"{cell['high']:+.3f})."
    )
    is_certain = protocol["n_groups"] >= FEWEST_GROUPS
    if cell["low"] > 0 and is_certain:
        return f"It is worth using here: {said}{rough}"
    if cell["high"] < 0 and is_certain:
        return f"It is not worth using: {said}{rough}"
    return f"It is not shown to be better than {before}: {said}{rough}"
