"""Road F1 on images where only the roads are labelled.

`python benchmarks/roads.py FOLDER --gsd 0.42 [--model M] [--stretch]`

FOLDER holds images in `image` and masks of equal names in `mask`, white where a road is. Images and masks are
brought to 0.9 m per pixel; a pixel counts as correct within three pixels of a road, since such
masks are not exact to the pixel.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation

from sat2map.data.pairs import TwoFolders, list_pairs, read_pair
from sat2map.engine import load_engine, run_whole
from sat2map.scene.stretch import DEFAULT_LEVELS, Stretch

GSD_M = 0.9
SLACK = np.ones((7, 7), bool)


def _at(image_hwc: np.ndarray, gsd_m: float, resampling: Image.Resampling) -> np.ndarray:
    height, width = (round(n * gsd_m / GSD_M) for n in image_hwc.shape[:2])
    return np.asarray(Image.fromarray(image_hwc).resize((width, height), resampling))


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--gsd", "gsd_m", type=float, required=True, help="Metres on the ground per pixel of the images.")
@click.option("--model", help="Name or file.  [default: open]")
@click.option("--stretch", is_flag=True, help="Stretch each image, as translate does a scene of its own.")
def main(folder: Path, gsd_m: float, model: str | None, stretch: bool) -> None:
    """Print precision, recall and F1 over all images."""
    engine = load_engine(model)
    counts = np.zeros(4)
    for pair in list_pairs(TwoFolders(folder / "image", folder / "mask")):
        image, mask = read_pair(pair)
        sat = _at(image, gsd_m, Image.Resampling.BICUBIC)
        if stretch:
            sat = Stretch.of_sample(image.reshape(-1, 3), engine.card.levels or DEFAULT_LEVELS).apply(sat)
        true = _at(mask, gsd_m, Image.Resampling.BOX)[..., 0] > 127
        predicted = np.isin(engine.card.classes.classify(run_whole(engine, sat)), engine.card.classes.road_classes)
        found = (predicted & binary_dilation(true, SLACK)).sum(), predicted.sum()
        counts += *found, (true & binary_dilation(predicted, SLACK)).sum(), true.sum()
    precision, recall = counts[0] / counts[1], counts[2] / counts[3]
    f1 = 2 * precision * recall / (precision + recall)
    click.echo(f"road F1 {f1:.3f}, precision {precision:.3f}, recall {recall:.3f}")


if __name__ == "__main__":
    main()
