"""The command `sat2map data inspect`, which reports what is wrong with a data set."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.cli import options
from sat2map.cli.written import console, say, say_written
from sat2map.errors import OutputError, import_extra
from sat2map.files import check_output_folder, refuse_existing

if TYPE_CHECKING:
    from sat2map.data.check.inspect import Report
    from sat2map.data.pairs import PairFile

SHARES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.01)
"""Limits of the classes of size in which overlaps that were found are compared with those that are listed."""
N_NAMED = 6


@click.command(short_help="Tell what is wrong with a data set.")
@click.argument("data", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="DATA...")
@options.target_option
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="PNG", help="Contact sheet: faulty pairs first.")
@click.option("--write-groups", type=click.Path(path_type=Path), metavar="CSV", help="Write who shares ground.")
@click.option("--no-overlaps", is_flag=True, help="Do not look for common ground, which takes the longest.")
@click.option(
    "--least-share",
    type=options.FiniteFloat(0, 1),
    default=0.01,
    show_default=True,
    help="Common ground that counts, as a share of the smaller image.",
)
@options.overwrite_option
@options.json_option
@options.log_options
def inspect(
    data: tuple[Path, ...],
    target_folder: Path | None,
    out: Path | None,
    write_groups: Path | None,
    no_overlaps: bool,
    least_share: float,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Report what is wrong with the pairs in DATA; with several DATA, also the ground that they share.

    Of a folder of partial labels (image, label, legend.csv) or road masks (image, mask), it reports how much is known
    and which files are broken. The exit status is 0 if nothing is wrong, and 1 if something is.
    """
    import_extra("scipy", "eval")
    from sat2map.cli.inspect_labels import inspect_label_folders, kinds_of
    from sat2map.data.check.inspect import inspect as inspect_sets

    _check_outputs(out, write_groups, no_overlaps, overwrite)
    progress = functools.partial(_with_progress, quiet=quiet)
    if kinds := kinds_of(data):
        if len(kinds) < len(data) or target_folder or out or write_groups:
            raise click.UsageError("partial labels and road masks are looked into by themselves, without other options")
        inspect_label_folders(kinds, as_json=as_json, progress=progress)
        return
    sets, find_shared = _list_sets(data, target_folder), not no_overlaps
    report = inspect_sets(sets, find_shared=find_shared, least_share=least_share, progress=progress)
    _write(report, out, write_groups)
    found = {
        "sets": {name: _summary(report, name, len(pairs)) for name, pairs in sets.items()}, "least_share": least_share,
        "overlaps": _overlaps(report, least_share), "problems": _problems(report),
        "groups_csv": None if no_overlaps else _compare(report, list(sets), data),
    }  # fmt: skip
    _tell(found, no_overlaps=no_overlaps, as_json=as_json)
    if written := [str(path) for path in (out, write_groups) if path]:
        say_written(" and ".join(written), "data", "split", data[0], "-o", "split", quiet=quiet)
    if report.problems:
        raise click.exceptions.Exit(1)


def _tell(found: dict[str, Any], *, no_overlaps: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in _in_words(found, no_overlaps):
            say(line, to_stdout=True)


def _check_outputs(out: Path | None, groups: Path | None, no_overlaps: bool, overwrite: bool) -> None:
    if groups is not None and no_overlaps:
        raise click.UsageError("--write-groups needs the overlaps: leave --no-overlaps out")
    if out is not None and out.suffix.lower() != ".png":
        raise OutputError("a contact sheet is written as PNG", out, hint=f"-o {out.with_suffix('.png')}")
    for path in filter(None, (out, groups)):
        refuse_existing(path, overwrite=overwrite)
        check_output_folder(path.parent)


def _list_sets(data: Sequence[Path], target: Path | None) -> dict[str, Sequence[PairFile]]:
    from sat2map.data.pairs import TwoFolders, list_pairs

    if target is not None:
        if len(data) > 1:
            raise click.UsageError("--target goes with one DATA alone: give folders that hold A and B")
        return {data[0].resolve().name: list_pairs(TwoFolders(data[0], target))}
    names = [folder.resolve().name for folder in data]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in data]
    if len(set(names)) < len(names):
        raise click.UsageError("one folder is given twice")
    return {name: list_pairs(folder) for name, folder in zip(names, data, strict=True)}


def _with_progress(steps: Iterable[int], n_steps: int, quiet: bool) -> Iterator[int]:
    from rich.progress import track

    stderr = console(on_stderr=True)
    yield from track(steps, "looking", n_steps, console=stderr, disable=quiet or not stderr.is_terminal)


def _write(report: Report, sheet: Path | None, groups: Path | None) -> None:
    from sat2map.files import replacing

    if sheet is not None:
        from sat2map.data.check.sheet import contact_sheet

        with replacing(sheet) as work:
            contact_sheet(report).save(work, "PNG")
    if groups is not None and report.checks:
        from sat2map.data.check.inspect import group_rows
        from sat2map.data.split import write_rows

        write_rows(groups, group_rows(report))


def _summary(report: Report, name: str, n_pairs: int) -> dict[str, Any]:
    checks = [check for check in report.checks if check.location.set_name == name]
    sizes = Counter(f"{check.size[1]} x {check.size[0]}" for check in checks)
    groups = {
        group for check, group in zip(report.checks, report.groups, strict=True) if check.location.set_name == name
    }
    return {"pairs": n_pairs, "readable": len(checks), "sizes_px": dict(sizes.most_common()), "groups": len(groups)}


def _problems(report: Report) -> list[dict[str, Any]]:
    return [
        {"kind": p.kind, "words": p.words, "pairs": [f"{w.set_name}/{w.name}" for w in p.pairs]}
        for p in report.problems
    ]


def _overlaps(report: Report, least_share: float) -> list[dict[str, Any]]:
    rows = []
    for s in report.shared:
        if s.share >= least_share:
            one, other = (report.checks[i].location for i in (s.first, s.second))
            shift = None if s.shift_px is None else {"rows": s.shift_px[0], "columns": s.shift_px[1]}
            pair = [f"{one.set_name}/{one.name}", f"{other.set_name}/{other.name}"]
            rows.append({"pairs": pair, "share": round(s.share, 5), "shift_px": shift})
    return rows


def _compare(report: Report, names: Sequence[str], data: Sequence[Path]) -> dict[str, Any] | None:
    """Count, by size, overlaps that a groups.csv lists, those of them that were found, and those found but not listed.

    Returns:
        None where no groups.csv lists an overlap.
    """
    from sat2map.data.check.inspect import listed_overlaps
    from sat2map.data.split import find_groups_file, read_rows

    listed: dict[tuple[int, int], float] = {}
    files = []
    for name, folder in zip(names, data, strict=True):
        file = find_groups_file(folder)
        if file is not None:
            rows: list[Mapping[str, str]] = [{"split": name, **row} for row in read_rows(file)]
            listed |= listed_overlaps(rows, report.checks)
            files.append(str(file))
    if not listed:
        return None
    found = {(s.first, s.second): s.share for s in report.shared}
    table = []
    for low, high in pairwise(SHARES):
        here = [pair for pair, share in listed.items() if low <= share < high]
        extra = sum(low <= share < high for pair, share in found.items() if pair not in listed)
        table.append({"from": low, "listed": len(here), "found": sum(p in found for p in here), "unlisted": extra})
    return {"files": list(dict.fromkeys(files)), "by_share": table}


def _in_words(found: dict[str, Any], no_overlaps: bool) -> Iterator[str]:
    for name, summary in found["sets"].items():
        sizes = ", ".join(f"{size} px ({n})" for size, n in list(summary["sizes_px"].items())[:3])
        groups = "" if no_overlaps else f", {summary['groups']} groups of common ground"
        yield f"{name}: {summary['pairs']} pairs, {sizes or 'none readable'}{groups}"
    if not no_overlaps:
        yield f"overlaps of at least {found['least_share']:.1%} of an image: {len(found['overlaps'])}"
    if found["groups_csv"]:
        yield from _table(found["groups_csv"])
    if not found["problems"]:
        yield "nothing wrong found"
    for problem in found["problems"]:
        pairs = problem["pairs"]
        more = f" and {len(pairs) - N_NAMED} more" if len(pairs) > N_NAMED else ""
        yield f"{problem['kind']}: {problem['words']}: {', '.join(pairs[:N_NAMED])}{more}"


def _table(compared: dict[str, Any]) -> Iterator[str]:
    rows = compared["by_share"]
    n_listed, n_found = (sum(row[key] for row in rows) for key in ("listed", "found"))
    yield f"of {n_listed} overlaps in {', '.join(compared['files'])}, {n_found} found ({n_found / n_listed:.1%}):"
    yield f"  {'common ground':>16}  {'listed':>6}  {'found':>6}  {'not listed':>10}"
    for row, high in zip(rows, SHARES[1:], strict=True):
        span = f"{row['from']:.1%} to {min(high, 1):.1%}"
        yield f"  {span:>16}  {row['listed']:>6}  {row['found']:>6}  {row['unlisted']:>10}"
