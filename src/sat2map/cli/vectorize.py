"""`sat2map vectorize`: a map or a raster of classes to vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sat2map.cli import options
from sat2map.cli.progress import progress_option, share_progress
from sat2map.cli.written import say
from sat2map.errors import import_extra

if TYPE_CHECKING:
    from sat2map.vector.vectorize import WrittenVectors

LAYERS = ("areas", "roads", "junctions")
"""Known here without importing what makes them."""


@click.command()
@click.argument("source", metavar="MAP")
@options.out_option
@click.option(
    "--simplify", "simplify_m", type=options.FiniteFloat(min=0), metavar="M",
    help="How far lines may be from the border of pixels, in metres; 0: exactly the border.  [default: .85 of a pixel]",
)  # fmt: skip
@click.option(
    "--min-area", "min_area_m2", type=options.FiniteFloat(min=0), default=0, metavar="M2",
    help="Smaller areas, in square metres, go to the neighbour with the longest common border.  [default: 0]",
)  # fmt: skip
@click.option(
    "--close-gaps", "close_gaps_m", type=options.FiniteFloat(min=0), default=20, show_default=True, metavar="M",
    help="Longest gap in a road, in metres, that a line marked as inferred closes; 0: none.",
)  # fmt: skip
@click.option(
    "--layer", type=click.Choice(LAYERS),
    help="What a format of one layer holds; GeoPackage holds all.  [default: areas]",
)  # fmt: skip
@options.class_table_option
@click.option(
    "--confidence", "confidence", metavar="FILE",
    help="Raster of the confidence.  [default: the one that translate wrote beside MAP, if any]",
)  # fmt: skip
@options.window_option
@options.workers_option
@options.overwrite_option
@options.json_option
@progress_option
@options.log_options
def vectorize(
    source: str,
    out: Path,
    simplify_m: float | None,
    min_area_m2: float,
    close_gaps_m: float,
    layer: str | None,
    class_table: Path | None,
    confidence: str | None,
    window_px: int | None,
    n_workers: int | None,
    overwrite: bool,
    as_json: bool,
    progress: str,
    quiet: bool,
) -> None:
    """Make vectors of MAP: a map of `sat2map translate`, or one band of numbers of classes from 0.

    OUT's ending decides: GeoPackage (.gpkg, with colours for QGIS), FlatGeobuf (.fgb), GeoParquet (.parquet) or
    GeoJSON text sequence (.geojsonl). Areas share their borders, roads are one network of lines between junctions, and
    windows leave no trace in them.
    """
    for module in ("shapely", "pyogrio", "pyarrow"):
        import_extra(module, "vector")
    from sat2map.vector.areas import AreaSettings
    from sat2map.vector.class_file import read_class_table
    from sat2map.vector.roads import RoadSettings
    from sat2map.vector.vectorize import VectorSettings, vectorize_file

    window_px, n_workers = window_px or AreaSettings.window_px, n_workers or AreaSettings.n_threads
    areas = AreaSettings(simplify_m, min_area_m2, window_px, n_workers)
    settings = VectorSettings(areas, RoadSettings(close_gaps_m=close_gaps_m), layer)
    table = None if class_table is None else read_class_table(class_table)
    with share_progress(Path(source).name, progress, quiet=quiet) as tell:
        written = vectorize_file(
            source, out, settings, table=table, confidence=confidence, overwrite=overwrite, tell=tell
        )
    say_vectors(source, written, as_json, quiet)


def say_vectors(source: str, written: WrittenVectors, as_json: bool, quiet: bool) -> None:
    """Say what was written: to programs on stdout, to people on stderr."""
    if as_json:
        click.echo(
            json.dumps(
                {"source": source, "outputs": [str(written.path)], "features": dict(written.n_features)}, indent=2
            )
        )
    if not quiet:
        counted = ", ".join(f"{n} {name}" for name, n in written.n_features.items())
        say(f"{source} -> {written.path}: {counted}")
