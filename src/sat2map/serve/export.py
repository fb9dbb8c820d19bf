"""Files of a map as far as it is drawn: GeoTIFFs that are parts of the translated file, and vectors made of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sat2map.arrays import Bool, UInt8
from sat2map.classes import ClassTable
from sat2map.errors import import_extra
from sat2map.model.card import Card
from sat2map.scene import pieces
from sat2map.scene.formats import finish
from sat2map.scene.pieces import Piece, Product, open_piece
from sat2map.serve.errors import BadRequestError
from sat2map.serve.layers import CONFIDENCE, MAP, confidence_of, sparse_map_of
from sat2map.serve.scenes import Scene
from sat2map.tiling import Window
from sat2map.translate import product_tags

STRIP_ROWS = 512
"""Rows that are read at once."""
PRODUCTS = {product.name: product for product in (pieces.MAP, pieces.CLASSES, pieces.CONFIDENCE)}
"""What can be exported as a raster, by name."""


class Export(NamedTuple):
    """A part of a scene that is written to files.

    Attributes:
        scene: the scene; the part is drawn.
        window: the part.
        card: card of the model.
    """

    scene: Scene
    window: Window
    card: Card


def layer_of(product: Product) -> str:
    """The layer of which a product is made."""
    return CONFIDENCE if product == pieces.CONFIDENCE else MAP


def write_geotiff(export: Export, product: Product, path: Path) -> None:
    """Write a part of a scene as `translate` writes the whole: the same pixels, mask and tags, as COG.

    Args:
        export: the part.
        product: map, classes or confidence.
        path: of the file, in a folder of its own.

    Raises:
        OutputError: the file cannot be written.
        SceneError: the scene is not shown any more.
    """
    scene, window, drawing = export.scene, export.window, export.scene.drawing
    sparse_map, unfamiliar = sparse_map_of(scene.layers[layer_of(product)]), scene.layers[MAP].unfamiliar
    piece = Piece(path.with_name("piece.tif"), Window(0, 0, window.height, window.width))
    with open_piece(piece, product, with_mask=sparse_map.with_mask) as writer:
        for strip in window.strips(STRIP_ROWS):
            pixels, valid = _pixels(product, export.card.classes, *sparse_map.read(strip))
            writer.write(strip.inside(window), pixels, valid)
    tags = product_tags(
        export.card, product, drawing.settings, drawing.plan, stretch=drawing.scene.stretch,
        unfamiliar=None if unfamiliar is None else unfamiliar.share,
    )  # fmt: skip
    grid = drawing.scene.grid.part(window)
    finish([piece], grid, product, with_mask=sparse_map.with_mask, tags=tags, path=path, classes=export.card.classes)
    piece.path.unlink()


def _pixels(product: Product, classes: ClassTable, rgb_hwc: UInt8, valid: Bool | None) -> tuple[UInt8, Bool | None]:
    if product == pieces.CLASSES:
        return classes.classify(rgb_hwc)[..., None], valid
    return (confidence_of(rgb_hwc)[..., None] if product == pieces.CONFIDENCE else rgb_hwc), valid


def check_vectors(scene: Scene) -> None:
    """See that vectors can be made of the map of a scene, before it is drawn for them.

    Raises:
        BadRequestError: the scene has no georeference.
        MissingExtraError: a package for it is missing.
    """
    if not scene.has_georeference:
        raise BadRequestError("scene has no georeference, so its vectors would have no place", 422)
    for module in ("shapely", "pyogrio"):
        import_extra(module, "vector")


def write_vectors(export: Export, path: Path) -> None:
    """Write areas, roads and junctions of a part of a scene to a GeoPackage, with confidence where it is drawn.

    Args:
        export: the part; `check_vectors` lets its scene pass.
        path: of the file, in a folder of its own.

    Raises:
        SceneError: the scene is not shown any more.
        OutputError: the file cannot be written.
    """
    from sat2map.vector.vectorize import vectorize_file

    raster = path.with_name(f"{path.stem}.tif")
    write_geotiff(export, pieces.MAP, raster)
    confidence = export.scene.layers.get(CONFIDENCE)
    if confidence is not None and not sparse_map_of(confidence).missing(export.window):
        write_geotiff(export, pieces.CONFIDENCE, path.with_name(f"{path.stem}_confidence.tif"))
    vectorize_file(raster, path)
