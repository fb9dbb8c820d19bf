"""The command `sat2map data`, which inspects, divides, downloads and draws data sets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sat2map.cli.data_complete import complete
from sat2map.cli.data_pairs import pairs
from sat2map.cli.data_trees import trees
from sat2map.cli.inspect import inspect
from sat2map.cli.options import (
    FiniteFloat,
    groups_option,
    log_options,
    out_option,
    overwrite_option,
    seed_option,
    target_option,
)
from sat2map.cli.written import console, say_written
from sat2map.errors import DataError, OutputError, import_extra
from sat2map.files import refuse_existing

if TYPE_CHECKING:
    from sat2map.data.pairs import PairFile, PairFolder

SMALLEST_PX = 64
SYNTHETIC_GSD_M = 0.9
MAPS_GSD_M = 0.9
SHARE = FiniteFloat(0, 1, max_open=True)


@click.group()
def data() -> None:
    """Inspect, divide, download or draw data sets."""


data.add_command(complete)
data.add_command(inspect)
data.add_command(pairs)
data.add_command(trees)


@data.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--pairs", "n_pairs", type=click.IntRange(min=1), metavar="N", help="Write N side-by-side pairs to OUT.")
@click.option(
    "--scene",
    "side_px",
    type=click.IntRange(min=SMALLEST_PX),
    metavar="SIDE_PX",
    help="Write one square GeoTIFF to OUT, and its true map beside it.",
)
@click.option(
    "--landscapes",
    metavar="NAME,...",
    default="city",
    show_default=True,
    help="What is drawn: `all`, or names such as forest,fields,desert; an unknown name is answered with all of them.",
)
@seed_option
@overwrite_option
@log_options
def synth(
    out: Path, n_pairs: int | None, side_px: int | None, landscapes: str, seed: int, overwrite: bool, quiet: bool
) -> None:
    """Draw synthetic ground with its true map: pairs in the folder OUT, or a scene in the file OUT.

    With the same seed, pair n is always the same. A small scene of a city is the upper left part of a larger one.
    """
    if (n_pairs is None) == (side_px is None):
        raise click.UsageError("give either --pairs or --scene")
    names = _landscape_names(landscapes)
    if n_pairs is not None:
        written = _write_pairs(out, n_pairs, seed, names, overwrite)
    else:
        assert side_px is not None
        written = _write_scene(out, side_px, seed, names, overwrite)
    with_it = ("translate", out, "-o", out.with_stem(f"{out.stem}_map"))
    say_written(
        written,
        *(("train", out, "--recipe", "city", "--gsd", SYNTHETIC_GSD_M, "--out", "runs/city") if n_pairs else with_it),
        quiet=quiet,
    )


def _landscape_names(landscapes: str) -> tuple[str, ...]:
    """What was asked for, in a list that the names are checked against."""
    from sat2map.landscape import NAMES

    names = NAMES if landscapes == "all" else tuple(name.strip() for name in landscapes.split(","))
    for name in names:
        if name not in NAMES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(NAMES)}, or all", param_hint="--landscapes")
    return names


def _write_pairs(folder: Path, n: int, seed: int, names: tuple[str, ...], overwrite: bool) -> str:
    import_extra("scipy", "eval")
    from sat2map import city, landscape

    if folder.exists() and not folder.is_dir():
        raise OutputError("output is not a folder", folder, hint="pairs go to a folder; choose another name")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError("output exists and is not empty", folder, hint="--overwrite, or another folder")
    if names == ("city",):
        return f"{len(city.write_pairs(folder, n, seed=seed))} pairs to {folder}"
    return f"{len(landscape.write_pairs(folder, n, seed=seed, names=names))} pairs to {folder}"


def _write_scene(path: Path, side_px: int, seed: int, names: tuple[str, ...], overwrite: bool) -> str:
    from sat2map import city, landscape

    if len(names) > 1:
        raise click.UsageError("a scene is of one landscape; give --landscapes one name")
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError("a scene is written as GeoTIFF", path, hint=f"use {path.with_suffix('.tif')}")
    refuse_existing(path, city.truth_path(path), overwrite=overwrite)
    if names == ("city",):
        truth = city.write_scene(path, side_px, seed=seed)
    else:
        truth = landscape.write_scene(path, side_px, seed=seed, name=names[0])
    return f"{path} and its true map, {truth}"


@data.command(short_help="Divide a data set, so that no ground is on both sides.")
@click.argument("folder", metavar="DATA", type=click.Path(path_type=Path))
@out_option
@target_option
@click.option("--val", "val_share", type=SHARE, default=0.1, show_default=True, help="Share to validate on.")
@click.option("--test", "test_share", type=SHARE, default=0.0, show_default=True, help="Share to test on.")
@click.option(
    "--by",
    type=click.Choice(["group", "place", "image"]),
    help="What is never split: a group of groups.csv, common ground of georeferenced pairs, or an image.  "
    "[default: group if there is a groups.csv, else place]",
)
@click.option(
    "--block",
    type=FiniteFloat(min=0, min_open=True),
    help="By place: keep squares of this side together, in units of the reference system.",
)
@click.option("--lists", is_flag=True, help="Write train.txt, val.txt and test.txt, not folders.")
@groups_option
@seed_option
@overwrite_option
@log_options
def split(
    folder: Path,
    out: Path,
    target_folder: Path | None,
    val_share: float,
    test_share: float,
    by: str | None,
    block: float | None,
    lists: bool,
    groups_file: Path | None,
    seed: int,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Divide DATA into the folders train, val and test of OUT; images that share ground stay together.

    The folders hold hard links or else copies. OUT/groups.csv lists the groups; a data.toml of DATA is OUT's, too.
    """
    from sat2map.data.pairs import TwoFolders, list_pairs
    from sat2map.data.plausible import check_plausible
    from sat2map.data.split import GROUPS_FILE, divide, write_folders, write_lists, write_rows

    if block is not None and by not in (None, "place"):
        raise click.UsageError("--block goes with --by place")
    source = TwoFolders(folder, target_folder) if target_folder else folder
    files = list_pairs(source)
    check_plausible(files, folder)
    groups = _groups(folder, files, "place" if block else by, groups_file, block)
    shares = {name: share for name, share in (("val", val_share), ("test", test_share)) if share}
    parts = divide(groups, shares, seed)
    refuse_existing(out / GROUPS_FILE, overwrite=overwrite)
    write = write_lists if lists else write_folders
    write(out, {name: [files[i] for i in part] for name, part in parts.items()}, overwrite=overwrite)
    rows = [{"split": n, "file": files[i].name, "group": groups[i]} for n, part in parts.items() for i in part]
    write_rows(out / GROUPS_FILE, rows)
    _describe(out, source)
    counts = ", ".join(f"{len(part)} {name}" for name, part in parts.items())
    training = "train", out / "train", "--recipe", "compact", "--out", "runs/compact"
    likely = ("data", "inspect", folder) if lists else training
    say_written(f"{out}: {counts} of {len(set(groups))} groups", *likely, quiet=quiet)


def _describe(out: Path, source: PairFolder) -> None:
    """Let the parts say of themselves what the whole says."""
    from sat2map.data.ground_file import DATA_FILE, described_in, write_ground_file

    if described := described_in(source):
        write_ground_file(out / DATA_FILE, described)


def _groups(
    folder: Path, files: Sequence[PairFile], by: str | None, groups_file: Path | None, block: float | None
) -> list[str]:
    """Return the group of each pair, by the kind of group that `by` names or, without it, that the data set has."""
    from sat2map.data.footprint import footprint_groups, footprint_of
    from sat2map.data.split import GROUPS_FILE, find_groups_file, read_groups

    names = [file.name for file in files]
    write_groups = f"sat2map data inspect {folder} --write-groups {folder / GROUPS_FILE}"
    if by == "image":
        return names
    if by == "group" or (by is None and (groups_file or find_groups_file(folder))):
        if groups_file is None and find_groups_file(folder) is None:
            raise DataError("no groups.csv in it or beside it", folder, hint=write_groups)
        return read_groups(folder, names, groups_file)
    places = [footprint_of(file) for file in files]
    known = [place for place in places if place is not None]
    if len(known) < len(files):
        what = "pairs have no place" if by else "neither a groups.csv nor a place for every pair"
        raise DataError(what, folder, hint=f"{write_groups}; or --by image, where no two share ground")
    return [f"p{number + 1:03d}" for number in footprint_groups(known, block)]


@data.command(short_help="Fetch the paper's maps.")
@click.argument("name", type=click.Choice(["maps"]))
@click.argument("folder", metavar="[FOLDER]", type=click.Path(path_type=Path), default=Path())
@click.option("--archive", type=click.Path(path_type=Path), help="The archive, if you have fetched it by hand.")
@click.option("--accept-licence", is_flag=True, help="Accept the notice that is shown.")
@log_options
def download(name: str, folder: Path, archive: Path | None, accept_licence: bool, quiet: bool) -> None:
    """Download the paper's `maps` into FOLDER/maps: 1,096 pairs for training and 1,098 for validation, 250 MB.

    When a connection breaks, run the same command again: it continues the download. You can also download the archive
    with a browser, and give it to --archive.
    """
    for module in ("pooch", "requests"):
        import_extra(module, "download")
    from sat2map.data.download import MAPS
    from sat2map.data.download import download as fetch

    click.echo(MAPS.notice, err=True)
    if not accept_licence:
        if not sys.stdin.isatty():
            raise DataError("notice of the data's rights is not accepted", name, hint="read it, and --accept-licence")
        click.confirm("Do you accept this?", abort=True, err=True)
    with _bytes_told(quiet) as tell:
        fetched = fetch(MAPS, folder, by_hand=archive, progress=tell)
    counts = ", ".join(f"{n} in {part}" for part, n in MAPS.folders.items())
    training = ("train", fetched / "train", "--recipe", "paper", "--gsd", MAPS_GSD_M, "--out", "runs/paper")
    say_written(f"{fetched}: {counts}", *training, quiet=quiet)


@contextmanager
def _bytes_told(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    stderr = console(on_stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=stderr, disable=quiet or not stderr.is_terminal) as bar:
        task = bar.add_task("fetching")
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
