"""How well a model learns a place whose true map is known, with true vectors and with wrong ones.

`python benchmarks/own_ground.py SCENE MAP --start MODEL -o FOLDER [--steps N] [--gsd M] [--wrong]`

The map is vectorized, pairs are cut from the scene and drawn from the vectors, and their blocks are split half and
half: one half is trained on, the other is scored, before and after. Wrong vectors lie 12 m beside, lack a fifth of the
length of the roads, and are empty in half of the blocks; they are aligned. All is done by commands of `sat2map`, which
are printed with their processor seconds. What is in FOLDER already is not made again. `--gsd` is where both models are
scored, which should be where the first one draws best, and around which the second one learns.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyogrio
import rasterio
import shapely

from sat2map.adapt.make import CHIP_SCALES
from sat2map.classes import CLASSES
from sat2map.data.ground import ALIGN_FILE
from sat2map.data.pairs import list_pairs
from sat2map.data.split import divide, read_groups, write_folders

SIZE_PX = 304
"""Of a pair; `adapt` chooses it for a scene of this size."""
SHIFT_M = np.array([7.2, 9.6])
"""To the right and up: 12 m."""
LOST = 0.2
"""Share of the length of the roads."""
EMPTY = 0.5
"""Share of the pairs, whole blocks, of each half."""
BESIDE_M = 2
"""So far beside its width a lost road is gone."""
STEPS_PER_EPOCH = 50
METRICS = ("road_f1", "cldice", "miou", "acc5")


def sat2map(*arguments: object) -> str:
    """Run a command, print it with its processor seconds, and return what it printed."""
    words = [str(argument) for argument in arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "sat2map", *words, "--quiet"], check=True, stdout=subprocess.PIPE, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    click.echo(f"{spent:7.1f} processor s: sat2map {' '.join(words)}")
    return done.stdout


def draw_pairs(scene: Path, vectors: Path, out: Path, *more: str) -> Path:
    """Cut pairs from the scene, and draw the vectors over them."""
    if not out.exists():
        drawn = "--style", "areas", "--layer", "areas", "--size", SIZE_PX, "--licence", "not stated"
        sat2map("data", "pairs", scene, "--vectors", vectors, "-o", out, *drawn, *more)
    return out


def read_layer(vectors: Path, layer: str) -> tuple[str, Any, dict[str, Any]]:
    """CRS, shapes and attributes of a layer."""
    about, _, wkb, columns = pyogrio.raw.read(vectors, layer=layer)
    return about["crs"], shapely.from_wkb(wkb), dict(zip(about["fields"], columns, strict=True))


def write_wrong(true: Path, out: Path, empty: Sequence[Any]) -> None:
    """Write the areas without a fifth of the roads, without what lies in empty blocks, and all of it shifted."""
    crs, areas, of_areas = read_layer(true, "areas")
    _, lines, of_lines = read_layer(true, "roads")
    order = np.random.default_rng(0).permutation(len(lines))
    is_lost = np.cumsum(shapely.length(lines)[order]) < LOST * shapely.length(lines).sum()
    lost = order[is_lost]
    gone = shapely.union_all(shapely.buffer(lines[lost], of_lines["width_m"][lost] / 2 + BESIDE_M))
    is_road = np.isin(of_areas["class"], [kind.name for kind in CLASSES if kind.is_road])
    areas[is_road] = shapely.difference(areas[is_road], gone)
    areas = shapely.transform(shapely.difference(areas, shapely.union_all(empty)), lambda xy: xy + SHIFT_M)
    kept = ~shapely.is_empty(areas)
    pyogrio.raw.write(
        out, shapely.to_wkb(areas[kept]), [of_areas["class"][kept]], ["class"], layer="areas", crs=crs,
        geometry_type="Unknown",
    )  # fmt: skip


def groups_of(folder: Path) -> dict[str, str]:
    """Block of each pair of a folder, by name of its file."""
    names = [file.name for file in list_pairs(folder)]
    return dict(zip(names, read_groups(folder, names), strict=True))


def emptied(split: Path) -> list[Any]:
    """The ground of half of the blocks of each half."""
    boxes = []
    for part in ("train", "test"):
        groups = groups_of(split / part)
        chosen = divide(list(groups.values()), {"empty": EMPTY}, seed=1)["empty"]
        for i in chosen:
            with rasterio.open(split / part / "A" / list(groups)[i]) as pair:
                boxes.append(shapely.box(*pair.bounds))
    return boxes


def shifts(folder: Path) -> dict[str, np.ndarray]:
    """The shift that was applied to each square, to the right and up, by name of its file."""
    with (folder / ALIGN_FILE).open(newline="", encoding="utf-8") as handle:
        return {
            f"{row['file']}.tif": np.array([float(row["smoothed_right_m"]), float(row["smoothed_up_m"])])
            for row in csv.DictReader(handle)
        }


def print_alignment(true: Path, wrong: Path) -> None:
    """Print how far the shift that was found is from the one that was made, block by block."""
    of_true, of_wrong, groups = shifts(true), shifts(wrong), groups_of(wrong)
    blocks: dict[str, list[tuple[float, float]]] = {}
    for name, group in groups.items():
        off = of_wrong[name] + SHIFT_M
        far = float(np.hypot(*off)), float(np.hypot(*(off - of_true[name])))
        blocks.setdefault(group, []).append(far)
    click.echo("block, squares, error in m (mean of its squares), beside the shift that true vectors get")
    means = {group: np.mean(far, axis=0) for group, far in blocks.items()}
    for group, (alone, beside) in means.items():
        click.echo(f"  {group} {len(blocks[group]):3} {alone:6.2f} {beside:6.2f}")
    for of, table in (
        ("blocks", np.array([*means.values()])),
        ("squares", np.concatenate([*map(np.array, blocks.values())])),
    ):
        within = (table <= 1).sum(0)
        click.echo(f"within 1 m: {within[0]} of {len(table)} {of}; beside true vectors' shift {within[1]}")


@dataclass(frozen=True)
class Learning:
    """What is begun with, how long, at what scale, and what else of the recipe is changed."""

    start: str
    n_steps: int
    gsd_m: float
    scored_px: int
    changes: tuple[str, ...]

    def run(self, data: Path, out: Path) -> Path:
        """Fine-tune; the learning rate falls from half of the steps on."""
        if not (out / "generator_last.safetensors").exists():
            n_epochs = self.n_steps // STEPS_PER_EPOCH
            finest, coarsest = (round(side * self.gsd_m, 3) for side in CHIP_SCALES)
            changes = (
                f"epochs={n_epochs}", f"constant_epochs={n_epochs // 2}", f"steps_per_epoch={STEPS_PER_EPOCH}",
                f"gsd_m=[{finest}, {coarsest}]", f"validation_px={self.scored_px}", *self.changes,
            )  # fmt: skip
            given = [word for change in changes for word in ("--set", change)]
            sat2map(
                "train", data, "--recipe", "finetune", "--init", self.start, "--out", out, "--resume", "auto", *given
            )
        return out

    def print_gain(self, data: Path, before: str | Path, after: Path, what: str) -> None:
        """Score two models on the other half, and print both and the difference with its 95 % interval."""
        models = "--model", after, "--versus", before
        found = json.loads(sat2map("evaluate", data, *models, "--size", self.scored_px, "--json"))
        protocol = found["protocol"]
        click.echo(f"{what}, on {protocol['n_images']} squares in {protocol['n_groups']} blocks:")
        for name in METRICS:
            old, new, gain = (of["metrics"][name] for of in (found["versus"], found, found["difference"]))
            click.echo(
                f"  {name:8} {old['value']:.3f} to {new['value']:.3f}: {gain['value']:+.3f} "
                f"({gain['low']:+.3f} to {gain['high']:+.3f})"
            )


@click.command()
@click.argument("scene", type=click.Path(path_type=Path, exists=True))
@click.argument("true_map", metavar="MAP", type=click.Path(path_type=Path, exists=True))
@click.option("--start", default="open", show_default=True, help="Model to begin with: a name, a file, a run.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of pairs and runs.")
@click.option("--steps", "n_steps", default=400, show_default=True, help="Of fine-tuning.")
@click.option("--gsd", "gsd_m", default=0.9, show_default=True, help="Metres per pixel at which both are scored.")
@click.option("--wrong", is_flag=True, help="Wrong vectors as well.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Of the recipe; may be given again.")
def main(
    scene: Path,
    true_map: Path,
    start: str,
    out: Path,
    n_steps: int,
    gsd_m: float,
    wrong: bool,
    changes: tuple[str, ...],
) -> None:
    """Print what fine-tuning on one half of the blocks gains on the other."""
    out.mkdir(parents=True, exist_ok=True)
    vectors, split, run = out / "true.gpkg", out / "split", out / f"{Path(start).stem}-{n_steps}-{gsd_m}"
    if not vectors.exists():
        sat2map("vectorize", true_map, "-o", vectors)
    pairs = draw_pairs(scene, vectors, out / "pairs")
    if not split.exists():
        sat2map("data", "split", pairs, "-o", split, "--val", 0, "--test", 0.5)
    with rasterio.open(scene) as dataset:
        scored_px = round(SIZE_PX * dataset.res[0] / gsd_m / 16) * 16
    learning = Learning(start, n_steps, gsd_m, scored_px, changes)
    learning.run(split / "train", run)
    learning.print_gain(split / "test", start, run, "true vectors, before and after")
    if not wrong:
        return
    wrong_vectors = out / "wrong.gpkg"
    if not wrong_vectors.exists():
        write_wrong(vectors, wrong_vectors, emptied(split))
    aligned = draw_pairs(scene, wrong_vectors, out / "wrong", "--align")
    print_alignment(draw_pairs(scene, vectors, out / "aligned", "--align"), aligned)
    names = groups_of(split / "train")
    kept = [file for file in list_pairs(aligned) if file.name in names]
    write_folders(aligned, {"train": kept}, overwrite=True)
    learnt = learning.run(aligned / "train", run.with_name(f"{run.name}-wrong"))
    learning.print_gain(split / "test", run, learnt, "true vectors and wrong ones, after")


if __name__ == "__main__":
    main()
