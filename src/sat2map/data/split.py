"""Parts of a data set, by overlap group: images that share ground never lie on both sides of a split."""

from __future__ import annotations

import csv
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sat2map.data.pairs import FOLDERS, PairFile, TwoFiles, same_name
from sat2map.errors import DataError, OutputError
from sat2map.files import refuse_existing, replacing

GROUPS_FILE = "groups.csv"

log = logging.getLogger(__name__)


class Split(NamedTuple):
    """Indices of the pairs to train on, and of those that only selection sees."""

    train: list[int]
    validation: list[int]


def read_groups(folder: str | os.PathLike[str], names: Sequence[str], file: str | Path | None = None) -> list[str]:
    """The overlap group of each image.

    Args:
        folder: of the images. Without `file`, `groups.csv` is looked for in it and beside it.
        names: of the images.
        file: CSV with the columns `file` and `group`, and `split` where names occur in several folders.

    Returns:
        A group for each name; an image that no row mentions is a group of its own, and a warning says how many are.

    Raises:
        DataError: the file is missing, lacks a column or a value in one, or mentions none of the images.
    """
    root = Path(folder).resolve()
    found = Path(file) if file else find_groups_file(root)
    if found is None:
        return list(names)
    rows = read_rows(found)
    group_of = {
        same_name(r["file"]): r["group"] for r in rows if same_name(r.get("split", root.name)) == same_name(root.name)
    }
    groups = [group_of.get(same_name(name)) for name in names]
    n_known = sum(group is not None for group in groups)
    if names and not n_known and not file and found.parent != root and _is_of_others(rows, root.name, names):
        log.warning("%s names no image of %s, only of other folders; each image counts as a group", found, root.name)
        return list(names)
    if names and not n_known:
        raise DataError(
            _why_none(rows, root.name, names), found, hint="mend its rows, or name another with `groups_file`"
        )
    if n_known < len(names):
        log.warning(
            "%s names %d of %d images; each of the others counts as a group of its own", found, n_known, len(names)
        )
    return [group or name for group, name in zip(groups, names, strict=True)]


def _is_of_others(rows: Sequence[Mapping[str, str]], folder: str, names: Sequence[str]) -> bool:
    """Whether a groups.csv beside a folder is of its neighbours alone, and not of it under an older name."""
    in_split: dict[str, set[str]] = {}
    for row in rows:
        in_split.setdefault(row.get("split", folder), set()).add(same_name(row["file"]))
    ours = {same_name(name) for name in names}
    return (
        bool(in_split)
        and folder not in in_split
        and not any(2 * len(ours & theirs) > len(theirs) for theirs in in_split.values())
    )


def _why_none(rows: Sequence[Mapping[str, str]], folder: str, names: Sequence[str]) -> str:
    """Why no row of a groups.csv is of an image."""
    splits = sorted({row["split"] for row in rows if row.get("split")})
    if splits and folder not in splits:
        return f"groups are of the folders {', '.join(splits[:3])} (column split), and not of {folder}"
    example = f", such as {rows[0]['file']}" if rows else ""
    return f"groups name none of the {len(names)} images, such as {names[0]}, but others{example}"


def find_groups_file(folder: str | os.PathLike[str]) -> Path | None:
    """`groups.csv` in a folder of images, or beside it."""
    root = Path(folder).resolve()
    return next((p for p in (root / GROUPS_FILE, root.parent / GROUPS_FILE) if p.exists()), None)


def read_rows(file: Path) -> list[dict[str, str]]:
    """The rows of a groups.csv.

    Raises:
        DataError: it is missing, or lacks a column or a value in one.
    """
    try:
        # Spreadsheets put a byte order mark before the first column's name.
        with file.open(newline="", encoding="utf-8-sig") as handle:
            table = csv.DictReader(handle)
            rows = list(table)
            if not {"file", "group"} <= set(table.fieldnames or ()) or not all(r["file"] and r["group"] for r in rows):
                raise KeyError("file, group")
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("groups cannot be read", file, hint="a CSV with the columns file, group [, split]") from error
    return rows


def write_rows(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a groups.csv; its columns are those of the first row.

    Raises:
        OutputError: the folder is missing or cannot be written.
    """
    with replacing(file) as work, work.open("w", newline="", encoding="utf-8") as handle:
        table = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def split_validation(groups: Sequence[str], share: float, seed: int) -> Split:
    """Hold whole groups out, drawn by `seed`, until at least `share` of the images is held out.

    Raises:
        DataError: nothing would be left to train on.
    """
    order = np.random.default_rng(seed).permutation(sorted(set(groups)))
    wanted, held = share * len(groups), set[str]()
    n_held = 0
    for group in order:
        if n_held >= wanted:
            break
        held.add(str(group))
        n_held += groups.count(group)
    split = Split(
        [i for i, g in enumerate(groups) if g not in held],
        [i for i, g in enumerate(groups) if g in held],
    )
    if not split.train:
        raise DataError(
            f"holding {share:.0%} out leaves nothing to train on; groups",
            len(set(groups)),
            hint="`set` validation_share=0",
        )
    return split


def divide(groups: Sequence[str], shares: Mapping[str, float], seed: int) -> dict[str, list[int]]:
    """Indices of `train` and of each named part, whole groups drawn by `seed` until each part has its share.

    Raises:
        DataError: nothing would be left to train on.
    """
    parts: dict[str, list[int]] = {"train": list(range(len(groups)))}
    for name, share in shares.items():
        rest = parts["train"]
        try:
            train, held = split_validation([groups[i] for i in rest], share * len(groups) / len(rest), seed)
        except DataError as error:
            raise DataError(
                f"a share of {share:g} for {name} leaves nothing to train on; groups", len(set(groups)),
                hint="smaller shares; or the groups are too large to divide",
            ) from error  # fmt: skip
        parts["train"], parts[name] = [rest[i] for i in train], [rest[i] for i in held]
    return parts


def write_folders(out: Path, parts: Mapping[str, Sequence[PairFile]], *, overwrite: bool) -> None:
    """Make a folder of each part, as hard links where the disk has them, else as copies.

    Raises:
        OutputError: a folder exists, or the pairs themselves lie in one that would be replaced.
    """
    for name, pairs in parts.items():
        _check_part(out / name, pairs, overwrite)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".split-") as work:
        for name, pairs in parts.items():
            for pair in pairs:
                for file, inner in _files(pair):
                    _link(file, Path(work) / name / inner / file.name)
        for name in parts:
            if (out / name).exists():
                shutil.rmtree(out / name)
            (Path(work) / name).rename(out / name)


def write_lists(out: Path, parts: Mapping[str, Sequence[PairFile]], *, overwrite: bool) -> None:
    """Write `NAME.txt` for each part: a path a line, or two with a tab between where pairs are two files.

    Raises:
        OutputError: a list exists.
    """
    refuse_existing(*(out / f"{name}.txt" for name in parts), overwrite=overwrite)
    out.mkdir(parents=True, exist_ok=True)
    for name, pairs in parts.items():
        with replacing(out / f"{name}.txt") as work:
            lines = ["\t".join(str(file.resolve()) for file, _ in _files(pair)) for pair in pairs]
            work.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _files(pair: PairFile) -> Iterator[tuple[Path, str]]:
    """Each file of a pair, and the folder within its part that it belongs to."""
    if isinstance(pair, TwoFiles):
        yield from zip((pair.a, pair.b), FOLDERS, strict=True)
    else:
        yield pair, ""


def _check_part(part: Path, pairs: Sequence[PairFile], overwrite: bool) -> None:
    refuse_existing(part, overwrite=overwrite)
    if any(part.resolve() in file.resolve().parents for pair in pairs for file, _ in _files(pair)):
        raise OutputError("output would replace the pairs themselves", part, hint="choose another folder with `out`")


def _link(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        # Another disk, or one without hard links.
        os.link(file.resolve(), to)
        return
    shutil.copy2(file, to)
