"""A scene from file to map: by another checkout of the code, by this one, and by the paper's U-Net in tiles of 256 px.

`python benchmarks/before_after.py SCENE CHECKOUT [--model M] [--rounds N]`

Each run has a process of its own; they take turns, so that what else the machine does meets all alike. The U-Net has
54 M weights that mean nothing, and as ONNX, with frozen statistics, it sees the scene at the resolution that it has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
import rasterio

RUN = """
import json, sys, time, warnings
from importlib.resources import files
from pathlib import Path

warnings.simplefilter("ignore")
from sat2map.translate import Settings, Translator

scene, out, model, is_tiled = json.loads(sys.argv[1])
settings = Settings(core_px=256, margin_px=0, mode="fast") if is_tiled else Settings()
translator = Translator.load(model)
# What is done once for a machine or a process.
translator.translate_file(str(files("sat2map.bundled") / "naip.tif"), Path(out), settings, overwrite=True)
begun = time.perf_counter(), time.process_time()
translator.translate_file(scene, Path(out), settings, overwrite=True)
spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
print(json.dumps([*spent, peak / 1024]))
"""


def run(checkout: Path, scene: Path, out: Path, model: str | None, *, is_tiled: bool) -> list[float]:
    """Seconds by the clock, processor seconds and the peak of memory in MiB of one translation."""
    arguments = json.dumps([str(scene), str(out), model, is_tiled])
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    command = [sys.executable, "-c", RUN, arguments]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    spent: list[float] = json.loads(done.stdout.splitlines()[-1])
    return spent


def write_papers_network(path: Path) -> None:
    """Write the paper's U-Net, which knows any resolution, as ONNX."""
    import numpy as np

    from sat2map.model.card import Card
    from sat2map.model.export import export
    from sat2map.nn import build
    from sat2map.nn.generator import Generator
    from sat2map.nn.geometry import geometry

    configuration = {"normalization": "frozen"}
    network = build("unet", configuration).eval()
    assert isinstance(network, Generator)
    shape = geometry(network)
    card = Card(
        name="paper", architecture="unet", configuration=configuration, gsd_m=(0.01, 100), normalization="frozen",
        dropout=0, stride=shape.stride, receptive_radius_px=shape.receptive_radius_px, margin_px=shape.margin_px,
    )  # fmt: skip
    export(network, card, path, np.zeros((1, shape.stride, 2 * shape.stride, 3), np.uint8))


@click.command()
@click.argument("scene", type=click.Path(path_type=Path, exists=True))
@click.argument("checkout", type=click.Path(path_type=Path, exists=True))
@click.option("--model", help="Name or file, of this checkout.  [default: open]")
@click.option("--rounds", "n_rounds", default=5, show_default=True)
def main(scene: Path, checkout: Path, model: str | None, n_rounds: int) -> None:
    """Print a table of medians."""
    here = Path(__file__).parent.parent
    with rasterio.open(scene) as dataset, TemporaryDirectory() as folder:
        n_mpx = dataset.height * dataset.width / 1e6
        out, paper = Path(folder) / "map.tif", Path(folder) / "paper.onnx"
        write_papers_network(paper)
        runs = {
            f"before ({checkout.name})": lambda: run(checkout, scene, out, None, is_tiled=False),
            f"now, {model or 'open'}": lambda: run(here, scene, out, model, is_tiled=False),
            "the paper's U-Net, tiles of 256 px": lambda: run(here, scene, out, str(paper), is_tiled=True),
        }
        rounds = [{name: one() for name, one in runs.items()} for _ in range(n_rounds)]
    click.echo(f"{scene.name}, {n_mpx:.1f} Mpx, {os.cpu_count()} cores, medians of {n_rounds} rounds by turns:\n")
    click.echo("| | s by the clock | Mpx/s | CPU s | clock / (CPU s / cores) | peak MiB | now is times as fast |")
    click.echo("|---|---|---|---|---|---|---|")
    now = list(runs)[1]
    for name in runs:
        clock_s, cpu_s, peak_mib = (median(of[name][i] for of in rounds) for i in range(3))
        ratios = sorted(of[name][0] / of[now][0] for of in rounds)
        overlap = clock_s / (cpu_s / (os.cpu_count() or 1))
        faster = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        numbers = (f"{clock_s:.1f}", f"{n_mpx / clock_s:.2f}", f"{cpu_s:.1f}", f"{overlap:.2f}", f"{peak_mib:.0f}")
        cells = (*numbers, faster)
        click.echo(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
