from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from sat2map.arrays import UInt8
from sat2map.data.augment import Augmentation, Chip, draw_chip
from sat2map.data.pairs import Pair
from tests.data.images import flat, hills, noise

PAIR = Pair(hills(60, 1), hills(60, 2))
EVERYTHING = Augmentation(
    load_px=(40, 70), crop_px=32, mirror=True, quarter_turns=True, gain=0.4, gamma=0.3, colour=0.2
)


def chips(pair: Pair, how: Augmentation, n: int = 100) -> list[Chip]:
    return [draw_chip(pair, how, seed=0, epoch=1, index=i) for i in range(n)]


def same(a: Chip, b: Chip) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_chip_follows_from_seed_epoch_and_index_alone() -> None:
    drawn = {key: draw_chip(PAIR, EVERYTHING, seed=key[0], epoch=key[1], index=key[2]) for key in np.ndindex(3, 3, 3)}
    np.random.default_rng().random()
    for key in reversed(drawn):
        again = draw_chip(PAIR, EVERYTHING, seed=key[0], epoch=key[1], index=key[2])
        assert same(again, drawn[key])
    contents = {(chip.source_hwc.tobytes(), chip.target_hwc.tobytes()) for chip in drawn.values()}
    assert len(contents) == 27


@pytest.mark.parametrize("how", [EVERYTHING, Augmentation(load_px=(40, 40), crop_px=32)], ids=["all", "few"])
def test_chip_is_bytes_of_the_crops_size(how: Augmentation) -> None:
    for chip in chips(PAIR, how, 20):
        for half in chip:
            assert half.shape == (32, 32, 3)
            assert half.dtype == np.uint8
            assert min(half.strides) > 0, "torch takes no negative strides"


def shifted(whole: UInt8, crop: UInt8) -> int:
    """Largest difference of a crop from the most similar one of the whole, in levels."""
    side = crop.shape[0]
    places = np.lib.stride_tricks.sliding_window_view(whole.astype(np.int16), (side, side), axis=(0, 1))
    differences = np.abs(places - crop.transpose(2, 0, 1)).max((2, 3, 4))
    return int(differences.min())


@pytest.mark.parametrize("make", [hills, lambda side, seed: noise(side, side, seed)], ids=["smooth", "noise"])
@pytest.mark.parametrize(("side", "load", "crop"), [(60, 28, 25), (60, 60, 50), (40, 57, 51)])
def test_chip_is_a_crop_of_the_whole_half_resized(
    make: Callable[[int, int], np.ndarray], side: int, load: int, crop: int
) -> None:
    """One level of rounding apart, the crop's border included: Pillow's filter reads beyond the box (measured: 1)."""
    pair = Pair(make(side, 1), make(side, 2))
    how = Augmentation(load_px=(load, load), crop_px=crop, mirror=False)
    wholes = [np.asarray(Image.fromarray(half).resize((load, load), Image.Resampling.BICUBIC)) for half in pair]
    for chip in chips(pair, how, 10):
        for whole, half in zip(wholes, chip, strict=True):
            assert shifted(whole, half) <= 1


def test_papers_crop_of_256_from_286_px_is_the_whole_half_resized() -> None:
    half = hills(600, 3)
    whole = np.asarray(Image.fromarray(half).resize((286, 286), Image.Resampling.BICUBIC)).astype(int)
    places = set()
    for index in range(4):
        chip = draw_chip(Pair(half, half), Augmentation(mirror=False), seed=0, epoch=0, index=index)
        differences = {
            (top, left): np.abs(whole[top : top + 256, left : left + 256] - chip.source_hwc).max()
            for top in range(31)
            for left in range(31)
        }
        place = min(differences, key=differences.__getitem__)
        assert differences[place] <= 1
        assert sorted(differences.values())[1] > 1
        places.add(place)
    assert len(places) > 1


def test_crops_reach_every_corner_of_the_half() -> None:
    """A ramp from 0 to 255 shows where each crop began and ended."""
    ramp = np.broadcast_to(np.linspace(0, 255, 64).round().astype(np.uint8)[:, None, None], (64, 64, 3))
    for half in (ramp, ramp.swapaxes(0, 1)):
        drawn = chips(Pair(half, half), Augmentation(load_px=(64, 64), crop_px=60, mirror=False), 80)
        levels = [(int(chip.source_hwc.min()), int(chip.source_hwc.max())) for chip in drawn]
        assert len(set(levels)) == 5
        assert min(low for low, _ in levels) == 0
        assert max(high for _, high in levels) == 255


def test_load_size_is_uniform_in_its_logarithm_between_its_bounds() -> None:
    """The slope of a ramp, in levels per pixel of the chip, is its size over the size loaded."""
    ramp = np.broadcast_to(np.arange(0, 250, dtype=np.uint8)[None, :, None], (250, 250, 3))
    how = Augmentation(load_px=(100, 400), crop_px=64, mirror=False)
    drawn = chips(Pair(ramp, ramp), how, 300)
    slopes = [np.polyfit(np.arange(4, 60), chip.source_hwc[32, 4:60, 0].astype(float), 1)[0] for chip in drawn]
    loads = 250 / np.array(slopes)
    assert loads.min() > 96
    assert loads.max() < 415
    position = np.log(loads / 100) / np.log(4)
    assert np.quantile(position, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.1)


@pytest.mark.parametrize("axis", [0, 1])
def test_mirror_and_turns_keep_the_halves_aligned(axis: int) -> None:
    source = hills(60, 3)
    pair = Pair(source, np.ascontiguousarray(source[..., ::-1]))
    pair = pair if axis else Pair(*pair[::-1])
    how = Augmentation(load_px=(40, 70), crop_px=32, mirror=True, quarter_turns=True)
    for chip in chips(pair, how):
        np.testing.assert_array_equal(chip.target_hwc, chip.source_hwc[..., ::-1])


def test_mirror_turns_left_and_right_round_in_half_of_the_chips() -> None:
    how = Augmentation(load_px=(40, 40), crop_px=32)
    plain = chips(PAIR, how.model_copy(update={"mirror": False}), 200)
    mirrored = 0
    for chip, before in zip(chips(PAIR, how, 200), plain, strict=True):
        flipped = Chip(*(half[:, ::-1] for half in before))
        assert same(chip, before) != same(chip, flipped)
        mirrored += same(chip, flipped)
    assert 70 < mirrored < 130


def test_quarter_turns_turn_both_halves_by_every_multiple() -> None:
    how = Augmentation(load_px=(40, 40), crop_px=32, mirror=False)
    turned = how.model_copy(update={"quarter_turns": True})
    counts = [0] * 4
    for chip, before in zip(chips(PAIR, turned, 200), chips(PAIR, how, 200), strict=True):
        (turns,) = (k for k in range(4) if same(chip, Chip(*(np.rot90(half, k) for half in before))))
        counts[turns] += 1
    assert min(counts) > 25


RECOLOURS = [{"gain": 0.4}, {"gamma": 0.4}, {"colour": 0.4}, {"gain": 0.3, "gamma": 0.3, "colour": 0.3}]


@pytest.mark.parametrize("changes", RECOLOURS, ids=lambda c: "+".join(c))
def test_recolouring_changes_the_source_and_never_the_target(changes: dict[str, float]) -> None:
    how = Augmentation(load_px=(40, 70), crop_px=32, mirror=True, quarter_turns=True)
    recoloured = Augmentation(**{**how.model_dump(), **changes})
    n_changed = 0
    for chip, before in zip(chips(PAIR, recoloured, 30), chips(PAIR, how, 30), strict=True):
        np.testing.assert_array_equal(chip.target_hwc, before.target_hwc)
        n_changed += not np.array_equal(chip.source_hwc, before.source_hwc)
    # A factor that is nearly one changes nothing.
    assert n_changed > 25


def recoloured_level(level: int, n: int = 300, **changes: float) -> UInt8:
    """What one level of a flat source becomes; shape (n, 3)."""
    how = Augmentation(load_px=(4, 4), crop_px=4, **changes)
    drawn = chips(Pair(flat(4, level), flat(4, level)), how, n)
    assert all(len(np.unique(chip.source_hwc.reshape(-1, 3), axis=0)) == 1 for chip in drawn)
    return np.stack([chip.source_hwc[0, 0] for chip in drawn])


@settings(max_examples=25)
@given(
    level=st.integers(0, 255),
    gain=st.floats(0, 0.99),
    gamma=st.floats(0, 3.9),
    colour=st.floats(0, 0.99),
)
def test_recolouring_stays_in_its_bounds(level: int, gain: float, gamma: float, colour: float) -> None:
    most = (1 + gain) * (1 + colour)
    x = level / 255
    low = min(255 * x ** (1 + gamma) / most, 255)
    high = min(255 * x ** (1 / (1 + gamma)) * most, 255)
    found = recoloured_level(level, 12, gain=gain, gamma=gamma, colour=colour)
    assert found.min() >= low - 0.5 - 1e-6
    assert found.max() <= high + 0.5 + 1e-6


def test_gain_reaches_both_bounds_alike_in_all_channels() -> None:
    found = recoloured_level(100, gain=0.5)
    assert (found == found[:, :1]).all()
    assert found.min() == pytest.approx(100 / 1.5, abs=2)
    assert found.max() == pytest.approx(150, abs=2)
    assert np.median(found) == pytest.approx(100, abs=8)


def test_gamma_reaches_both_bounds_and_leaves_black_and_white() -> None:
    found = recoloured_level(100, gamma=0.5)
    assert (found == found[:, :1]).all()
    assert found.min() == pytest.approx(255 * (100 / 255) ** 1.5, abs=2)
    assert found.max() == pytest.approx(255 * (100 / 255) ** (1 / 1.5), abs=2)
    for level in (0, 255):
        assert (recoloured_level(level, 20, gamma=0.5) == level).all()


def test_colour_changes_each_channel_by_itself() -> None:
    found = recoloured_level(100, colour=0.5).astype(float)
    assert found.min() >= 66
    assert found.max() <= 150
    assert np.abs(np.corrcoef(found.T) - np.eye(3)).max() < 0.2


def test_bright_sources_are_clipped_not_wrapped() -> None:
    found = recoloured_level(250, gain=0.9, colour=0.5)
    assert found.max() == 255
    assert found.min() >= np.floor(250 / (1.9 * 1.5))


@pytest.mark.parametrize(
    "configuration",
    [
        {"load_px": (120, 286)},
        {"load_px": (300, 290)},
        {"crop_px": 0, "load_px": (10, 10)},
        {"gain": -0.1},
        {"gain": 4},
        {"gamma": 4},
        {"colour": 4},
        {"flip": True},
    ],
    ids=str,
)
def test_augmentation_out_of_range_is_refused(configuration: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Augmentation(**configuration)


@pytest.mark.parametrize("skew", [1, 3])
def test_skew_makes_small_sides_commoner(skew: float) -> None:
    """A half that is a ramp tells how much of itself a chip holds."""
    ramp = np.broadcast_to(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], (256, 256, 3))
    how = Augmentation(load_px=(64, 256), crop_px=64, mirror=False, load_skew=skew)
    spans = [
        int(chip.source_hwc[0, -1, 0]) - int(chip.source_hwc[0, 0, 0]) for chip in chips(Pair(ramp, ramp), how, 200)
    ]
    loads = 64 * 255 / np.array(spans)
    assert np.log(np.median(loads) / 64) / np.log(4) == pytest.approx(0.5**skew, abs=0.1)


def test_half_smaller_than_the_chip_is_continued_by_its_mirror_image() -> None:
    how = Augmentation(load_px=(24, 24), crop_px=32, mirror=False)
    whole = [np.asarray(Image.fromarray(half).resize((24, 24), Image.Resampling.BICUBIC)) for half in PAIR]
    ends = set()
    for chip in chips(PAIR, how, 20):
        added = (0, 8) if np.array_equal(chip.source_hwc[:24, :24], whole[0]) else (8, 0)
        ends.add(added)
        for half, expected in zip(chip, whole, strict=True):
            np.testing.assert_array_equal(half, np.pad(expected, (added, added, (0, 0)), "symmetric"))
    assert len(ends) == 2


@pytest.mark.parametrize(
    ("change", "amount"),
    [("saturation", 1), ("haze", 0.9), ("shadow", 0.9), ("blur_px", 3), ("noise", 30), ("stretch", 1)],
)
def test_change_of_light_spares_the_target(change: str, amount: float) -> None:
    levels = np.array([[60.0] * 3, [120.0] * 3])
    how = Augmentation(load_px=(60, 60), crop_px=60, mirror=False, **{change: amount})
    n_changed = 0
    for i in range(40):
        chip = draw_chip(PAIR, how, seed=0, epoch=0, index=i, levels=levels)
        np.testing.assert_array_equal(chip.target_hwc, PAIR.target_hwc)
        n_changed += not np.array_equal(chip.source_hwc, PAIR.source_hwc)
    # Most of them apply to half of the chips.
    assert n_changed > 10


def test_full_loss_of_saturation_is_grey() -> None:
    spread = []
    for chip in chips(PAIR, Augmentation(load_px=(60, 60), crop_px=60, mirror=False, saturation=1), 60):
        spread.append(float(np.ptp(chip.source_hwc.astype(int), axis=2).mean()))
    plain = np.ptp(PAIR.source_hwc.astype(int), axis=2).mean()
    assert min(spread) < 0.15 * plain
    assert max(spread) > 1.1 * plain


def test_haze_lifts_black_and_lowers_contrast() -> None:
    how = Augmentation(load_px=(60, 60), crop_px=60, mirror=False, haze=0.9)
    spans = [(int(c.source_hwc.min()), int(np.ptp(c.source_hwc))) for c in chips(PAIR, how, 60)]
    assert max(low for low, _ in spans) > 80
    assert min(span for _, span in spans) < 130


def test_shadow_darkens_one_side_of_a_line() -> None:
    how = Augmentation(load_px=(64, 64), crop_px=64, mirror=False, shadow=0.8)
    shares = [float((chip.source_hwc < 200).mean()) for chip in chips(Pair(flat(64, 200), flat(64, 200)), how, 100)]
    assert 0.3 < np.mean([share > 0 for share in shares]) < 0.65
    assert len({round(share, 2) for share in shares if 0 < share < 1}) > 10


def test_stretched_source_has_the_given_levels() -> None:
    dark = Pair(hills(60, 5) // 4, hills(60, 6))
    levels = np.array([[30.0, 40.0, 50.0], [200.0, 180.0, 160.0]])
    how = Augmentation(load_px=(60, 60), crop_px=60, mirror=False, stretch=1)
    chip = draw_chip(dark, how, seed=0, epoch=0, index=0, levels=levels)
    found = np.percentile(chip.source_hwc.reshape(-1, 3), (2, 98), axis=0)
    assert found == pytest.approx(levels, abs=25)
    flat_one = draw_chip(Pair(flat(60, 9), flat(60, 9)), how, seed=0, epoch=0, index=0, levels=levels)
    assert len(np.unique(flat_one.source_hwc.reshape(-1, 3), axis=0)) == 1


def test_recolouring_can_be_weakened_to_nothing_and_by_half() -> None:
    every = dict.fromkeys(["gain", "gamma", "colour", "saturation", "haze", "shadow", "blur_px"], 0.8) | {"noise": 8}
    how = Augmentation(load_px=(32, 32), crop_px=32, mirror=False, **every)
    plain, half, full = (
        np.mean(
            [np.abs(c.source_hwc.astype(int) - flat(32, 90)).mean() for c in chips(Pair(flat(32, 90), flat(32, 0)), h)]
        )
        for h in (how.weakened(0), how.weakened(0.5), how)
    )
    assert plain == 0
    assert 0.3 < half / full < 0.7
    assert how.weakened(0.5).load_px == how.load_px
    assert Augmentation(stretch=0.5).weakened(0).stretch == 0.5
