"""From an image or a scene to its map."""

from sat2map.translate.job import DrawRows, Progress, TranslationJob, draw_missing_rows, draw_pieces
from sat2map.translate.result import TranslationResult
from sat2map.translate.scene_drawing import SceneDrawing
from sat2map.translate.settings import DEFAULT_CORE_PX, Mode, Settings, TilingPlan
from sat2map.translate.tags import product_tags
from sat2map.translate.translator import Translator

__all__ = [
    "DEFAULT_CORE_PX", "DrawRows", "Mode", "Progress", "SceneDrawing", "Settings", "TilingPlan", "TranslationJob",
    "TranslationResult", "Translator", "draw_missing_rows", "draw_pieces", "product_tags",
]  # fmt: skip
