"""How a camera sees ground: sun, shade and shadows, haze, and a sensor that blurs, tints and makes noise."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from sat2map.arrays import UInt8
from sat2map.city.geometry import Points, Rng
from sat2map.landscape.ground import Floats, Terrain

EXPOSED = 0.6
"""How much of the way: what is bright in nature stays brighter than what is dark."""
TINT = np.array([0.98, 1.04, 1.13])
"""The usual cast of surveys from the air, by which their grey is a little green and blue."""
HARD, SOFT = (0.08, 0.22), (0.22, 0.58)
"""What is left of the light in shadows: in dry air and in others."""
PALE, DEEP = np.array([0.95, 1.0, 1.05]), np.array([0.6, 0.95, 1.9])
"""Colours of the light from the sky: from cloudy to clear and high."""
GREY_AIR, BLUE_AIR = np.array([128, 140, 150]), np.array([70, 112, 170])
"""What haze adds: dust and moisture, or clear air alone, by which shadows are blue."""


class Camera(NamedTuple):
    """Light and sensor of one image."""

    shadow: Points
    """Where the shadow of one metre of height falls: metres, shape (2,)."""
    sky: Points
    """Of the light, what is left in a shadow: shape (3,)."""
    level: float
    """What the mean of the image is brought near to, as cameras and their makers do."""
    gamma: float
    saturation: float
    tint: Points
    haze: float
    air: Points
    """The colour of the haze, shape (3,)."""
    blur_px: float
    noise: float
    quality: int
    """Of the JPEG that the image once was; 0: of none."""


def camera(rng: Rng) -> Camera:
    """The camera of one image, mostly as aerial surveys and satellites are."""
    turn = rng.uniform(-1.1, 1.1) + (np.pi if rng.random() < 0.15 else 0)
    return Camera(
        shadow=rng.uniform(0.35, 1.5) * np.array([np.sin(turn), -np.cos(turn)]),
        sky=rng.uniform(*HARD if rng.random() < 0.25 else SOFT) * (PALE + rng.beta(1, 1.6) * (DEEP - PALE)),
        level=rng.uniform(45, 75) if rng.random() < 0.3 else rng.uniform(85, 165),
        gamma=rng.uniform(0.85, 1.2),
        saturation=rng.uniform(0.55, 1.3),
        tint=TINT * (1 + rng.normal(0, 0.05, 3)),
        haze=rng.beta(1.2, 5) * 0.65,
        air=GREY_AIR + (rng.random() if rng.random() < 0.4 else 0) * (BLUE_AIR - GREY_AIR),
        blur_px=float(rng.uniform(0.3, 1.1) * (rng.random() < 0.6)),
        noise=rng.uniform(0.3, 3.5),
        quality=int(rng.integers(45, 95) * (rng.random() < 0.5)),
    )


def photograph(ground: Terrain, view: Camera) -> UInt8:
    """The ground as an image: uint8, shape (H, W, 3), RGB."""
    rng = ground.rng
    image = lit(ground, view)
    image *= (1 + 0.05 * ground.noise(260, 2))[..., None]
    haze = 1 + 0.25 * ground.noise(400, 1)[..., None]
    return developed(image, view, rng, haze)


def lit(ground: Terrain, view: Camera) -> Floats:
    """The ground in the light of sun and sky, with its shadows: levels 0..255 and above, shape (H, W, 3)."""
    sky = view.sky.astype(np.float32)
    out: Floats = ground.colour * (sky + (1 - sky) * _light(ground, view)[..., None])
    return out


def developed(image: Floats | UInt8, view: Camera, rng: Rng, uneven: Floats | float = 1.0) -> UInt8:
    """What a camera makes of light: uint8, shape (H, W, 3); the haze may be uneven."""
    image = np.asarray(image, np.float32)
    grey = image.mean(-1, keepdims=True)
    image = (grey + view.saturation * (image - grey)) * view.tint.astype(np.float32)
    exposure = float(np.clip((view.level / max(float(image.mean()), 1.0)) ** EXPOSED, 0.4, 2.2))
    image = 255 * np.clip(image * exposure / 255, 0, 2) ** view.gamma
    # Bright ground is held back in place of being cut off.
    image = np.where(image > 205, 205 + 50 * np.tanh((image - 205) / 50), image)
    image = image + view.haze * uneven * (view.air.astype(np.float32) * min(view.level / 100, 1.2) - image)
    return _sensed(image, view, rng)


def _sensed(image: Floats, view: Camera, rng: Rng) -> UInt8:
    noisy = image + view.noise * (0.5 * rng.standard_normal(image.shape, np.float32) + 0.7
                                  * rng.standard_normal((*image.shape[:2], 1), np.float32))  # fmt: skip
    levels: UInt8 = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    taken = Image.fromarray(levels)
    if view.blur_px:
        taken = taken.filter(ImageFilter.GaussianBlur(view.blur_px))
    if view.quality:
        file = io.BytesIO()
        taken.save(file, "JPEG", quality=view.quality)
        taken = Image.open(file).convert("RGB")
    return np.array(taken)


def _light(ground: Terrain, view: Camera) -> Floats:
    """How much of the sun's light falls on each pixel: about 1 on level ground, 0 in shadow."""
    length = float(np.hypot(*view.shadow))
    away = view.shadow / length
    slopes = _slope(ground.relief, away, ground.gsd_m) * (1 - ground.level)
    steep = np.clip(_slope(ground.height, away, ground.gsd_m), -1.5, 1.5)
    shade: Floats = np.clip(1 + 0.9 * length * slopes + 0.2 * steep, 0.0, 1.7)
    out: Floats = shade * (1 - _shadows(ground.height, view.shadow / ground.gsd_m))
    return np.where(ground.water > 0.5, np.maximum(out, 0.6 * (out > 0.02)), out)


def _slope(height: Floats, away: Points, gsd_m: float) -> Floats:
    """How steeply the ground rises away from the sun."""
    down, across = np.gradient(height)
    return np.asarray((across * np.float32(away[0]) + down * np.float32(away[1])) / np.float32(gsd_m))


def _shadows(height: Floats, per_m_px: Points) -> Floats:
    """1 where something nearer to the sun is higher than the ray, soft at the edge."""
    top = float(height.max())
    if top <= 0:
        return np.zeros_like(height)
    length = float(np.hypot(*per_m_px))
    steps = min(int(top * length) + 1, 90)
    highest = np.zeros_like(height)
    for k in range(1, steps + 1):
        # What stands k pixels towards the sun, less what the ray has sunk on its way.
        dx, dy = np.rint(k * per_m_px / length).astype(int)
        np.maximum(highest, _moved(height, dx, dy) - np.float32(k / length), out=highest)
    out: Floats = np.clip((highest - height) * length, 0, 1)
    return out


def _moved(field: Floats, dx: int, dy: int) -> Floats:
    """The field moved by whole pixels; what comes in from outside repeats the edge."""
    height, width = field.shape
    padded = np.pad(field, ((max(dy, 0), max(-dy, 0)), (max(dx, 0), max(-dx, 0))))
    return padded[max(-dy, 0) : max(-dy, 0) + height, max(-dx, 0) : max(-dx, 0) + width]
