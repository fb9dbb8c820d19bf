"""Satellite and aerial imagery to maps with conditional GANs; importing this loads neither torch nor rasterio."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sat2map.translate import Translator

__all__ = ["Translator", "__version__"]

try:
    __version__ = version("sat2map")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name == "Translator":
        from sat2map.translate import Translator

        return Translator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
