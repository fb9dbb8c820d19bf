"""Areas and roads of a map as Mapbox Vector Tiles: made once when all of the map is drawn, and kept beside it."""

from __future__ import annotations

import gzip
import sqlite3
import tempfile
import threading
import weakref
from contextlib import closing
from pathlib import Path

from sat2map.errors import OutputError
from sat2map.files import replacing
from sat2map.serve.export import Export, write_vectors
from sat2map.serve.layers import MAP, sparse_map_of
from sat2map.serve.scenes import Scene
from sat2map.serve.sparse_map import SparseMap

LAYERS = ("areas", "roads")
FINEST_ZOOM = 16
"""A tile of that zoom has 4,096 steps of .15 m at the equator: finer zooms show it larger."""
N_ZOOMS = 6
"""Zooms that are made; at coarser ones areas are smaller than what is drawn of them."""

_locks = weakref.WeakKeyDictionary[SparseMap, threading.Lock]()
_making = threading.Lock()


def zooms_of(scene: Scene) -> tuple[int, int]:
    """The coarsest and the finest zoom of the vector tiles of a scene."""
    finest = min(scene.zooms[1], FINEST_ZOOM)
    return max(finest - N_ZOOMS + 1, 0), finest


def tiles_file(scene: Scene, layer: str) -> Path:
    """The MBTiles of a layer of vectors of a scene."""
    return sparse_map_of(scene.layers[MAP]).folder / f"{layer}.mbtiles"


def make_tiles(export: Export) -> None:
    """Make the vector tiles of a whole scene, unless they are there; one thread makes them, and others wait for it.

    Args:
        export: all of a scene, which `check_vectors` lets pass.

    Raises:
        SceneError: the scene is not shown any more.
        OutputError: they cannot be written.
    """
    scene = export.scene
    with _making:
        lock = _locks.setdefault(sparse_map_of(scene.layers[MAP]), threading.Lock())
    with lock:
        missing = [layer for layer in LAYERS if not tiles_file(scene, layer).exists()]
        if not missing:
            return
        with tempfile.TemporaryDirectory(prefix="sat2map-vectors-") as folder:
            vectors = Path(folder) / "map.gpkg"
            write_vectors(export, vectors)
            for layer in missing:
                _write_tiles(vectors, layer, tiles_file(scene, layer), zooms_of(scene))


def _write_tiles(vectors: Path, layer: str, path: Path, zooms: tuple[int, int]) -> None:
    import pyogrio
    from pyogrio.errors import DataSourceError

    options = {"MINZOOM": str(zooms[0]), "MAXZOOM": str(zooms[1]), "NAME": layer}
    try:
        with replacing(path) as work, pyogrio.open_arrow(vectors, layer=layer, use_pyarrow=True) as (about, reader):
            work.unlink()
            pyogrio.write_arrow(
                reader, work, driver="MVT", layer=layer, geometry_name=about["geometry_name"],
                geometry_type=about["geometry_type"], crs=about["crs"], dataset_options=options,
            )  # fmt: skip
    except (DataSourceError, OSError) as error:
        raise OutputError("vector tiles cannot be written", hint="is the disk full?") from error


def read_tile(scene: Scene, z: int, x: int, y: int) -> bytes:
    """Read a tile with all layers of vectors, not compressed; empty where there is none.

    The layers of a vector tile follow each other, so tiles of several files become one when they are joined.
    """
    return b"".join(_read(tiles_file(scene, layer), z, x, y) for layer in LAYERS)


def _read(path: Path, z: int, x: int, y: int) -> bytes:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as tiles:
        # MBTiles count rows from the south.
        query = "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?"
        found = tiles.execute(query, (z, x, 2**z - 1 - y)).fetchone()
    return gzip.decompress(found[0]) if found else b""
