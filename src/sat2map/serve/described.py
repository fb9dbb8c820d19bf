"""What the page is told of a scene."""

from __future__ import annotations

from typing import Any

from sat2map.serve.layers import MAP, SATELLITE, sparse_map_of
from sat2map.serve.same_files import CHANGED, HINT
from sat2map.serve.scenes import Scene, Scenes


def described(scenes: Scenes, scene: Scene) -> dict[str, Any]:
    """Describe a scene as the page needs it."""
    return progress(scene) | {
        "name": scene.name, "bounds": scene.bounds, "outline": scene.outline,
        "has_georeference": scene.has_georeference, "has_transform": scene.drawing.scene.grid.transform is not None,
        "crs": str(scene.grid.crs), "width": scene.grid.width, "height": scene.grid.height,
        "minzoom": scene.zooms[0], "maxzoom": scene.zooms[1], "layers": list(scene.layers),
        "notices": notices(scene), "attribution": scenes.attribution(scene, SATELLITE),
        "temporary": scene.temporary, "gsd_m": scene.gsd_m, "has_known_gsd": scene.has_known_gsd,
        "n_bands": scene.n_bands,
        "layers_drawn": [layer.name for layer in scene.layers.values() if layer.sparse_map],
    }  # fmt: skip


def notices(scene: Scene) -> list[str]:
    """What is doubtful about a scene, in words."""
    return [*scene.notices, *([f"{CHANGED}; {HINT}"] if scene.files.have_changed else [])]


def progress(scene: Scene) -> dict[str, Any]:
    """Tell how much of a scene is drawn, and how much of that is unlike the training data."""
    sparse_map, unfamiliar = sparse_map_of(scene.layers[MAP]), scene.layers[MAP].unfamiliar
    return {
        "id": scene.id, "n_windows": len(sparse_map.windows), "n_windows_done": sparse_map.n_done,
        "n_windows_done_all": sum(sparse_map.n_done for sparse_map in scene.sparse_maps()),
        "unfamiliar_share": None if unfamiliar is None else unfamiliar.share,
    }  # fmt: skip
