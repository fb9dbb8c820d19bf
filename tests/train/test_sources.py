"""Runs that learn from several folders: pairs, partial labels and road masks."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sat2map.city import write_pairs
from sat2map.classes import CLASS_NAMES, CLASSES
from sat2map.data.partial import read_legend
from sat2map.errors import CheckpointError, DataError, RecipeError
from sat2map.model import safetensors_file
from sat2map.train.loader import batches, plan, sources_in_turn
from sat2map.train.loop import train
from sat2map.train.open_data import open_data
from sat2map.train.recipe import Recipe, load_recipe, parse_recipe
from sat2map.train.reconstruction import PaletteReconstruction
from sat2map.train.step import Batch
from sat2map.train.validation import selection

from .conftest import options, tiny_compact_recipe, tiny_recipe
from .test_loop import kill_and_resume

LEGEND = "value,classes\n0,\n1,water\n2,land|park\n3,road|major road\n"


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `coast` of six images with partial labels, and `masks` of four with road masks, two of them useless."""
    root = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(1)
    for folder, inner in (("coast", "label"), ("masks", "mask")):
        for part in ("image", inner):
            (root / folder / part).mkdir(parents=True)
    for i in range(6):
        values = rng.integers(0, 4, (6, 8), np.uint8).repeat(8, 0).repeat(8, 1)
        save(root / "coast" / "image" / f"t{i}.png", 60 * values[..., None].repeat(3, 2) + rng.integers(0, 20, 3))
        save(root / "coast" / "label" / f"t{i}.png", values)
    (root / "coast" / "legend.csv").write_text(LEGEND)
    for i, share in enumerate([0.2, 0.3, 0, 0.9]):
        save(root / "masks" / "image" / f"{i}.png", rng.integers(0, 256, (40, 40, 3)))
        save(root / "masks" / "mask" / f"{i}.png", 255 * (rng.random((40, 40)) < share))
    return root


def save(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def coast(labelled: Path, **changes: object) -> dict[str, object]:
    return {"folder": str(labelled / "coast"), "kind": "partial", "gsd_m": 1, "share": 0.3, **changes}


def masks(labelled: Path, **changes: object) -> dict[str, object]:
    return {"folder": str(labelled / "masks"), "kind": "roads", "gsd_m": 1, "share": 0.2, **changes}


def mixed_recipe(labelled: Path, pairs: Path | None = None, **changes: object) -> Recipe:
    """The tiny compact recipe with partial labels, road masks and, where a folder is given, pairs as a source."""
    sources = [coast(labelled, without=["t0*"]), masks(labelled)]
    if pairs is not None:
        sources.append({"folder": str(pairs), "kind": "pairs", "gsd_m": 1, "share": 0.5, "name": "town"})
    judged = {"folder": str(labelled / "coast"), "kind": "partial", "gsd_m": 1, "only": ["t0*"]}
    values: dict[str, object] = {
        "sources": sources, "validation": [judged], "select_by": "selection", "batch_size": 3, "gsd_m": [0.8, 1.2],
        "augmentation": {"load_px": [36, 36], "crop_px": 32, "stretch": 0.5},
    }  # fmt: skip
    return tiny_compact_recipe().model_validate(tiny_compact_recipe().model_dump(mode="json") | values | changes)


def test_every_source_gets_its_share_of_any_stretch_of_chips() -> None:
    shares = np.array([0.35, 0.2, 0.15, 0.12, 0.15, 0.03])
    turns = sources_in_turn(shares, 3, 20_000)
    for start, stop in ((0, 20_000), (0, 1_000), (7_777, 8_777), (123, 223)):
        counts = np.bincount(turns[start:stop], minlength=6)
        assert np.abs(counts - shares * (stop - start)).max() < 3
    assert np.array_equal(turns[:500], sources_in_turn(shares, 3, 500))
    assert not np.array_equal(turns, sources_in_turn(shares, 4, 20_000))


def test_each_image_of_a_source_comes_once_a_pass_in_another_order(
    pairs_folder: Path, labelled: Path, tmp_path: Path
) -> None:
    data = open_data(None, mixed_recipe(labelled, pairs_folder), cache=tmp_path)
    draws = plan(data, 0, 0, 200)
    for number, source in enumerate(data.sources):
        mine = [d for d in draws if d.source == number]
        passes = [[d.image for d in mine if d.n_pass == n] for n in range(2)]
        assert [sorted(p) for p in passes] == [list(range(len(source)))] * 2
    assert plan(data, 0, 150, 200) == draws[150:]
    orders = [[d.image for d in draws if (d.source, d.n_pass) == (0, n)] for n in range(2)]
    assert orders[0] != orders[1]


def test_run_learns_from_sources_alone_and_tells_what_they_are(
    pairs_folder: Path, labelled: Path, tmp_path: Path
) -> None:
    recipe = mixed_recipe(labelled, pairs_folder, licence="CC0")
    titled = recipe.sources[0].model_copy(update={"title": "Coast of somewhere", "licence": "CC BY 4.0"})
    recipe = recipe.model_copy(update={"sources": (titled, *recipe.sources[1:])})
    run = train(None, recipe, options(tmp_path))
    # Masks without a road, or with little else, say nothing; and every other image of `coast` trains.
    assert [len(source) for source in run.data.sources] == [8, 5, 2]
    assert run.steps_per_epoch == math.ceil(8 / 1.5)
    card = safetensors_file.read_card(tmp_path / "run" / "generator_last.safetensors")
    assert card.training_data == (
        "town (8 pairs, 1 m); Coast of somewhere (5 images with partial labels, 1 m); "
        "masks (2 images with road masks, 1 m)"
    )
    assert card.training_data_licence == "town: not stated; Coast of somewhere: CC BY 4.0; masks: not stated"
    with (tmp_path / "run" / "epochs.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert {"coast_allowed", "coast_road_f1", "coast_water_iou", "coast_invented_water", "selection"} <= rows[0].keys()
    assert run.state.best == pytest.approx(max(float(row["selection"]) for row in rows), abs=1e-5)


def test_folder_of_pairs_has_the_share_that_is_left(pairs_folder: Path, labelled: Path, tmp_path: Path) -> None:
    recipe = mixed_recipe(labelled)
    data = open_data(pairs_folder, recipe, cache=tmp_path)
    np.testing.assert_allclose(data.shares, [0.5, 0.3, 0.2])
    assert [source.source is None for source in data.sources] == [True, False, False]
    with pytest.raises(RecipeError, match="leave no share"):
        open_data(pairs_folder, mixed_recipe(labelled, pairs_folder), cache=tmp_path)


def test_batch_holds_pairs_first_and_the_sets_of_the_rest(pairs_folder: Path, labelled: Path, tmp_path: Path) -> None:
    recipe = mixed_recipe(labelled, pairs_folder, batch_size=10)
    data = open_data(None, recipe, cache=tmp_path)
    batch = next(batches(recipe, data, 0, 0))
    assert batch.partial is not None
    assert len(batch.pairs.sat) + len(batch.partial.sat) == len(batch.images) == 10
    assert abs(len(batch.pairs.sat) - 5) <= 1
    assert batch.partial.sets.shape == (len(batch.partial.sat), 32, 32)
    assert set(batch.partial.road_weights.tolist()) == {3.0}


def test_weight_of_a_source_changes_its_part_of_the_loss(pairs_folder: Path, labelled: Path, tmp_path: Path) -> None:
    losses = []
    for weight in (1, 2):
        source = coast(labelled, weight=weight, share=1)
        recipe = mixed_recipe(labelled, sources=[source], steps_per_epoch=1, objective={"dice_weight": 0})
        data = open_data(None, recipe, cache=tmp_path)
        palette = SimpleNamespace(palette=torch.zeros(12, 3))
        objective = PaletteReconstruction(recipe, palette, data)  # type: ignore[arg-type]
        batch = next(batches(recipe, data, 0, 0))
        output = torch.randn(3, 12, 32, 32, generator=torch.Generator().manual_seed(0))
        losses.append(float(objective(output, output[:0, :3], batch, 0)))
    assert losses[1] == pytest.approx(2 * losses[0])


def test_loss_is_the_mean_over_the_chips_of_a_batch(pairs_folder: Path, labelled: Path, tmp_path: Path) -> None:
    recipe = mixed_recipe(labelled, pairs_folder, batch_size=5)
    data = open_data(None, recipe, cache=tmp_path)
    palette = SimpleNamespace(palette=torch.rand(12, 3, generator=torch.Generator().manual_seed(1)))
    objective = PaletteReconstruction(recipe, palette, data)  # type: ignore[arg-type]
    batch = next(batches(recipe, data, 0, 0))
    n = len(batch.pairs.sat)
    output = torch.randn(5, 12, 32, 32, generator=torch.Generator().manual_seed(0))
    image = output[:n, :3]
    of_pairs = objective(output[:n], image, batch._replace(partial=None), 0)
    none = Batch(*(half[:0] for half in batch.pairs))
    of_partial = objective(output[n:], image[:0], batch._replace(pairs=none), 0)
    mean = (n * of_pairs + (5 - n) * of_partial) / 5
    assert float(objective(output, image, batch, 0)) == pytest.approx(float(mean), rel=1e-5)


def test_run_without_any_pair_needs_the_length_of_an_epoch(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="how long an epoch is") as caught:
        train(None, mixed_recipe(labelled), options(tmp_path))
    assert "steps_per_epoch" in (caught.value.hint or "")
    run = train(None, mixed_recipe(labelled, steps_per_epoch=2, epochs=1), options(tmp_path))
    assert run.state.step == 2
    assert run.state.best == run.state.metrics["selection"]


def test_levels_are_of_all_sources_at_their_shares(tmp_path: Path) -> None:
    for name, level in (("dark", 10), ("bright", 200)):
        for part in ("image", "label"):
            (tmp_path / name / part).mkdir(parents=True)
        save(tmp_path / name / "image" / "0.png", np.full((32, 32, 3), level))
        save(tmp_path / name / "label" / "0.png", np.zeros((32, 32)))
        (tmp_path / name / "legend.csv").write_text(LEGEND)
    for share, low in ((0.01, 200), (0.05, 10)):
        sources = [
            {"folder": str(tmp_path / name), "kind": "partial", "gsd_m": 1, "share": s}
            for name, s in (("dark", share), ("bright", 1 - share))
        ]
        data = open_data(None, tiny_compact_recipe(sources=sources), cache=tmp_path / "cache")
        assert data.levels.tolist() == [[low] * 3, [200] * 3]


def test_killed_run_of_many_sources_resumes_bitwise(pairs_folder: Path, labelled: Path, tmp_path: Path) -> None:
    recipe = mixed_recipe(labelled, pairs_folder, epochs=4, validate_every=3)
    kills = [(".checkpoint.*", 11), (".generator_last.*", 2)]
    assert kill_and_resume(None, recipe, tmp_path, kills=kills) == [2, 17]


def test_run_is_of_the_files_of_all_its_sources(pairs_folder: Path, labelled: Path, tmp_path: Path) -> None:
    for part in ("image", "label"):
        (tmp_path / "coast" / part).mkdir(parents=True)
        for file in (labelled / "coast" / part).iterdir():
            (tmp_path / "coast" / part / file.name).write_bytes(file.read_bytes())
    legend = tmp_path / "coast" / "legend.csv"
    legend.write_text(LEGEND)
    recipe = mixed_recipe(labelled, sources=[coast(tmp_path)], epochs=1)
    train(pairs_folder, recipe, options(tmp_path))
    # Texts for the card may be mended at any time.
    titled = recipe.sources[0].model_copy(update={"title": "Coast", "licence": "CC0"})
    mended = recipe.model_copy(update={"sources": (titled,), "licence": "CC0"})
    train(pairs_folder, mended, options(tmp_path, resume="auto"))
    legend.write_text(LEGEND.replace("land|park", "land"))
    with pytest.raises(CheckpointError, match="data differ"):
        train(pairs_folder, recipe, options(tmp_path, resume="auto"))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"kind": "road"}, "kind"),
        ({"share": 0}, "share"),
        ({"gsd": 1}, "gsd"),
        ({"chip_gsd_m": [2, 1]}, "sources"),
        ({"kind": "pairs", "weight": 2}, "sources"),
    ],
)
def test_wrong_source_is_named(changes: dict[str, object], found: str, labelled: Path) -> None:
    with pytest.raises(RecipeError, match=found) as caught:
        tiny_compact_recipe(sources=[coast(labelled, **changes)])
    assert caught.value.hint


def test_sources_must_fit_the_recipe(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        tiny_recipe(sources=[coast(labelled)])
    assert "palette head" in (caught.value.hint or "")
    with pytest.raises(RecipeError) as caught:
        tiny_compact_recipe(sources=[coast(labelled), coast(labelled)])
    assert "one name" in (caught.value.hint or "")
    with pytest.raises(DataError, match="no image of a source is left"):
        open_data(None, tiny_compact_recipe(sources=[coast(labelled, only=["x*"])]), cache=tmp_path)
    with pytest.raises(RecipeError, match="has no sources"):
        open_data(None, tiny_compact_recipe(), cache=tmp_path)


def test_source_that_is_left_out_gives_its_share_to_the_others(
    pairs_folder: Path, labelled: Path, tmp_path: Path
) -> None:
    recipe = mixed_recipe(labelled, pairs_folder).without_sources(["masks"])
    data = open_data(None, recipe, cache=tmp_path)
    np.testing.assert_allclose(data.shares, [0.5 / 0.8, 0.3 / 0.8])
    train(None, recipe, options(tmp_path))
    card = safetensors_file.read_card(tmp_path / "run" / "generator_last.safetensors")
    assert card.training_data == "town (8 pairs, 1 m); coast (5 images with partial labels, 1 m)"


def test_selection_is_the_mean_of_two_means() -> None:
    pairs = {"road_f1": 0.6, "cldice": 0.9, "miou": 0.3, "acc5": 55}
    folders = [{"allowed": 0.8, "invented_water": 0.1, "park": 0.5}, {"allowed": 0.4, "road_f1": 0.2, "water_iou": 0.6}]
    elsewhere = ((0.8 + 0.9) / 2 + (0.4 + 0.2 + 0.6) / 3) / 2
    assert selection(pairs, folders) == pytest.approx((0.6 + elsewhere) / 2)
    assert selection(pairs, []) == pytest.approx(0.6)
    assert selection({}, folders) == pytest.approx(elsewhere)
    assert selection({}, []) is None


def test_open_recipe_has_nothing_of_maps() -> None:
    recipe = load_recipe("open")
    folders = [folder.folder for folder in (*recipe.sources, *recipe.validation)]
    assert not any("maps" in folder or "street" in folder for folder in folders)
    assert sum(source.share for source in recipe.sources) == pytest.approx(1)
    both = load_recipe("newyork")
    assert sum(source.share for source in both.sources) == pytest.approx(1)
    halved = [source.model_copy(update={"share": source.share / 2}) for source in recipe.sources]
    assert both.sources[0].share == 0.5
    assert list(both.sources[1:]) == halved
    for name in ("open", "newyork"):
        assert parse_recipe(load_recipe(name).model_dump(mode="json")) == load_recipe(name)


def test_example_of_the_page_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "partial-labels.md").read_text("utf-8")
    (label,), (recipe_text,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "toml"))
    monkeypatch.chdir(tmp_path)
    exec(label, {})
    write_pairs(tmp_path / "town", 3, size_px=256)
    (tmp_path / "mine.toml").write_text(recipe_text)
    changes = [("epochs", "1"), ("constant_epochs", "1"), ("steps_per_epoch", "2"), ("batch_size", "3")]
    run = train(None, load_recipe("mine.toml", changes), options(tmp_path))
    card = safetensors_file.read_card(tmp_path / "run" / "generator_best.safetensors")
    assert "My yard (1 images with partial labels, 0.5 m)" in card.training_data
    assert {"yard_allowed", "yard_water_iou", "yard_invented_water"} <= run.state.metrics.keys()


def test_value_is_narrowed_in_three_of_four_chips(labelled: Path, tmp_path: Path) -> None:
    def drawn(narrowed: dict[int, str], name: str) -> list[np.ndarray]:
        recipe = mixed_recipe(labelled, sources=[coast(labelled, share=1, narrowed=narrowed)], steps_per_epoch=1)
        data = open_data(None, recipe, cache=tmp_path / name)
        chips = (data.labels[0].draw(i % 6, recipe.augmentation, (0, i, i), data.levels) for i in range(60))
        return [chip.sets_hw for chip in chips]

    allowed = int(read_legend(labelled / "coast" / "legend.csv", CLASSES)[0][2])
    names = [name for i, name in enumerate(CLASS_NAMES) if allowed >> i & 1]
    assert len(names) > 1
    only = 1 << CLASS_NAMES.index(names[0])
    chips = drawn({2: names[0]}, "a")
    is_narrow, is_wide = (np.array([(sets == value).any() for sets in chips]) for value in (only, allowed))
    assert not (is_narrow & is_wide).any()
    assert 0.6 < is_narrow.sum() / (is_narrow | is_wide).sum() < 0.9
    assert all((sets == allowed).any() for sets in drawn({2: "|".join(names)}, "b")[:5])
    for wrong in ("no such class", f"{names[0]}|no such class"):
        with pytest.raises(RecipeError, match="narrowed value 2 of coast"):
            drawn({2: wrong}, "c")
