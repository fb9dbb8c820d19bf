"""What a recipe says of the folders that a run learns from, and of those that it is validated on."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Folder(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    """Where it lies; `~` and variables such as `$SAT2MAP_DATA` are replaced."""
    name: str = ""
    """By default the last part of `folder`."""
    gsd_m: float = Field(gt=0)
    """Metres on the ground per pixel of its images."""
    only: tuple[str, ...] = ()
    """Patterns such as `t4_*`: only images whose file name matches one of them."""
    without: tuple[str, ...] = ()
    """Patterns: no image whose file name matches one of them."""
    title: str = ""
    """What the model card calls it; by default its name."""
    licence: str = ""
    """Of its images and labels, for the model card."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: object) -> object:
        if isinstance(values, dict) and isinstance(values.get("folder"), str) and not values.get("name"):
            last = re.split(r"[/\\]", values["folder"].rstrip("/\\"))[-1]
            return values | {"name": last.lstrip("$").lower().removeprefix("sat2map_")}
        return values


class TrainingSource(_Folder):
    """A folder to learn from.

    A chip's loss counts `weight`, and the loss of a batch is the mean over its chips.
    """

    kind: Literal["pairs", "partial", "roads"]
    """Pairs; or `image/` with partial labels in `label/` and `legend.csv`, or with road masks in `mask/`."""
    share: float = Field(gt=0, le=1)
    """Share of the chips. Where the run is given a folder of pairs, that one has the rest; else shares are relative."""
    weight: float = Field(1, ge=0)
    """Of its chips' loss; pairs have 1."""
    road_weight: float = Field(3, ge=0)
    """Partial labels and road masks: of pixels that can only be road."""
    chip_gsd_m: tuple[float, float] | None = None
    """Metres per pixel of its chips, finest and coarsest; by default the recipe's `gsd_m`."""
    slack_px: int = Field(3, ge=0)
    """Road masks: so far beside a road that is drawn, nothing is known, for they are rarely right to the pixel."""
    narrowed: dict[int, str] = {}
    """Partial labels: in three of four chips a pixel with this value can only be of this class, or of these (`a|b`), of
    those that its legend allows. So a recipe says which of them its maps show: closed woodland is a park."""

    @model_validator(mode="after")
    def _consistent(self) -> TrainingSource:
        if self.chip_gsd_m and not 0 < self.chip_gsd_m[0] <= self.chip_gsd_m[1]:
            raise ValueError(f"chip_gsd_m must be finest and coarsest, not {self.chip_gsd_m}")
        if self.kind == "pairs" and self.weight != 1:
            raise ValueError("weight is for partial labels and road masks; pairs count by their share")
        return self


class ValidationSource(_Folder):
    """A folder of partial labels or road masks that validations score."""

    kind: Literal["partial", "roads"]
