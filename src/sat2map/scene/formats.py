"""From pieces to the file that a user opens: Cloud-Optimized GeoTIFF, PNG, MBTiles or PMTiles, and what lies beside."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import rasterio
import rasterio.shutil
from PIL import Image
from rasterio.enums import Resampling

from sat2map.arrays import UInt8
from sat2map.classes import CLASSES as DEFAULT_CLASSES
from sat2map.classes import ClassTable
from sat2map.scene.class_tag import CLASS_TABLE_TAG, as_tag
from sat2map.scene.gdal import METADATA
from sat2map.scene.georeference import Grid
from sat2map.scene.pieces import BLOCK_PX, CLASSES, CONFIDENCE, FAMILIARITY, Piece, Product, check_pixels, one_line
from sat2map.scene.tile_check import check_tiles

log = logging.getLogger(__name__)

TILE_SUFFIXES = (".mbtiles", ".pmtiles")
SUFFIXES = (".tif", ".tiff", ".png", *TILE_SUFFIXES)
COG = {"driver": "COG", "compress": "deflate", "bigtiff": "if_safer", "overview_resampling": "average"}
"""Deflate is what every reader opens. Without a predictor a map of flat colours is an eighth smaller."""
PNG = {"driver": "PNG", "zlevel": 6}
PNG_EFFORT = 2
"""Of an image that is sent, not kept, of 9: 12 % larger than with 6, in half of the time."""
MBTILES = {"driver": "MBTiles", "tile_format": "PNG", "resampling": "nearest"}


def finish(
    pieces: Sequence[Piece], grid: Grid, product: Product, *, with_mask: bool, tags: Mapping[str, str], path: Path,
    classes: ClassTable = DEFAULT_CLASSES,
) -> list[Path]:  # fmt: skip
    """Put a raster together.

    Args:
        pieces: of it; together they cover the grid once.
        grid: of the whole.
        product: what it is.
        with_mask: whether pixels may be invalid.
        tags: of a GeoTIFF.
        path: of the result, by whose ending its format is chosen.
        classes: of the map.

    Returns:
        The files made, `path` the last.

    Raises:
        OutputError: the disk is full.
    """
    mosaic = path.with_name(f"{path.name}.vrt")
    suffix = path.suffix.lower()
    as_alpha = suffix in TILE_SUFFIXES or (suffix == ".png" and with_mask)
    written = _mosaic(pieces, grid, product, masked=with_mask, as_alpha=as_alpha, tags=tags, classes=classes)
    mosaic.write_text(written, encoding="utf-8")
    with one_line(path):
        if suffix in TILE_SUFFIXES:
            # Their pixels are others.
            check_pixels(mosaic, pieces, product, with_mask=with_mask)
            _write_tiles(mosaic, path, product)
        else:
            options = PNG if suffix == ".png" else _cog(grid, product)
            rasterio.shutil.copy(mosaic, path, **options)
            check_pixels(path, pieces, product, with_mask=with_mask)
        crs = _crs_beside(path, grid)
    mosaic.unlink()
    return [*_beside(path, grid, product, crs, classes), path]


def _crs_beside(path: Path, grid: Grid) -> Any:
    """The CRS that must be told beside a file, since the file does not hold it; None: nothing must."""
    suffix = path.suffix.lower()
    if suffix in TILE_SUFFIXES or not grid.crs or grid.transform is None:
        return None
    crs = rasterio.crs.CRS.from_user_input(grid.crs)
    if suffix in (".tif", ".tiff"):
        crs = lost_crs(crs, path)
        if crs is not None:
            log.warning("a GeoTIFF cannot hold all of its CRS, which is in %s%s beside it", path.name, METADATA)
    return crs


def png_bytes(image_hwc: UInt8) -> bytes:
    """An image, RGB or RGBA, as PNG by Pillow: in less than half of GDAL's time, and other threads go on meanwhile."""
    file = io.BytesIO()
    Image.fromarray(image_hwc).save(file, "PNG", compress_level=PNG_EFFORT)
    return file.getvalue()


def _cog(grid: Grid, product: Product) -> dict[str, Any]:
    options = COG | {"blocksize": cog_block_px(grid)}
    # The mean of two classes is none.
    return options | {"overview_resampling": "mode"} if product == CLASSES else options


def cog_block_px(grid: Grid) -> int:
    """Side of a block: never the width of a level that is higher, which validators take for one in strips.

    Nor ever wider than a narrow raster that needs overviews, which validators take for one without.
    """
    height, width = grid.height, grid.width
    while max(height, width) > BLOCK_PX:
        if width == BLOCK_PX:
            return BLOCK_PX * 3 // 4
        height, width = -(-height // 2), -(-width // 2)
    return BLOCK_PX


def _write_tiles(mosaic: Path, path: Path, product: Product) -> None:
    """Web tiles, all zoom levels down to one tile."""
    tiles = path.with_suffix(".mbtiles")
    rasterio.shutil.copy(mosaic, tiles, **MBTILES)
    with rasterio.open(tiles, "r+") as dataset:
        factors = [2**i for i in range(1, 20) if max(dataset.shape) / 2 ** (i - 1) > 256]
        if factors:
            dataset.build_overviews(factors, Resampling.average if product.n_bands == 3 else Resampling.nearest)
    check_tiles(mosaic, tiles, len(factors))
    if path.suffix.lower() == ".pmtiles":
        from pmtiles import convert

        to_pmtiles: Any = convert.mbtiles_to_pmtiles  # untyped
        to_pmtiles(str(tiles), str(path), None)
        tiles.unlink()


def lost_crs(crs: Any, path: Path) -> Any:
    """The CRS, where the file that was written with it cannot hold it; None where it does."""
    with rasterio.open(path) as written:
        held = written.crs
    # Some are not equal to themselves.
    if crs is None or held == crs or (held is not None and held.to_wkt() == crs.to_wkt()):
        return None
    return crs


def metadata_beside(path: Path, content: str) -> Path:
    """Write what GDAL reads beside a raster: elements of XML, as `crs_element` gives one."""
    beside = path.with_name(f"{path.name}{METADATA}")
    beside.write_text(f"<PAMDataset>{content}</PAMDataset>\n", encoding="utf-8")
    return beside


def crs_element(crs: Any) -> str:
    """A CRS in the words of GDAL's virtual rasters and metadata."""
    return f"<SRS>{escape(crs.to_wkt())}</SRS>"


def _mosaic(
    pieces: Sequence[Piece], grid: Grid, product: Product, *, masked: bool, as_alpha: bool, tags: Mapping[str, str],
    classes: ClassTable,
) -> str:  # fmt: skip
    """The pieces as one GDAL virtual raster."""
    colours = ["Red", "Green", "Blue"] if product.n_bands == 3 else ["Palette" if product == CLASSES else "Gray"]
    bands = []
    for i, colour in enumerate(colours, start=1):
        bands.append(f'<VRTRasterBand dataType="Byte" band="{i}"><ColorInterp>{colour}</ColorInterp>')
        if product.nodata is not None and masked:
            bands.append(f"<NoDataValue>{product.nodata}</NoDataValue>")
        if product == CLASSES:
            bands.append(_colour_table(classes))
        if product in (CONFIDENCE, FAMILIARITY):
            bands.append(f"<Scale>{1 / 255!r}</Scale><Offset>0</Offset>")
        bands += [*_sources(pieces, str(i)), "</VRTRasterBand>"]
    if product.nodata is None and (masked or as_alpha):
        source = str(product.n_bands + 1) if masked else "mask,1"
        if as_alpha:
            bands.append(f'<VRTRasterBand dataType="Byte" band="{len(colours) + 1}"><ColorInterp>Alpha</ColorInterp>')
            bands += [*_sources(pieces, source), "</VRTRasterBand>"]
        else:
            bands.append('<MaskBand><VRTRasterBand dataType="Byte">')
            bands += [*_sources(pieces, source), "</VRTRasterBand></MaskBand>"]
    georeference = ""
    if grid.transform is not None:
        t = grid.transform
        georeference = (
            f"<GeoTransform>{', '.join(repr(float(v)) for v in (t.c, t.a, t.b, t.f, t.d, t.e))}</GeoTransform>"
        )
        crs = rasterio.crs.CRS.from_user_input(grid.crs) if grid.crs else None
        if crs:
            georeference += crs_element(crs)
    words = "".join(f"<MDI key={quoteattr(key)}>{escape(value)}</MDI>" for key, value in tags.items())
    return (
        f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">{georeference}<Metadata>{words}</Metadata>'
        f"{''.join(bands)}</VRTDataset>"
    )


def _sources(pieces: Sequence[Piece], band: str) -> list[str]:
    def rect(name: str, row: int, window: Any) -> str:
        return f'<{name} xOff="0" yOff="{row}" xSize="{window.width}" ySize="{window.height}"/>'

    return [
        f'<SimpleSource><SourceFilename relativeToVRT="0">{escape(str(path.resolve()))}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand>{rect('SrcRect', 0, window)}{rect('DstRect', window.row, window)}"
        f"</SimpleSource>"
        for path, window in pieces
    ]


def _colour_table(classes: ClassTable) -> str:
    entries = [(*c.colours_rgb[0], 255) for c in classes]
    # With more than one transparent entry a PNG has no nodata value.
    entries += [(0, 0, 0, 255)] * (255 - len(entries)) + [(0, 0, 0, 0)]
    rows = "".join(f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="{a}"/>' for r, g, b, a in entries)
    return f"<ColorTable>{rows}</ColorTable>"


def _beside(path: Path, grid: Grid, product: Product, crs: Any, classes: ClassTable) -> list[Path]:
    """Files that a format needs beside it: a world file, classes, and a CRS that it does not hold itself."""
    made = []
    if path.suffix.lower() == ".png" and grid.transform is not None:
        t = grid.transform
        # Of the upper left pixel a world file tells the centre.
        x, y = t.c + (t.a + t.b) / 2, t.f + (t.d + t.e) / 2
        made.append(path.with_suffix(".pgw"))
        made[-1].write_text("".join(f"{float(v)!r}\n" for v in (t.a, t.d, t.b, t.e, x, y)), encoding="ascii")
    said = "" if crs is None else crs_element(crs)
    if path.suffix.lower() == ".png" and classes != DEFAULT_CLASSES:
        # Else whoever reads the map would take its colours for those of the default classes.
        said += f'<Metadata><MDI key="{CLASS_TABLE_TAG}">{escape(as_tag(classes))}</MDI></Metadata>'
    if product == CLASSES:
        names = "".join(f"<Category>{escape(kind.name)}</Category>" for kind in classes)
        said += f'<PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames></PAMRasterBand>'
    if said:
        made.append(metadata_beside(path, said))
    return made
