"""95 % intervals by drawing whole overlap groups: images that share ground are never taken for independent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sat2map.evaluate.metrics import Float, ImageScore, figures

N_DRAWS = 1000
TAILS = (0.025, 0.975)


def intervals(scores: Sequence[ImageScore], groups: Sequence[str], n_draws: int = N_DRAWS, seed: int = 0) -> Float:
    """95 % interval of every figure.

    Args:
        scores: one for each image.
        groups: the overlap group of each image, in the same order.
        n_draws: bootstrap samples, each of as many groups as there are, with replacement.
        seed: the same seed draws the same groups, whatever the scores.

    Returns:
        float64, shape (2, 15): lower and upper ends, columns as in `metrics.FIGURES`; NaN where the figure is
        undefined in every draw.
    """
    return _ends(_drawn_figures(scores, groups, _draw_counts(groups, n_draws, seed)))


def paired_difference(
    scores_a: Sequence[ImageScore],
    scores_b: Sequence[ImageScore],
    groups: Sequence[str],
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> tuple[Float, Float]:
    """Difference a - b of every figure, both models being scored on the same images of each draw.

    Args:
        scores_a: one for each image.
        scores_b: of the same images in the same order.
        groups: the overlap group of each image.
        n_draws: bootstrap samples.
        seed: of the draws.

    Returns:
        The differences (float64, shape (15,)) and their 95 % intervals (float64, shape (2, 15)).
    """
    counts = _draw_counts(groups, n_draws, seed)
    drawn = _drawn_figures(scores_a, groups, counts) - _drawn_figures(scores_b, groups, counts)
    whole = np.ones((1, counts.shape[1]))
    difference = _drawn_figures(scores_a, groups, whole) - _drawn_figures(scores_b, groups, whole)
    return difference[0], _ends(drawn)


def _draw_counts(groups: Sequence[str], n_draws: int, seed: int) -> Float:
    """How often each draw takes each group: float64, shape (n_draws, n_groups)."""
    n_groups = len(set(groups))
    shares = np.full(n_groups, 1 / n_groups)
    return np.random.default_rng(seed).multinomial(n_groups, shares, n_draws).astype(np.float64)


def _drawn_figures(scores: Sequence[ImageScore], groups: Sequence[str], counts: Float) -> Float:
    assert len(scores) == len(groups), (len(scores), len(groups))
    names, group_of_image = np.unique(np.asarray(groups), return_inverse=True)
    rows = np.stack([s.sums() for s in scores])
    by_group = np.zeros((len(names), rows.shape[1]))
    np.add.at(by_group, group_of_image, rows)
    # A perfect image has an infinite psnr, and 0 times infinity would spoil the draws that leave it out.
    infinite = np.isinf(by_group)
    sums = counts @ np.where(infinite, 0, by_group)
    sums[counts @ infinite > 0] = np.inf
    return figures(sums)


def _ends(drawn: Float) -> Float:
    ends = np.full((len(TAILS), drawn.shape[1]), np.nan)
    defined = ~np.isnan(drawn).all(0)
    # Draws themselves, nothing in between: infinity has no neighbour to interpolate with.
    ends[:, defined] = np.nanquantile(drawn[:, defined], TAILS, axis=0, method="inverted_cdf")
    return ends
