"""Satellite and aerial images to maps with conditional GANs.

Importing this loads neither torch nor rasterio; each public name loads what it needs when it is first used.

>>> import numpy as np
>>> from sat2map import Settings, Translator
>>> translator = Translator.load()
>>> map_hwc = translator.translate(np.zeros((64, 64, 3), np.uint8), Settings(head="smooth"))
>>> map_hwc.shape, str(map_hwc.dtype)
((64, 64, 3), 'uint8')
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sat2map.environment import prepare

if TYPE_CHECKING:
    from sat2map.errors import (
        CheckpointError,
        DataError,
        DivergenceError,
        ImageError,
        MissingExtraError,
        ModelFileError,
        OutputError,
        RecipeError,
        Sat2mapError,
        SceneError,
    )
    from sat2map.model.card import Card
    from sat2map.scene.options import MaskBand, MaskFile, NoMask, ReadOptions
    from sat2map.scene.stretch import StretchRange
    from sat2map.serve.live_map import LiveMap
    from sat2map.translate import Settings, TranslationResult, Translator
    from sat2map.translate.notebook import show

__all__ = [
    "Card", "CheckpointError", "DataError", "DivergenceError", "ImageError", "LiveMap", "MaskBand", "MaskFile",
    "MissingExtraError", "ModelFileError", "NoMask", "OutputError", "ReadOptions", "RecipeError", "Sat2mapError",
    "SceneError", "Settings", "StretchRange", "TranslationResult", "Translator", "__version__", "show",
]  # fmt: skip

_MODULE_OF = {
    "Card": "sat2map.model.card",
    "MaskBand": "sat2map.scene.options",
    "MaskFile": "sat2map.scene.options",
    "NoMask": "sat2map.scene.options",
    "ReadOptions": "sat2map.scene.options",
    "StretchRange": "sat2map.scene.stretch",
    "LiveMap": "sat2map.serve.live_map",
    "show": "sat2map.translate.notebook",
    "Settings": "sat2map.translate",
    "TranslationResult": "sat2map.translate",
    "Translator": "sat2map.translate",
}

prepare()

try:
    __version__ = version("sat2map")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF.get(name, "sat2map.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
