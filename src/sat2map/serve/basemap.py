"""A base map of the user's choice: the address of its tiles, and what its owner wants said. Nothing here fetches it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from sat2map.errors import Sat2mapError
from sat2map.serve.settings import ServeSettings

OSM_HOST = "tile.openstreetmap.org"
OSM_ATTRIBUTION = "© OpenStreetMap contributors"
OSM_LICENCE = "https://www.openstreetmap.org/copyright"
FINEST_ZOOM = 19
"""Of most base maps; finer zooms show it larger."""


class Basemap(NamedTuple):
    """A base map.

    Attributes:
        url: address of its tiles, with `{z}`, `{x}` and `{y}`.
        attribution: whose it is.
        link: page about that; None where it is not known.
        origin: scheme and host of the tiles: the one other origin from which the page may fetch.
    """

    url: str
    attribution: str
    link: str | None
    origin: str

    @property
    def described(self) -> dict[str, object]:
        """What the page needs."""
        return {"url": self.url, "attribution": self.attribution, "link": self.link, "maxzoom": FINEST_ZOOM}


def basemap_of(settings: ServeSettings) -> Basemap | None:
    """Return the base map that settings name; None where they name none.

    Raises:
        Sat2mapError: it is no address of tiles.
    """
    if settings.basemap is None:
        return None
    try:
        parts = urlsplit(settings.basemap)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    fields = [field in settings.basemap for field in ("{z}", "{x}", "{y}")]
    # It becomes part of a security policy, where spaces and semicolons end what it says.
    is_plain = host is not None and not any(c in parts.netloc for c in " ;,'\"{}@*")
    if not is_plain or parts.scheme not in ("http", "https") or not all(fields):
        raise Sat2mapError(
            "base map is no address of tiles", settings.basemap, hint="`basemap` https://example.org/{z}/{x}/{y}.png"
        )
    is_osm = host == OSM_HOST
    attribution = settings.basemap_attribution or (OSM_ATTRIBUTION if is_osm else f"Base map: {host}")
    return Basemap(settings.basemap, attribution, OSM_LICENCE if is_osm else None, f"{parts.scheme}://{parts.netloc}")
