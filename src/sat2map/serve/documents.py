"""Documents about the tiles of a layer, TileJSON and WMTS, with the title and the attribution of its scene."""

# Not `from __future__ import annotations`: FastAPI could not find `factory` in annotations that are text.
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from fastapi import Depends, Query, Request
from starlette.responses import Response
from titiler.core.factory import TilerFactory
from titiler.core.models.mapbox import TileJSON
from titiler.core.resources.enums import ImageType
from titiler.extensions.wmts import DEFAULT_TEMPLATES, wmtsExtension

from sat2map.serve.reader import View

NOT_OF_TILES = ("tile_format", "minzoom", "maxzoom")
"""Parameters of a document that its tiles do not take."""
TITILER_SERVICE = "Web Map Tile Service by TiTiler"
TITILER_PROVIDER = (
    "<ows:ProviderName>TiTiler</ows:ProviderName>\n"
    '        <ows:ProviderSite xlink:href="https://developmentseed.org/titiler/"/>'
)


def add_tilejson(factory: TilerFactory) -> None:
    """Register the route of TileJSON: TiTiler's has neither a name nor the scene's attribution."""

    @factory.router.get(
        "/{tileMatrixSetId}/tilejson.json", response_model=TileJSON, response_model_exclude_none=True
    )  # fmt: skip
    def tilejson(
        request: Request,
        view: Annotated[View, Depends(factory.path_dependency)],
        _reading: Annotated[Any, Depends(factory.dataset_dependency)],
        _hidden: Annotated[Any, Depends(factory.process_dependency)],
        tileMatrixSetId: Literal["WebMercatorQuad"],  # noqa: N803
        tilesize: Annotated[int, Query(gt=0, description="Side of a tile in pixels.")] = 512,
        tile_format: Annotated[ImageType | None, Query(description="By default PNG or JPEG.")] = None,
        minzoom: int | None = None,
        maxzoom: int | None = None,
    ) -> dict[str, Any]:
        """Tell where the tiles of a layer are, what they show, and whose it is."""
        route = {"tileMatrixSetId": tileMatrixSetId, "z": "{z}", "x": "{x}", "y": "{y}"}
        route |= {} if tile_format is None else {"format": tile_format.value}
        given = [(key, value) for key, value in request.query_params.multi_items() if key not in NOT_OF_TILES]
        given += [] if "tilesize" in request.query_params else [("tilesize", str(tilesize))]
        return {
            "name": view.title, "attribution": view.attribution or None, "bounds": view.bounds,
            "tiles": [f"{factory.url_for(request, 'tile', **route)}?{urlencode(given)}"],
            "minzoom": view.zooms[0] if minzoom is None else minzoom,
            "maxzoom": view.zooms[1] if maxzoom is None else maxzoom,
        }  # fmt: skip


class _TitledTemplates:
    """TiTiler's template of WMTS, whose titles are those of the scene."""

    def TemplateResponse(  # noqa: N802 - Starlette's name
        self, request: Request, name: str, context: dict[str, Any], media_type: str
    ) -> Response:
        view: View = request.state.view
        for layer in context["layers"]:
            layer["title"] = view.title
        text = DEFAULT_TEMPLATES.get_template(name).render({"request": request, **context})
        provider = f"<ows:ProviderName>{escape(view.attribution or 'sat2map')}</ows:ProviderName>"
        text = text.replace(TITILER_SERVICE, escape(view.title)).replace(TITILER_PROVIDER, provider)
        return Response(text, media_type=media_type)


def wmts_extension() -> Any:
    """Return TiTiler's extension for WMTS with the titles of the scenes."""
    templates: Any = _TitledTemplates()
    return wmtsExtension(layer_identifier_provider=str, templates=templates)
