"""The command `sat2map data pairs`, which makes a data set of scenes and vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.cli import options
from sat2map.cli.written import say, say_written
from sat2map.errors import import_extra

if TYPE_CHECKING:
    from sat2map.data.ground import WrittenPairs

EXTRA = "vector"
N_TOLD = 8
"""Unknown values that are told by name."""


@click.command(short_help="Draw vectors over scenes: pairs of your own ground.")
@click.argument("scenes", metavar="SCENE...", nargs=-1, required=True)
@options.vectors_option
@options.out_option
@options.style_option
@options.layers_option
@options.country_option
@click.option(
    "--align",
    is_flag=True,
    help="Move vectors to where the model sees their roads; where it sees others, complete or leave out.",
)
@options.model_option
@click.option(
    "--size",
    "size_px",
    type=click.IntRange(min=64),
    default=600,
    show_default=True,
    metavar="PX",
    help="Side of a pair.",
)
@options.block_option
@options.licence_option
@options.bands_option
@options.nodata_option
@options.mask_option
@options.stretch_option
@options.bbox_option
@options.bbox_crs_option
@options.crs_option
@options.overwrite_option
@options.json_option
@options.log_options
def pairs(
    scenes: tuple[str, ...], vectors: tuple[Path, ...], out: Path, style: str, layers: tuple[str, ...],
    country: str | None, align: bool, model: str | None, size_px: int, block_m: float | None, licence: str | None,
    overwrite: bool, as_json: bool, quiet: bool, **reading: Any,
) -> None:  # fmt: skip
    """Cut pairs from each SCENE, and draw their maps from vectors of the same ground.

    OUT gets images in A, maps in B, classes by number in classes, groups.csv (pairs of one block are one group, so that
    validation is of other ground) and data.toml (GSD, licence, sources, class table).
    """
    for module in ("shapely", "pyogrio", "pyarrow", "scipy"):
        import_extra(module, EXTRA)
    from sat2map.cli.scenes import read_options
    from sat2map.data.ground import GroundOptions, write_ground_pairs
    from sat2map.translate import Translator
    from sat2map.translate.road_model import road_model
    from sat2map.vector.draw_style import load_style

    if model and not align:
        raise click.UsageError("--model goes with --align")
    drawn_as = load_style(style, country)
    read = read_options(reading)
    ground = GroundOptions(size_px, block_m, layers, licence, read)
    predicted = road_model(Translator.load(model), read) if align else None
    written = write_ground_pairs(scenes, vectors, out, drawn_as, ground, road_model=predicted, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps(_as_record(written), indent=2))
    if not quiet:
        for line in _told(written):
            say(line)
    training = ("train", out, "--recipe", "finetune", "--out", "runs/ground")
    what = f"{written.n_cells('written')} pairs in {written.n_groups} groups to {out}"
    say_written(what, *training, quiet=quiet)


def _told(written: WrittenPairs) -> Iterator[str]:
    """What became of the squares and of the features, in lines."""
    for scene, counts in written.counts.items():
        parts = [f"{counts.n_drawn} of {counts.n_read} features drawn"]
        known = {
            "repaired": counts.n_repaired,
            "broken": counts.n_broken,
            "of another geometry": counts.n_other_geometry,
        }
        parts += [f"{n} {what}" for what, n in known.items() if n]
        yield f"{Path(scene).name}: {', '.join(parts)}"
        if counts.unknown:
            values = ", ".join(f"{value} ({n})" for value, n in counts.unknown.most_common(N_TOLD))
            yield f"{Path(scene).name}: no rule knows {values}"
    yield from written.remarks()
    shifts = [cell.shift.smoothed_m for cell in written.cells if cell.shift]
    if shifts:
        rights, ups = (sorted(side) for side in zip(*shifts, strict=True))
        middle = len(shifts) // 2
        yield (
            f"moved by {rights[middle]:.1f} m to the right and {ups[middle]:.1f} m up "
            f"(medians of {len(shifts)} squares; each in alignment.csv)"
        )


def _as_record(written: WrittenPairs) -> dict[str, Any]:
    return {
        "output": str(written.folder), "groups": written.n_groups,
        "scenes": {
            scene: {
                "read": c.n_read, "drawn": c.n_drawn, "repaired": c.n_repaired, "broken": c.n_broken,
                "other_geometry": c.n_other_geometry, "unknown": dict(c.unknown),
            }
            for scene, c in written.counts.items()
        },
        "squares": [
            {
                "name": cell.name, "scene": cell.scene, "row": cell.window.row, "col": cell.window.col,
                "became": cell.reason, "missing_roads": cell.missing, "completed": cell.is_completed,
                "shift_m": cell.shift and cell.shift.smoothed_m,
                "confidence": cell.shift and cell.shift.estimate.confidence,
            }
            for cell in written.cells
        ],
    }  # fmt: skip
