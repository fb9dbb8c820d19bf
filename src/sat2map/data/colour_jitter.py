"""How a training image's colours are changed, so that other light and sensors are no news; moves no pixel."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter
from pydantic import BaseModel, ConfigDict, Field

from sat2map.arrays import UInt8
from sat2map.scene.stretch import PERCENTILES

Levels = npt.NDArray[np.float64]
"""2nd and 98th percentile of each channel; float64, shape (2, 3), 0..255."""


def levels_of(pixels: UInt8) -> Levels:
    """Levels of an image; uint8, shape (..., 3)."""
    levels: Levels = np.percentile(pixels.reshape(-1, 3), PERCENTILES, axis=0)
    return levels


class ColourJitter(BaseModel):
    """How far each change may go; 0: not at all. Most are drawn far nearer to none than to the farthest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stretch: float = Field(0, ge=0, le=1)
    """Probability that the source is stretched to the training set's levels."""
    gain: float = Field(0, ge=0, lt=4)
    """Multiply by up to 1 + gain or down to 1 / (1 + gain)."""
    gamma: float = Field(0, ge=0, lt=4)
    """Likewise for an exponent on the source in 0..1."""
    colour: float = Field(0, ge=0, lt=4)
    """Likewise for a gain on each channel by itself: a cast."""
    saturation: float = Field(0, ge=0, le=1)
    """Colourfulness, as a factor between 1 - saturation and 1 + saturation."""
    haze: float = Field(0, ge=0, lt=1)
    """Share of a light, near-grey colour mixed in."""
    shadow: float = Field(0, ge=0, lt=1)
    """Share of light taken from one side of a line."""
    blur_px: float = Field(0, ge=0)
    """Standard deviation of a Gaussian filter."""
    noise: float = Field(0, ge=0)
    """Standard deviation of noise, in levels of 255."""

    def weakened(self, share: float) -> Self:
        """With a share of each of these, but for the stretch, which is either done or not."""
        farthest = ColourJitter.model_fields.keys() - {"stretch"}
        return self.model_copy(update={name: share * getattr(self, name) for name in farthest})


def jitter_colours(
    source: UInt8, options: ColourJitter, rng: np.random.Generator, own: Levels | None, levels: Levels | None
) -> UInt8:
    """Change an image's colours.

    Args:
        source: uint8, shape (H, W, 3), RGB.
        options: far each change may go.
        rng: draws them, the same number whatever `options` says, but for the noise.
        own: levels of the whole image that `source` is cut from.
        levels: what `own` becomes where the image is stretched.
    """
    # Squared: half of the draws within a quarter of the way.
    near_none = [u * abs(u) for u in rng.uniform(-1, 1, 11).tolist()]
    gain, gamma, *cast, saturation, haze, air, shadow, blur, noise = near_none
    stretched, angle, *point = rng.random(4).tolist()
    image = Image.fromarray(source)
    if options.saturation:
        image = ImageEnhance.Color(image).enhance(1 + options.saturation * saturation)
    if options.shadow and shadow > 0:
        image = _shade(image, 1 - options.shadow * shadow, 2 * np.pi * angle, point)

    light = np.arange(256)[:, None] / 255
    if own is not None and levels is not None and stretched < options.stretch:
        light = stretch_table(own, levels) / 255
    gains = (1 + options.gain) ** gain * (1 + options.colour) ** np.array(cast)
    light = np.clip(gains * light ** (1 + options.gamma) ** gamma, 0, 1)
    share = options.haze * max(haze, 0)
    light = (1 - share) * light + share * (0.75 + 0.25 * air + 0.1 * np.array(cast))
    # One table for each channel: 256 powers, not one for each pixel.
    table = np.rint(255 * np.clip(light, 0, 1)).astype(np.uint8)
    image = image.point(np.broadcast_to(table, (256, 3)).T.ravel().tolist())

    if options.blur_px and blur > 0:
        image = image.filter(ImageFilter.GaussianBlur(options.blur_px * blur))
    pixels = np.asarray(image)
    if (sigma := options.noise * noise) > 0.5:
        grain = rng.standard_normal(pixels.shape, np.float32)
        pixels = np.clip(pixels + np.float32(sigma) * grain + 0.5, 0, 255).astype(np.uint8)
    return pixels


def stretch_table(own: Levels, levels: Levels) -> npt.NDArray[np.float64]:
    """What each level becomes where an image's levels `own` are moved to `levels`; float64, shape (256, 3), 0..255."""
    low, high = own
    # A flat image has nothing to stretch.
    slope = (levels[1] - levels[0]) / np.maximum(high - low, 8)
    table: npt.NDArray[np.float64] = np.clip((np.arange(256)[:, None] - low) * slope + levels[0], 0, 255)
    return table


def _shade(image: Image.Image, light: float, angle: float, point: list[float]) -> Image.Image:
    """Darken one side of a line through `point` (0..1, 0..1)."""
    height, width = image.height, image.width
    rows, columns = np.arange(height)[:, None] - point[0] * height, np.arange(width) - point[1] * width
    side = rows * np.cos(angle) + columns * np.sin(angle) > 0
    dark = image.point([round(light * v) for v in range(256)] * 3)
    image = image.copy()
    image.paste(dark, mask=Image.fromarray(side))
    return image
