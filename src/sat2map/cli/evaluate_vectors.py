"""`sat2map evaluate-vectors`: roads scored on true ones, areas on the raster that they were made of."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from sat2map.cli import options
from sat2map.cli.written import console, say
from sat2map.errors import import_extra

PER_CLASS = ("share", "area_error", "iou")


@click.command("evaluate-vectors")
@click.argument("vectors", type=click.Path(path_type=Path))
@click.option(
    "--true", "true_roads", type=click.Path(path_type=Path), metavar="FILE",
    help="Score roads: the true ones, as vectors or as a map, whose roads are traced.",
)  # fmt: skip
@click.option(
    "--map", "raster", type=click.Path(path_type=Path), metavar="FILE",
    help="Score areas: the map or raster of classes that they were made of.",
)  # fmt: skip
@options.class_table_option
@click.option(
    "--errors", type=click.Path(path_type=Path), metavar="FILE.gpkg",
    help="Write where the roads are wrong: layers `missing` and `false`.",
)  # fmt: skip
@options.seed_option
@options.overwrite_option
@options.json_option
@options.log_options
def evaluate_vectors(
    vectors: Path,
    true_roads: Path | None,
    raster: Path | None,
    class_table: Path | None,
    errors: Path | None,
    seed: int,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score the roads of VECTORS on true roads, or its areas on the raster that they were made of, or both.

    Roads: APLS (as SpaceNet's, within 4 m, and as Sat2Graph's, within 10 m), TOPO, junctions, and the length to the
    true one. VECTORS may be a map too, whose roads are traced. Areas: whether they are a coverage, vertices per
    kilometre, and for each class the error of its area and the IoU of its burnt polygons with the raster.
    """
    if true_roads is None and raster is None:
        raise click.UsageError("nothing to compare with: give --true for roads, --map for areas, or both")
    if errors is not None and true_roads is None:
        raise click.UsageError("--errors is of roads: give --true as well")
    for module in ("shapely", "pyogrio", "pyarrow"):
        import_extra(module, "vector")
    found: dict[str, Any] = {}
    if true_roads is not None:
        if errors is not None:
            _check_errors_file(errors, [true_roads, vectors, *([raster] if raster else [])], overwrite=overwrite)
        found["roads"] = _score_roads(true_roads, vectors, errors, seed, overwrite)
    if raster is not None:
        found["areas"] = _score_areas(vectors, raster, class_table)
    if as_json:
        click.echo(json.dumps(_without_nan(found), indent=2))
    else:
        _print_tables(found)
    if errors is not None and not quiet:
        say(f"wrote {errors}")


def _check_errors_file(errors: Path, inputs: list[Path], *, overwrite: bool) -> None:
    from sat2map.scene.destination import check_no_input
    from sat2map.vector.write import check_vector_destination

    check_vector_destination(errors, overwrite=overwrite)
    check_no_input(errors, inputs, "errors")


def _score_roads(true: Path, vectors: Path, errors: Path | None, seed: int, overwrite: bool) -> dict[str, Any]:
    from sat2map.evaluate.graph_files import read_road_pair
    from sat2map.evaluate.graph_score import road_errors, score_roads, write_road_errors

    pair = read_road_pair(true, vectors)
    scores = score_roads(pair.true, pair.predicted, seed=seed).as_dict()
    if errors is not None:
        write_road_errors(errors, road_errors(pair.true, pair.predicted), pair.crs, overwrite=overwrite)
    return scores


def _score_areas(vectors: Path, raster: Path, class_table: Path | None) -> dict[str, Any]:
    from sat2map.evaluate.area_score import score_areas
    from sat2map.vector.class_file import read_class_table

    table = None if class_table is None else read_class_table(class_table)
    scores = score_areas(vectors, raster, table)
    return {**scores._asdict(), "classes": {name: kind._asdict() for name, kind in scores.classes.items()}}


def _without_nan(value: Any) -> Any:
    """The same with None for NaN, which JSON has not."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _print_tables(found: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Column, Table

    stdout = console()
    if "roads" in found:
        table = Table(Column("roads"), Column("", justify="right"), box=box.SIMPLE)
        for name, value in found["roads"].items():
            table.add_row(name, f"{value:.3f}")
        stdout.print(table)
    if "areas" in found:
        areas = found["areas"]
        table = Table(Column("areas"), *(Column(name, justify="right") for name in PER_CLASS), box=box.SIMPLE)
        for name, kind in areas["classes"].items():
            table.add_row(name, *(f"{kind[metric]:.4f}" for metric in PER_CLASS))
        stdout.print(table)
        coverage = "a valid coverage" if areas["is_coverage"] else "no valid coverage"
        stdout.print(f"{areas['n_areas']} areas, {coverage}, {areas['vertices_per_km']:.0f} vertices per km")
