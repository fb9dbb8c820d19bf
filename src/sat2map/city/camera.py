"""How a camera sees what was painted: surfaces that are not even, haze and noise; knows no shapes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from sat2map.arrays import UInt8
from sat2map.city.canvas import Canvas
from sat2map.city.geometry import rng_of
from sat2map.city.options import Light, Swell
from sat2map.tiling import Window

Floats = npt.NDArray[np.float32]

SHADE = np.array([0.2, 0.21, 0.235], np.float32)
"""Of the sun's light, what is left in a shadow: that of the sky."""
AIR = np.array([71, 75, 74], np.float32)
COLOUR_NOISE = np.array([1.8, 0, -2.6], np.float32)
SHOULDER = np.float32(107)
"""From this level on the brightest roofs are held back."""
CHUNK_PX = 256
GRAINS_M = ((330.0, 0.08), (110.0, 0.07), (31.0, 0.05), (8.0, 0.06), (2.4, 0.065), (0.9, 0.04))
"""How surfaces vary: size of the grains, and the deviation of brightness that they make."""


def photograph(canvas: Canvas, light: Light, seed: tuple[int, ...]) -> UInt8:
    """The window of a canvas as an image: uint8, shape (H, W, 3), RGB.

    All that is random depends on the pixel's position in the city, so that neighbouring windows fit.
    """
    albedo, lit = canvas.image()
    gain = np.ones(albedo.shape[:2], np.float32)
    for n, (grain_m, share) in enumerate(GRAINS_M):
        gain += share * _grains(canvas.window, max(1, round(grain_m / canvas.gsd_m)), (*seed, 6, n))
    gain *= 1 + _swell(canvas, light.relief)
    # Water is even.
    gain = np.where(canvas.shows_water(), 0.7 + 0.3 * gain, gain)
    image = albedo * (SHADE + (1 - SHADE) * lit) * np.maximum(gain, 0.4)[..., None]
    image += light.noise * _white(canvas.window, (*seed, 7))[..., None]
    image += COLOUR_NOISE * _white(canvas.window, (*seed, 8))[..., None]
    haze = light.haze * (1 + _swell(canvas, light.drift))
    return _toned(image, light, haze[..., None])


def _toned(image: Floats, light: Light, haze: Floats) -> UInt8:
    grey = image.mean(-1, keepdims=True)
    image = grey + light.saturation * (image - grey)
    image = light.exposure * image * light.tint.astype(np.float32) + haze * AIR
    image = np.minimum(image, SHOULDER + 0.72 * (image - SHOULDER))
    toned: UInt8 = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return toned


def _swell(canvas: Canvas, swell: Swell) -> Floats:
    """The sum of its waves: float32, shape (H, W)."""
    w, waves = canvas.window, swell.waves * canvas.gsd_m
    across = np.exp(1j * np.outer(np.arange(w.col, w.col + w.width), waves[:, 0]))
    down = np.exp(1j * (np.outer(np.arange(w.row, w.row + w.height), waves[:, 1]) + swell.phases))
    summed: Floats = ((down * swell.sizes) @ across.T).real.astype(np.float32)
    return summed


def _grains(window: Window, cell_px: int, seed: tuple[int, ...]) -> Floats:
    """Smooth noise of deviation about 1 whose grains are `cell_px` wide: float32, shape (H, W)."""
    if cell_px == 1:
        return _white(window, seed)
    # Two grains more on each side: what the bicubic filter reaches.
    top, left = window.row // cell_px - 2, window.col // cell_px - 2
    height = (window.row + window.height) // cell_px + 4 - top
    width = (window.col + window.width) // cell_px + 4 - left
    coarse = Image.fromarray(_white(Window(top, left, height, width), seed))
    y, x = window.row / cell_px - top, window.col / cell_px - left
    box = (x, y, x + window.width / cell_px, y + window.height / cell_px)
    return np.asarray(coarse.resize((window.width, window.height), Image.Resampling.BICUBIC, box))


def _white(window: Window, seed: tuple[int, ...]) -> Floats:
    """Normal noise that depends on the position alone: float32, shape (H, W)."""
    out = np.empty((window.height, window.width), np.float32)
    for i in range(window.row // CHUNK_PX, (window.row + window.height - 1) // CHUNK_PX + 1):
        for j in range(window.col // CHUNK_PX, (window.col + window.width - 1) // CHUNK_PX + 1):
            chunk = Window(i * CHUNK_PX, j * CHUNK_PX, CHUNK_PX, CHUNK_PX)
            top, left = max(chunk.row, window.row), max(chunk.col, window.col)
            bottom = min(chunk.row + CHUNK_PX, window.row + window.height)
            right = min(chunk.col + CHUNK_PX, window.col + window.width)
            part = Window(top, left, bottom - top, right - left)
            drawn = rng_of(seed, i, j).standard_normal((CHUNK_PX, CHUNK_PX), np.float32)
            out[part.inside(window).slices] = drawn[part.inside(chunk).slices]
    return out
