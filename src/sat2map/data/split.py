"""Hold-outs by overlap group: pictures that share ground never lie on both sides of a split."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sat2map.errors import DataError

GROUPS_FILE = "groups.csv"


class Split(NamedTuple):
    """Indices of the pairs to train on, and of those that only selection sees."""

    train: list[int]
    holdout: list[int]


def read_groups(folder: str | Path, names: Sequence[str], file: str | Path | None = None) -> list[str]:
    """The overlap group of each picture.

    Args:
        folder: of the pictures. Without `file`, `groups.csv` is looked for in it and beside it.
        names: of the pictures.
        file: CSV with the columns `file` and `group`, and `split` where names occur in several folders.

    Returns:
        A group for each name; a picture that no file mentions is a group of its own.

    Raises:
        DataError: `file` is missing, or lacks a column or a value in one.
    """
    root = Path(folder).resolve()
    found = (
        Path(file) if file else next((p for p in (root / GROUPS_FILE, root.parent / GROUPS_FILE) if p.exists()), None)
    )
    if found is None:
        return list(names)
    try:
        # Spreadsheets put a byte order mark before the first column's name.
        with found.open(newline="", encoding="utf-8-sig") as handle:
            table = csv.DictReader(handle)
            rows = list(table)
            if not {"file", "group"} <= set(table.fieldnames or ()) or not all(r["file"] and r["group"] for r in rows):
                raise KeyError("file, group")
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("groups cannot be read", found, hint="a CSV with the columns file, group [, split]") from error
    group_of = {r["file"]: r["group"] for r in rows if r.get("split", root.name) == root.name}
    return [group_of.get(name, name) for name in names]


def hold_out(groups: Sequence[str], share: float, seed: int) -> Split:
    """Hold whole groups out, drawn by `seed`, until at least `share` of the pictures is held out.

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
            f"holding {share:.0%} out leaves nothing to train on; groups", len(set(groups)), hint="--set holdout=0"
        )
    return split
