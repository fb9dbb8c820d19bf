"""`sat2map data`: looks into, divides, fetches and draws data sets; the work itself is in `sat2map.data`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sat2map.cli.inspect import inspect
from sat2map.cli.options import (
    groups_option,
    log_options,
    out_option,
    overwrite_option,
    seed_option,
    target_option,
)
from sat2map.cli.written import say_written
from sat2map.errors import DataError, OutputError, import_extra
from sat2map.files import refuse_existing

if TYPE_CHECKING:
    from sat2map.data.pairs import PairFile

SMALLEST_PX = 64
SHARE = click.FloatRange(0, 1, max_open=True)


@click.group()
def data() -> None:
    """Look into data sets, divide, download or draw them."""


data.add_command(inspect)


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
@seed_option
@overwrite_option
@log_options
def synth(out: Path, n_pairs: int | None, side_px: int | None, seed: int, overwrite: bool, quiet: bool) -> None:
    """Draw synthetic cities with their true maps: pairs in the folder OUT, or a scene in the file OUT.

    Of one seed, pair n is always the same, and a small scene is the upper left part of a larger one.
    """
    if (n_pairs is None) == (side_px is None):
        raise click.UsageError("give either --pairs or --scene")
    if n_pairs is not None:
        written = _write_pairs(out, n_pairs, seed, overwrite)
    else:
        assert side_px is not None
        written = _write_scene(out, side_px, seed, overwrite)
    with_it = ("translate", out, "-o", out.with_stem(f"{out.stem}_map"))
    say_written(
        written, *(("train", out, "--recipe", "city", "--out", "runs/city") if n_pairs else with_it), quiet=quiet
    )


def _write_pairs(folder: Path, n: int, seed: int, overwrite: bool) -> str:
    from sat2map.city import write_pairs

    if folder.exists() and not folder.is_dir():
        raise OutputError("output is not a folder", folder, hint="pairs go to a folder; choose another name")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError("output exists and is not empty", folder, hint="--overwrite, or another folder")
    return f"{len(write_pairs(folder, n, seed=seed))} pairs to {folder}"


def _write_scene(path: Path, side_px: int, seed: int, overwrite: bool) -> str:
    from sat2map.city import truth_path, write_scene

    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError("a scene is written as GeoTIFF", path, hint=f"use {path.with_suffix('.tif')}")
    refuse_existing(path, truth_path(path), overwrite=overwrite)
    return f"{path} and its true map, {write_scene(path, side_px, seed=seed)}"


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
    type=click.FloatRange(min=0, min_open=True),
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
    """Divide DATA into the folders train, val and test of OUT; what shares ground stays together.

    Folders hold hard links, or copies where the disk has none, and OUT/groups.csv says who belongs together.
    """
    from sat2map.data.pairs import TwoFolders, list_pairs
    from sat2map.data.split import GROUPS_FILE, divide, write_folders, write_lists, write_rows

    if block is not None and by not in (None, "place"):
        raise click.UsageError("--block goes with --by place")
    files = list_pairs(TwoFolders(folder, target_folder) if target_folder else folder)
    groups = _groups(folder, files, "place" if block else by, groups_file, block)
    shares = {name: share for name, share in (("val", val_share), ("test", test_share)) if share}
    parts = divide(groups, shares, seed)
    group_file = out / GROUPS_FILE
    refuse_existing(group_file, overwrite=overwrite)
    write = write_lists if lists else write_folders
    write(out, {name: [files[i] for i in part] for name, part in parts.items()}, overwrite=overwrite)
    rows = [{"split": n, "file": files[i].name, "group": groups[i]} for n, part in parts.items() for i in part]
    write_rows(group_file, rows)
    counts = ", ".join(f"{len(part)} {name}" for name, part in parts.items())
    training = ("train", out / "train", "--recipe", "compact", "--out", "runs/compact")
    checking = ("data", "inspect", folder)
    next_command = checking if lists else training
    say_written(f"{out}: {counts} of {len(set(groups))} groups", *next_command, quiet=quiet)


def _groups(
    folder: Path, files: Sequence[PairFile], by: str | None, groups_file: Path | None, block: float | None
) -> list[str]:
    """The group of each pair, by what is asked for or by what is known."""
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
    """Fetch the paper's `maps` into FOLDER/maps: 1,096 pairs to train on and 1,098 to validate on, 250 MB.

    What was fetched when a connection broke is kept: the same command goes on from there. By hand: fetch the archive
    with any browser, and give it to --archive.
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
    training = ("train", fetched / "train", "--recipe", "paper", "--out", "runs/paper")
    say_written(f"{fetched}: {counts}", *training, quiet=quiet)


@contextmanager
def _bytes_told(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    stderr = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=stderr, disable=quiet or not stderr.is_terminal) as bar:
        task = bar.add_task("fetching")
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
