"""What a map says of itself: the tags that a GeoTIFF of it carries, whoever writes the file."""

from __future__ import annotations

from sat2map.model.card import Card
from sat2map.scene.class_tag import CLASS_TABLE_TAG, as_tag
from sat2map.scene.pieces import CLASSES, CONFIDENCE, FAMILIARITY, MAP, Product
from sat2map.scene.stretch import Stretch
from sat2map.translate.familiarity import BLOCK_PX, LEAST_FAMILIAR
from sat2map.translate.settings import Settings, TilingPlan


def product_tags(
    card: Card, product: Product, settings: Settings, plan: TilingPlan, *, stretch: Stretch | None,
    unfamiliar: float | None,
) -> dict[str, str]:  # fmt: skip
    """Return the tags of a raster that a model has drawn of a scene.

    Args:
        card: of the model, with the licence of its weights.
        product: what the raster is.
        settings: how the scene is drawn.
        plan: the windows in which it is drawn.
        stretch: how the numbers of the scene became bytes; None: they were.
        unfamiliar: share of the scene that is unlike the training data; None: the model cannot tell.
    """
    from sat2map import __version__

    tags = {
        "SAT2MAP_VERSION": __version__,
        "SAT2MAP_MODEL": f"{card.name}, {card.steps} steps",
        "SAT2MAP_MODEL_LICENCE": card.licence,
        "SAT2MAP_HEAD": settings.for_card(card).head or "",
        "SAT2MAP_PRECISION": settings.precision,
        "SAT2MAP_PRODUCT": product.name,
        "SAT2MAP_MODE": settings.mode_for(card),
        "SAT2MAP_MARGIN_PX": str(settings.margin_for(card)),
        "SAT2MAP_RESOLUTION": plan.model_grid.reason,
    }
    if stretch is not None:
        tags["SAT2MAP_STRETCH"] = str(stretch)
    if product in (MAP, CLASSES):
        tags[CLASS_TABLE_TAG] = as_tag(card.classes)
    if product == CLASSES:
        tags["SAT2MAP_CLASSES"] = ", ".join(f"{i} {name}" for i, name in enumerate(card.classes.names))
    if product == CONFIDENCE:
        tags["SAT2MAP_CONFIDENCE"] = "probability of the class shown, 0 to 255 for 0 to 1"
    if product == FAMILIARITY:
        tags["SAT2MAP_FAMILIARITY"] = f"means of {BLOCK_PX} px below {LEAST_FAMILIAR} are unlike the training data"
    if unfamiliar is not None:
        tags["SAT2MAP_UNFAMILIAR_SHARE"] = f"{unfamiliar:.3f}"
    return tags
