"""What a data set says of itself: `data.toml`, with its GSD, licence, sources and class table."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sat2map.classes import ClassTable
from sat2map.data.pairs import PairFolder, TwoFolders
from sat2map.errors import DataError
from sat2map.files import replacing
from sat2map.vector.draw_style import DrawStyle

DATA_FILE = "data.toml"


class GroundFile(BaseModel):
    """A data set's own description, which the model card of what learns from it takes over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    gsd_m: float | None = Field(None, gt=0)
    """Metres on the ground per pixel, the median of its scenes."""
    licence: str = ""
    """Of the maps, which is that of the vectors; the images' own comes beside it."""
    source: str = ""
    """Whom the vectors come from, to be named wherever they are shown."""
    scenes: tuple[str, ...] = ()
    """File names."""
    vectors: tuple[str, ...] = ()
    style: str = ""
    n_pairs: int = Field(0, ge=0)
    n_groups: int = Field(0, ge=0)
    classes: ClassTable

    @classmethod
    def of(
        cls, style: DrawStyle, licence: str | None, gsd_m: float, scenes: Sequence[str | Path], vectors: Sequence[Path]
    ) -> GroundFile:
        """What is known before any pair is cut."""
        scene_names, vector_names = (tuple(Path(str(p)).name for p in paths) for paths in (scenes, vectors))
        return cls(
            title=f"{', '.join(scene_names)} with {style.title or ', '.join(vector_names)}",
            gsd_m=float(f"{gsd_m:.4g}"), licence=style.licence if licence is None else licence, source=style.source,
            scenes=scene_names, vectors=vector_names, style=style.name, classes=style.classes,
        )  # fmt: skip


def write_ground_file(path: Path, described: GroundFile) -> None:
    """Write a data set's `data.toml`."""
    values = described.model_dump(mode="json", exclude_none=True)
    classes = values.pop("classes")
    # JSON's texts, numbers and lists are TOML's.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    for kind in classes:
        lines += [
            "",
            "[[classes]]",
            *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in kind.items()),
        ]
    with replacing(path) as work:
        work.write_text("\n".join(lines) + "\n", "utf-8")


def read_ground_file(folder: Path) -> GroundFile | None:
    """What a data set says of itself; None where it has no `data.toml`, in it or beside it.

    Raises:
        DataError: its `data.toml` is wrong.
    """
    path = next((p for p in (folder / DATA_FILE, folder.parent / DATA_FILE) if p.is_file()), None)
    if path is None:
        return None
    try:
        return GroundFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        words = " ".join(str(error).split())[:120]
        raise DataError(f"data set's own file is wrong ({words})", path, hint="write the data set again") from error


def described_in(folder: PairFolder) -> GroundFile | None:
    """What a data set of pairs says of itself; of two folders, what that of the maps says, else that of the images.

    Raises:
        DataError: its `data.toml` is wrong.
    """
    folders = (folder.b, folder.a) if isinstance(folder, TwoFolders) else (Path(folder),)
    return next((found for part in folders if (found := read_ground_file(part))), None)


def data_table(folder: PairFolder) -> ClassTable | None:
    """Classes of a data set's maps or labels, as its `data.toml` says; None where it has none.

    Raises:
        DataError: its `data.toml` is wrong.
    """
    described = described_in(folder)
    return described.classes if described else None
