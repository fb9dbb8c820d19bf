"""What kind of city is drawn and in what light: a few named parameters; draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from sat2map.city.geometry import Points, Rng, axis

Season = Literal["summer", "autumn", "winter"]
SWELL_M = (250, 320)
"""Length of the waves of hills and of haze."""
STEEPEST, DRIFT = 0.135, 0.31
"""Rise per metre of the slopes of a row of hills, and the share by which a wave of haze is thicker."""


@dataclass(frozen=True)
class CityOptions:
    """Streets, blocks and what crosses them: metres on the ground, and shares from 0 to 1."""

    block_m: tuple[float, float] = (175.0, 74.0)
    """Usual length and depth of a block."""
    district_m: float = 430.0
    """Usual side of a district, which has a street grid of its own."""
    street_m: float = 9.5
    """Width of a street, from kerb to kerb."""
    avenue_m: float = 14.5
    """Of the roads between districts."""
    major_share: float = 0.3
    """Of the long roads between districts, those that maps colour; of the short ones it is a third of that."""
    motorway_m: float = 25.0
    irregularity: float = 0.3
    """How much blocks differ; 0 is a regular grid."""
    curviness: float = 1.0
    """How much streets bend; 0 is straight."""
    motorway_every_m: float = 2700.0
    river_every_m: float = 3000.0
    railway_every_m: float = 4500.0
    park_share: float = 0.09
    """Of the blocks, and of the districts."""
    season: Season | None = None
    """None: as the seed says, and summer five times of six."""


class Swell(NamedTuple):
    """Two waves across each other, without end; as much of them shows in every image."""

    waves: Points
    """Radians per metre, shape (2, 2)."""
    phases: Points
    """Shape (2,)."""
    sizes: Points
    """Of each wave, shape (2,)."""


class Light(NamedTuple):
    """How a city is lit and photographed; one for all of its windows."""

    shadow: Points
    """Where the shadow of one metre of height falls: metres, shape (2,), x to the right and y down."""
    season: Season
    exposure: float
    """Gain of all channels."""
    saturation: float
    tint: Points
    """Gain of each channel, shape (3,)."""
    haze: float
    """Share of the light that comes from the air."""
    noise: float
    """Standard deviation of the sensor's noise, in levels."""
    relief: Swell
    """How the ground rolls, as the share of light that its slopes gain or lose."""
    drift: Swell
    """How uneven the haze is, as a share of itself."""


def light(options: CityOptions, rng: Rng) -> Light:
    """The light of a city."""
    turn, length = rng.uniform(-0.75, 0.45), rng.uniform(0.55, 0.95)
    shadow = length * np.array([np.sin(turn), -np.cos(turn)])
    drawn: Season = rng.choice(("summer", "autumn", "winter"), p=(0.84, 0.11, 0.05))
    return Light(
        shadow=shadow,
        season=options.season or drawn,
        exposure=rng.uniform(0.61, 0.685),
        saturation=rng.uniform(0.63, 0.8),
        tint=1 + rng.normal(0, 0.012, 3),
        haze=rng.uniform(0.12, 0.2),
        noise=rng.uniform(0.6, 2.0),
        relief=_relief(rng, shadow),
        drift=_swell(rng, DRIFT),
    )


def _relief(rng: Rng, shadow: Points) -> Swell:
    """Low hills: ground rising a metre per metre away from the sun gains the length of a metre's shadow in light."""
    hills = _swell(rng, STEEPEST)
    return hills._replace(sizes=hills.sizes * (hills.waves @ shadow) / np.hypot(*hills.waves.T))


def _swell(rng: Rng, size: float) -> Swell:
    directions = axis(rng.uniform(0, 2 * np.pi) + np.array([0, np.pi / 2]))
    waves = 2 * np.pi * directions / rng.uniform(*SWELL_M, (2, 1))
    return Swell(waves, rng.uniform(0, 2 * np.pi, 2), np.full(2, size))
