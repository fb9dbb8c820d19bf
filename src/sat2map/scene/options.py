"""What a user asks of the reading of a scene; knows no file, no model and no decision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sat2map.errors import SceneError
from sat2map.scene.georeference import Box
from sat2map.scene.stretch import StretchOption


@dataclass(frozen=True)
class NoMask:
    """All pixels are valid, whatever the file says; those that are no number are not."""


@dataclass(frozen=True)
class MaskBand:
    """Pixels are valid where a band of the scene is not 0.

    Attributes:
        band: counted from 1.
    """

    band: int


@dataclass(frozen=True)
class MaskFile:
    """Pixels are valid where the first band of another raster is not 0.

    Attributes:
        path: of a raster of the scene's height and width; a file or a URL.
    """

    path: str | Path


MaskOption = NoMask | MaskBand | MaskFile


def parse_mask(text: str | None) -> MaskOption | None:
    """Read what says where the data is: `none`, the number of a band, or the path of a raster.

    >>> parse_mask("none"), parse_mask("4"), parse_mask("valid.tif")
    (NoMask(), MaskBand(band=4), MaskFile(path='valid.tif'))
    """
    if text is None:
        return None
    if text == "none":
        return NoMask()
    return MaskBand(int(text)) if text.isdecimal() else MaskFile(text)


@dataclass(frozen=True)
class ReadOptions:
    """How a scene is read where its file alone does not say it.

    >>> ReadOptions(bands=(3, 2, 1), nodata=0, stretch="auto").mask is None
    True

    Attributes:
        bands: of red, green, blue, or of one grey, counted from 1; None: as the file's colours say.
        nodata: a pixel is invalid if every band used holds it; None: as the file says.
        mask: what says where pixels are valid, as of `parse_mask`; None: the file itself.
        bbox: west, south, east, north, in units of `bbox_crs`: only that part; None: all.
        bbox_crs: CRS of the box; None: the scene's.
        stretch: the numbers that become dark and bright, `auto` (decided from the scene), or `none` (numbers are bytes
            already), as of `parse_stretch`; None: `auto`, for 8 bit only where the model wants it.
        crs: of the scene, where its file does not say it or says it wrongly; None: the file's.

    Raises:
        SceneError: `mask` or `stretch` is text that nobody has parsed.
    """

    bands: tuple[int, ...] | None = None
    nodata: float | None = None
    mask: MaskOption | None = None
    bbox: Box | None = None
    bbox_crs: str | None = None
    stretch: StretchOption | None = None
    crs: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.mask, str):
            raise SceneError("`mask` is text", self.mask, hint="sat2map.scene.options.parse_mask reads it")
        if isinstance(self.stretch, str) and self.stretch not in ("auto", "none"):
            raise SceneError("`stretch` is text", self.stretch, hint="sat2map.scene.stretch.parse_stretch reads it")


DEFAULT_READ_OPTIONS = ReadOptions()
