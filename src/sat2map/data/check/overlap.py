"""Which images of a data set show common ground, and where: windows of one larger image, found by their details.

It finds windows of the same imagery, unturned and at one scale; it never finds ground photographed twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import KDTree

Grey = npt.NDArray[np.float32]
"""One image's brightness, shape (H, W), 0..255."""
Read = Callable[[int], Grey]
"""Brightness of an image by its index."""

FINE_PX, COARSE_PX = 1.2, 3.0
"""Blurs whose difference is what counts as detail; what is finer is JPEG's."""
LEAST_CONTRAST = 2.0
SPACING_PX = 6
"""Between two details of an image."""
N_DETAILS = 1000
PATCH_PX = 8
"""Half the side of what describes a detail; an overlap narrower than twice this is found through others only."""
N_DIMENSIONS = 8
"""In which neighbours are looked for: 81 % of the variance of aerial images' patches."""
N_NEIGHBOURS = 8
RADIUS = 0.08
"""Farthest neighbour; half of the details that two windows share are 0.03 apart, three quarters 0.05."""
LARGEST_DISTANCE = 0.15
LEAST_VOTES = 2
LEAST_CORRELATION = 0.5
"""Of the finest detail over all the common ground: windows of one image have .81 to .99, other ground below .1."""
LEAST_SIDE_PX = 12
"""Of common ground on which a correlation says anything."""
SLACK_PX = 1


class Overlap(NamedTuple):
    """Two images, by index, and where the second one's first pixel lies in the first one (rows, columns)."""

    first: int
    second: int
    dy: int
    dx: int
    n_votes: int = 0
    """Details that say so; 0: it follows from others."""

    def area(self, sizes: Sequence[tuple[int, int]]) -> int:
        """Pixels of common ground."""
        rows, cols = _common(self, sizes)
        return int(max(0, rows.stop - rows.start) * max(0, cols.stop - cols.start))


class Details(NamedTuple):
    """Where an image has detail, int, shape (N, 2), rows and columns; and how it checks, shape (N, 64), of length 1."""

    pixels: npt.NDArray[np.int64]
    checks: npt.NDArray[np.float32]


def no_details() -> Details:
    """Of an image that was not looked at closely."""
    return Details(np.empty((0, 2), np.int64), np.empty((0, PATCH_PX**2), np.float32))


def find_details(grey: Grey) -> Details:
    """The strongest details of an image, and the 16 x 16 px around each at half resolution."""
    fine = gaussian_filter(grey, FINE_PX)
    strength = np.abs(fine - gaussian_filter(grey, COARSE_PX))
    peaks = (strength == maximum_filter(strength, 2 * SPACING_PX + 1)) & (strength > LEAST_CONTRAST)
    peaks[:PATCH_PX] = peaks[-PATCH_PX:] = peaks[:, :PATCH_PX] = peaks[:, -PATCH_PX:] = False
    order = np.argsort(-strength[peaks], kind="stable")[:N_DETAILS]
    pixels = np.argwhere(peaks)[order]
    around = np.arange(1 - PATCH_PX, PATCH_PX, 2)
    rows, cols = pixels[:, 0, None, None] + around[:, None], pixels[:, 1, None, None] + around
    checks = fine[rows, cols].reshape(len(pixels), len(around) ** 2)
    checks = checks - checks.mean(1, keepdims=True)
    return Details(pixels, checks / (np.linalg.norm(checks, axis=1, keepdims=True) + 1e-6))


def find_overlaps(details: Sequence[Details], read: Read, sizes: Sequence[tuple[int, int]]) -> list[Overlap]:
    """Every overlap that details show or that follows from those.

    Args:
        details: of each image.
        read: brightness of an image, to confirm by.
        sizes: height and width of each image, in pixels.

    Returns:
        Overlaps with `first < second`, confirmed on the whole common ground; where it is too narrow for that, they
        follow from confirmed ones.
    """
    confirmed = [o for o in _candidates(details) if correlation(o, read, sizes) >= LEAST_CORRELATION]
    placed = _relative_positions(len(details), confirmed)
    direct = {(o.first, o.second): o for o in confirmed if _closes(o, placed)}
    found = list(direct.values())
    for implied in _implied(placed, sizes):
        if (implied.first, implied.second) not in direct:
            agreement = correlation(implied, read, sizes)
            if np.isnan(agreement) or agreement >= LEAST_CORRELATION:
                found.append(implied)
    return sorted(found)


def correlation(overlap: Overlap, read: Read, sizes: Sequence[tuple[int, int]]) -> float:
    """Of two images' fine detail over their common ground, -1..1; NaN where it is too narrow or empty to say."""
    rows, cols = _common(overlap, sizes)
    if min(rows.stop - rows.start, cols.stop - cols.start) < LEAST_SIDE_PX:
        return float("nan")
    one = read(overlap.first)[rows, cols]
    other = read(overlap.second)[_moved(rows, overlap.dy), _moved(cols, overlap.dx)]
    one, other = (part - gaussian_filter(part, COARSE_PX) for part in (one, other))
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / length if length > one.size else float("nan")


def groups(n_images: int, overlaps: Sequence[Overlap]) -> list[int]:
    """A number for each image, the same for all that hang together."""
    placed = _relative_positions(n_images, overlaps)
    numbers = {root: number for number, root in enumerate(dict.fromkeys(root for root, _, _ in placed))}
    return [numbers[root] for root, _, _ in placed]


def positions(n_images: int, overlaps: Sequence[Overlap]) -> list[tuple[int, int]]:
    """Row and column of each image in its group's scene, which begins at 0, 0."""
    placed = _relative_positions(n_images, overlaps)
    corner: dict[int, tuple[int, int]] = {}
    for root, y, x in placed:
        top, left = corner.get(root, (y, x))
        corner[root] = min(top, y), min(left, x)
    return [(y - corner[root][0], x - corner[root][1]) for root, y, x in placed]


def _candidates(details: Sequence[Details]) -> Iterator[Overlap]:
    """For each two images, the shift that most of their common details say, if several do."""
    counts = [len(d.pixels) for d in details]
    if sum(counts) < 2:
        return
    image = np.repeat(np.arange(len(details)), counts)
    pixels = np.concatenate([d.pixels for d in details])
    checks = np.concatenate([d.checks for d in details])
    one, other = _alike(checks)
    forward = image[one] < image[other]
    one, other = one[forward], other[forward]
    near = np.linalg.norm(checks[one] - checks[other], axis=1) < LARGEST_DISTANCE
    one, other = one[near], other[near]
    votes = np.column_stack([image[one], image[other], pixels[one] - pixels[other]])
    shifts, n_votes = np.unique(votes, axis=0, return_counts=True)
    best: dict[tuple[int, int], Overlap] = {}
    for (i, j, dy, dx), n in zip(shifts.tolist(), n_votes.tolist(), strict=True):
        if n >= LEAST_VOTES and n > best.get((i, j), Overlap(i, j, 0, 0)).n_votes:
            best[i, j] = Overlap(i, j, dy, dx, n)
    yield from best.values()


def _alike(checks: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pairs of details that look alike: indices of both."""
    centred = checks - checks.mean(0)
    _, axes = np.linalg.eigh(centred[:: max(1, len(centred) // 40_000)].T @ centred[:: max(1, len(centred) // 40_000)])
    points = (centred @ axes[:, : -N_DIMENSIONS - 1 : -1]).astype(np.float32)
    # An unbalanced tree is built in a tenth of the time, and answers as quickly.
    tree = KDTree(points, leafsize=24, balanced_tree=False, compact_nodes=False)
    _, neighbours = tree.query(points, k=N_NEIGHBOURS, distance_upper_bound=RADIUS, workers=-1)
    one, rank = np.nonzero(neighbours < len(points))
    return one, neighbours[one, rank]


def _relative_positions(n_images: int, overlaps: Sequence[Overlap]) -> list[tuple[int, int, int]]:
    """Root of each image's group, and its position relative to it; the surest overlaps first."""
    position = [(i, 0, 0) for i in range(n_images)]
    members = defaultdict(list, {i: [i] for i in range(n_images)})
    for o in sorted(overlaps, key=lambda o: -o.n_votes):
        (root, y, x), (old, v, u) = position[o.first], position[o.second]
        if root == old:
            continue
        down, right = y + o.dy - v, x + o.dx - u
        for moved in members.pop(old):
            _, row, col = position[moved]
            position[moved] = root, row + down, col + right
            members[root].append(moved)
    return position


def _closes(overlap: Overlap, placed: Sequence[tuple[int, int, int]]) -> bool:
    """Whether an overlap agrees with where surer ones have put its images."""
    (_, y, x), (_, v, u) = placed[overlap.first], placed[overlap.second]
    return abs(y + overlap.dy - v) <= SLACK_PX and abs(x + overlap.dx - u) <= SLACK_PX


def _implied(placed: Sequence[tuple[int, int, int]], sizes: Sequence[tuple[int, int]]) -> Iterator[Overlap]:
    members = defaultdict(list)
    for i, (root, _, _) in enumerate(placed):
        members[root].append(i)
    for group in members.values():
        for i, j in combinations(group, 2):
            overlap = Overlap(i, j, placed[j][1] - placed[i][1], placed[j][2] - placed[i][2])
            if overlap.area(sizes):
                yield overlap


def _common(overlap: Overlap, sizes: Sequence[tuple[int, int]]) -> tuple[slice, slice]:
    """Rows and columns of the first image that the second one shows too."""
    (height, width), (height_2, width_2) = sizes[overlap.first], sizes[overlap.second]
    rows = slice(max(0, overlap.dy), min(height, overlap.dy + height_2))
    cols = slice(max(0, overlap.dx), min(width, overlap.dx + width_2))
    return rows, cols


def _moved(part: slice, by: int) -> slice:
    return slice(part.start - by, part.stop - by)
