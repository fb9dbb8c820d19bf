"""95 % intervals of metrics by drawing whole overlap groups: images that share ground are not independent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sat2map.arrays import Float64
from sat2map.evaluate.metrics import ImageScore, as_numbers, as_sums, metric_values, score_rows

N_DRAWS = 1000
TAILS = (0.025, 0.975)


def intervals(
    scores: Sequence[ImageScore], groups: Sequence[str], n_draws: int = N_DRAWS, seed: int = 0
) -> dict[str, Float64]:
    """Compute the 95 % interval of every metric.

    Args:
        scores: one for each image.
        groups: the overlap group of each image, in the same order.
        n_draws: number of bootstrap samples; each has as many groups as there are, drawn with replacement.
        seed: the same seed draws the same groups, whatever the scores.

    Returns:
        For each name of `metrics.metric_values` its lower and upper end: float64, shape (2,); NaN where the metric is
        undefined in every draw.
    """
    return _ends(_draw_metrics(scores, groups, draw_counts(groups, n_draws, seed)))


def paired_difference(
    scores_a: Sequence[ImageScore], scores_b: Sequence[ImageScore], groups: Sequence[str], seed: int = 0
) -> tuple[dict[str, float], dict[str, Float64]]:
    """Compute the difference a - b of every metric; each draw scores both models on the same images.

    Args:
        scores_a: one for each image.
        scores_b: of the same images in the same order.
        groups: the overlap group of each image.
        seed: seed of the draws.

    Returns:
        The differences by name, and their 95 % intervals by name (float64, shape (2,)).
    """
    counts = draw_counts(groups, N_DRAWS, seed)
    whole = np.ones((1, counts.shape[1]))
    differences = [
        _subtract(_draw_metrics(scores_a, groups, c), _draw_metrics(scores_b, groups, c)) for c in (whole, counts)
    ]
    return {name: float(value[0]) for name, value in differences[0].items()}, _ends(differences[1])


def draw_counts(groups: Sequence[str], n_draws: int, seed: int) -> Float64:
    """How often each draw takes each group: float64, shape (n_draws, n_groups)."""
    n_groups = len(set(groups))
    shares = np.full(n_groups, 1 / n_groups)
    return np.random.default_rng(seed).multinomial(n_groups, shares, n_draws).astype(np.float64)


def _draw_metrics(scores: Sequence[ImageScore], groups: Sequence[str], counts: Float64) -> dict[str, Float64]:
    """Metrics of each draw by name: float64, shape (n_draws,)."""
    assert len(scores) == len(groups), (len(scores), len(groups))
    names, group_of_image = np.unique(np.asarray(groups), return_inverse=True)
    summed = score_rows(scores)
    rows = as_numbers(summed)
    by_group = np.zeros((len(names), rows.shape[1]))
    np.add.at(by_group, group_of_image, rows)
    # A perfect image has an infinite psnr, and 0 times infinity would spoil the draws that leave it out.
    infinite = np.isinf(by_group)
    sums = counts @ np.where(infinite, 0, by_group)
    sums[counts @ infinite > 0] = np.inf
    return metric_values(as_sums(sums, summed.dtype))


def _subtract(a: Mapping[str, Float64], b: Mapping[str, Float64]) -> dict[str, Float64]:
    return {name: a[name] - b[name] for name in a}


def _ends(draws: Mapping[str, Float64]) -> dict[str, Float64]:
    return {name: ends_of(values) for name, values in draws.items()}


def ends_of(values: Float64) -> Float64:
    """Compute the ends of the 95 % interval of draws: float64, shape (2,); NaN where all are."""
    if np.isnan(values).all():
        return np.full(len(TAILS), np.nan)
    # Values of draws, not interpolated: infinity cannot be interpolated.
    ends: Float64 = np.nanquantile(values, TAILS, method="inverted_cdf")
    return ends
