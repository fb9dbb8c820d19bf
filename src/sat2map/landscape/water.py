"""Rivers, lakes, ponds, seas and flats, in every colour that water has; paints them and their banks."""

from __future__ import annotations

import numpy as np

from sat2map.city.geometry import Points, Rng
from sat2map.landscape.ground import MAP, Floats, Terrain, blurred, gain, mixed, outline

WATER = MAP["water"][0]
FRESH = np.array(
    [(14, 20, 22), (22, 34, 34), (30, 44, 40), (44, 58, 44), (62, 76, 54), (84, 84, 58), (108, 94, 66), (132, 112, 80),
     (36, 58, 76), (26, 42, 62), (70, 92, 92), (96, 104, 100), (92, 112, 96)], float
)  # fmt: skip
"""Black, green, brown, blue, grey: peat, algae, mud, sky, glacier. Dark brown is left to reeds and soil."""
SALT = np.array(
    [(18, 38, 48), (24, 56, 70), (34, 70, 84), (56, 96, 104), (82, 140, 142), (46, 66, 64), (92, 96, 84), (30, 46, 44)],
    float,
)


def river(ground: Terrain, *, wide_m: tuple[float, float] = (5, 70)) -> None:
    """A river from edge to edge, with meanders and banks."""
    rng = ground.rng
    half = float(np.exp(rng.uniform(*np.log(wide_m)))) / 2
    line = winding(ground, half * rng.uniform(0.5, 2.2) + 8, wave_m=half * rng.uniform(9, 16) + 50)
    n = len(line) // 12 + 2
    waves = np.interp(np.arange(len(line)) / 12, np.arange(n), rng.normal(0, 0.2, n))
    widths = half * np.clip(1 + waves, 0.4, 1.8)
    bed = ground.stroke(line, widths + rng.uniform(1, 4) + half * rng.choice((0.0, 0.5)))
    bank = np.array([(112, 100, 78), (74, 84, 54), (142, 134, 116), (62, 70, 46)][rng.integers(4)])
    ground.paint(bed, gain(bank, 0.14 * ground.noise(8, 3)), MAP["land"][0], level=True)
    wet = ground.stroke(line, widths)
    if half > 9 and rng.random() < 0.4:
        # Bars of gravel that the river leaves dry.
        wet = wet * (1 - ground.below(ground.noise(half * 1.6, 2, stretch=2.5), -1.5))
    fill(ground, wet, FRESH[rng.integers(len(FRESH))], rough=rng.uniform(0, 0.5))


def lakes(ground: Terrain, *, grain_m: float = 220) -> None:
    """Lakes whose shores wind, on a share of the ground."""
    rng = ground.rng
    field = ground.noise(grain_m, 5, fall=0.5)
    level = float(np.quantile(field, rng.uniform(0.1, 0.45)))
    rim = rng.uniform(0.02, 0.1)
    bank = np.array([(104, 96, 76), (70, 82, 50), (150, 140, 118), (48, 56, 38)][rng.integers(4)])
    shore = ground.below(field, level + rim)
    ground.paint(shore, gain(bank, 0.12 * ground.noise(7, 3)), MAP["land"][0], level=True)
    fill(ground, ground.below(field, level), FRESH[rng.integers(len(FRESH))], rough=rng.uniform(0, 0.8))


def ponds(ground: Terrain, n: int) -> None:
    """Small waters, each of a colour of its own, round or dug."""
    rng = ground.rng
    for _ in range(n):
        middle, radius = rng.uniform(0.05, 0.95, 2) * ground.size_m, rng.uniform(7, 34)
        shore = outline(rng, middle, radius)
        bank = middle + (shore - middle) * (1 + rng.uniform(1, 5) / radius)
        tone = np.array([(108, 98, 76), (66, 78, 48)][rng.integers(2)])
        ground.paint(ground.covered([bank]), gain(tone, 0.14 * ground.noise(5, 2)), MAP["land"][0], level=True)
        fill(ground, ground.covered([shore]), FRESH[rng.integers(len(FRESH))], rough=rng.uniform(0, 0.3), detail=False)


def fill(
    ground: Terrain, wet: Floats, colour: Points, *, rough: float = 0.3, detail: bool = True, weed: float = 0.2
) -> None:
    """Water of a colour: even or rough, with shallows, weed, glint and drift."""
    rng = ground.rng
    tone = np.asarray(colour) * rng.uniform(0.8, 1.25) * (1 + 0.05 * rng.normal(0, 1, 3))
    light = 0.03 * ground.noise(120, 2)
    if not detail:
        ground.paint(wet, gain(tone, light), WATER, level=True)
        return
    wind = rng.uniform(0, np.pi)
    light += 0.08 * rough * ground.noise(rng.uniform(3, 9), 2, stretch=rng.uniform(2, 5), angle=wind)
    if rng.random() < 0.5:
        light += rng.uniform(0.02, 0.07) * ground.noise(rng.uniform(30, 90), 4, stretch=rng.uniform(1.5, 5), angle=wind)
    surface = gain(tone, light)
    if rng.random() < 0.6:
        near = 1 - blurred(wet, rng.uniform(3, 16) / ground.gsd_m) * 2 + 1
        surface = mixed(surface, tone * 0.5 + np.array([70, 66, 48]), np.clip(near, 0, 1) * rng.uniform(0.2, 0.9))
    if rng.random() < weed:
        algae = np.clip(ground.noise(rng.uniform(15, 60), 4, stretch=2, angle=wind) - rng.uniform(0.2, 1.2), 0, 1)
        surface = mixed(surface, np.array([84, 108, 48]) * rng.uniform(0.7, 1.2), algae)
    if rng.random() < 0.25:
        glint = np.clip(
            ground.noise(300, 1) * 0.7 + 0.5 * ground.noise(rng.uniform(2, 6), 2, stretch=2, angle=wind), 0, 3
        )
        surface = surface + (28 * rng.random() * glint[..., None]).astype(np.float32)
    ground.paint(wet, surface, WATER, level=True)


def sea(ground: Terrain, *, share: tuple[float, float] = (0.2, 0.7), surf: bool = True) -> Floats:
    """The sea along one side, with its beach and surf; returns how far inland each pixel lies, metres."""
    rng = ground.rng
    angle = rng.uniform(0, 2 * np.pi)
    coast = ground.along(angle) + rng.uniform(4, 34) * ground.noise(rng.uniform(120, 320), 4, fall=0.45)
    inland = coast - float(np.quantile(coast, rng.uniform(*share)))
    if rng.random() < 0.8:
        _beach(ground, inland)
    wet = ground.below(inland, 0.0)
    deep = SALT[rng.integers(len(SALT))]
    fill(ground, wet, deep, rough=rng.uniform(0.1, 1), weed=0)
    shallow = deep * 0.6 + np.array([70, 84, 74]) * rng.uniform(0.6, 1.1)
    near = np.exp(np.minimum(inland, 0) / rng.uniform(8, 60)) * rng.uniform(0.2, 1)
    ground.paint(wet * np.clip(near + 0.08 * ground.noise(25, 3), 0, 1), shallow)
    if surf:
        _surf(ground, inland, wet, angle)
    ground.label(wet, WATER)
    return inland


def _beach(ground: Terrain, inland: Floats) -> None:
    rng = ground.rng
    sand = np.array(
        [(206, 192, 164), (180, 158, 124), (150, 140, 126), (104, 98, 92), (224, 216, 198), (196, 168, 140)]
    )
    dry = sand[rng.integers(len(sand))] * rng.uniform(0.85, 1.1)
    width = rng.uniform(8, 60)
    field = inland + 3.0 * ground.noise(40, 3)
    ground.paint(ground.below(field, width), gain(dry, 0.05 * ground.noise(12, 4)), MAP["land"][0])
    wet_sand = np.clip(1 - inland / (width * rng.uniform(0.15, 0.5)) + 0.2 * ground.noise(20, 3), 0, 1)
    ground.paint(ground.below(field, width) * wet_sand, dry * np.array([0.56, 0.57, 0.6]))


def _surf(ground: Terrain, inland: Floats, wet: Floats, angle: float) -> None:
    """Lines of breakers that run with the shore, and foam."""
    rng = ground.rng
    patches = np.clip(0.6 + 0.7 * ground.noise(60, 2, stretch=2.5, angle=angle + np.pi / 2), 0, 1)
    ragged = inland + 2.2 * ground.noise(14, 3)
    for k in range(int(rng.integers(0, 5))):
        at, thick = -rng.uniform(1, 16) - 17 * k, rng.uniform(1.2, 5)
        crest = np.clip(1 - np.abs(ragged - at) / thick, 0, 1)
        foam = np.clip(1 - (at - ragged) / (thick * 4), 0, 1) * (ragged < at) * 0.0
        lace = np.clip(0.5 + 0.6 * ground.noise(3, 2), 0, 1)
        ground.paint(wet * np.clip(crest * patches + foam, 0, 1) * (0.4 + 0.6 * lace), (226, 230, 228))
        trail = np.clip(1 - (ragged - at) / (thick * 5), 0, 1) * (ragged >= at)
        ground.paint(wet * trail * patches * lace * 0.5, (190, 200, 198))


def flats(ground: Terrain) -> None:
    """Tidal flats: wet mud and salt marsh, which are land, between creeks, which are water."""
    rng = ground.rng
    mud = np.array([(92, 84, 72), (74, 70, 62), (112, 102, 86), (60, 60, 54)])[rng.integers(4)]
    ground.colour = gain(mud, 0.1 * ground.noise(90, 5) + 0.04 * ground.noise(2, 1))
    wet = np.clip(0.4 + 0.5 * ground.noise(60, 4), 0, 1)
    ground.paint(wet * 0.6, mud * np.array([0.55, 0.62, 0.7]))
    if rng.random() < 0.6:
        marsh = ground.below(ground.noise(130, 4), rng.uniform(-0.4, 0.9))
        green = np.array([(84, 92, 56), (70, 78, 52), (112, 104, 66)])[rng.integers(3)]
        ground.paint(marsh, gain(green, 0.14 * ground.noise(9, 4)), MAP["land"][0])
    ridge = np.abs(ground.noise(150, 5, fall=0.5))
    fill(ground, ground.below(ridge, rng.uniform(0.04, 0.22)), FRESH[rng.integers(5, len(FRESH))])


def winding(ground: Terrain, size_m: float, wave_m: float) -> Points:
    """A line that winds from edge to edge: points about four metres apart, shape (n, 2)."""
    start, ahead, length = crossing(ground.rng, ground.size_m)
    rng, u = ground.rng, np.arange(-40, length + 40, 4.0)
    v = np.zeros_like(u)
    for k in range(4):
        wave = wave_m * rng.uniform(0.6, 1.6) / (0.5 + 0.7 * k)
        v += size_m * rng.normal(0, 1) / (0.6 + 0.8 * k) * np.sin(2 * np.pi * u / wave + rng.uniform(0, 2 * np.pi))
    v += 0.25 * length * rng.normal(0, 0.3) * np.sin(np.pi * u / length)
    # The swing runs ahead of itself, as meanders do.
    lean = rng.uniform(-0.35, 0.35) * v
    line: Points = start + (u + lean)[:, None] * ahead + v[:, None] * np.array([-ahead[1], ahead[0]])
    return line


def crossing(rng: Rng, size_m: Points, angle: float | None = None) -> tuple[Points, Points, float]:
    """A straight way across: where it begins, its direction and its length."""
    turn = rng.uniform(0, 2 * np.pi) if angle is None else angle
    ahead = np.array([np.cos(turn), np.sin(turn)])
    aside = np.array([-ahead[1], ahead[0]])
    length = 1.5 * float(np.hypot(*size_m))
    middle = size_m / 2 + aside * rng.uniform(-0.36, 0.36) * size_m.min()
    return middle - ahead * length / 2, ahead, length
