"""`sat2map data inspect` of partial labels and road masks; checks at no pixel itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sat2map.cli.written import say

if TYPE_CHECKING:
    from sat2map.data.check.labels import LabelReport
    from sat2map.data.partial import LabelKind

N_NAMED = 6
WORDS = {"partial": "images with partial labels", "roads": "images with road masks"}


def kinds_of(folders: Sequence[Path]) -> dict[Path, LabelKind]:
    """The folders that hold partial labels or road masks, and which of the two."""
    from sat2map.data.partial import label_kind

    kinds = ((folder, label_kind(folder)) for folder in folders)
    return {folder: kind for folder, kind in kinds if kind is not None}


def inspect_label_folders(
    kinds: Mapping[Path, LabelKind], *, as_json: bool, progress: Callable[[Iterable[int], int], Iterable[int]]
) -> None:
    """Print what the folders hold; ends with status 1 if anything is wrong with them."""
    from sat2map.data.check.labels import inspect_labels

    found = {folder.resolve().name: inspect_labels(folder, kind, progress=progress) for folder, kind in kinds.items()}
    if as_json:
        click.echo(json.dumps({name: _as_json(report) for name, report in found.items()}, indent=2))
    else:
        for line in (line for name, report in found.items() for line in _in_words(name, report)):
            say(line, to_stdout=True)
    if any(report.problems for report in found.values()):
        raise click.exceptions.Exit(1)


def _sizes(report: LabelReport) -> dict[str, int]:
    return {f"{width} x {height}": n for (height, width), n in report.sizes.most_common()}


def _as_json(report: LabelReport) -> dict[str, Any]:
    return {
        "kind": report.kind,
        "images": report.n_images,
        "sizes_px": _sizes(report),
        "known": report.known,
        "classes": report.shares,
        "problems": [{"kind": p.kind, "words": p.words, "images": [w.name for w in p.pairs]} for p in report.problems],
    }


def _in_words(name: str, report: LabelReport) -> Iterator[str]:
    sizes = ", ".join(f"{size} px ({n})" for size, n in list(_sizes(report).items())[:3])
    yield f"{name}: {report.n_images} {WORDS[report.kind]}, {sizes or 'none readable'}"
    yield f"something known of {report.known:.1%} of the pixels:"
    for classes, share in report.shares.items():
        yield f"  {share:6.1%}  {classes}"
    if not report.problems:
        yield "nothing wrong found"
    for problem in report.problems:
        names = [where.name for where in problem.pairs]
        more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
        yield f"{problem.kind}: {problem.words}: {', '.join(names[:N_NAMED])}{more}"
