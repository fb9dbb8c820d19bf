"""Settings of the server; an environment variable `SAT2MAP_SERVE_<NAME>` sets each of them too."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sat2map.files import cache_folder


class ServeSettings(BaseSettings):
    """All settings of the server, which are read from no file."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SAT2MAP_SERVE_")

    host: str = "127.0.0.1"
    port: int = Field(8765, ge=0, le=65535)
    cache: Path = Field(default_factory=lambda: cache_folder() / "serve")
    cache_gib: float = Field(20, gt=0, allow_inf_nan=False)
    """Room on the disk for the maps of all scenes, in GiB."""
    tile_cache_mib: int = Field(256, ge=0)
    """Memory for encoded tiles, in MiB."""
    allow_origin: str | None = None
    """Origin of other web pages that may read tiles (`https://example.org`, or `*` for all)."""
    allow_host: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Names by which the server may be called; `*` for all. Other names could be those of foreign pages."""

    n_windows_at_once: int = Field(4, ge=1)
    """A request that needs more new windows than this is answered at once with what is drawn."""
    n_windows_waited_for: int = Field(32, ge=1)
    """When requests wait for more windows than this, further ones are answered with status 503."""
    wait_s: float = Field(60, gt=0)
    """Seconds that a request waits for its windows; then it is answered with what is drawn."""
    n_connections: int = Field(512, ge=8)
    """Connections at the same time; further ones are answered with status 503."""

    export_mpx: float = Field(150, gt=0)
    """Largest part of a scene that is made a file for download, in millions of pixels."""

    basemap: str | None = None
    """Address of the tiles of a base map, with `{z}`, `{x}` and `{y}`; None: there is none."""
    basemap_attribution: str | None = None
    """Whose base map it is; by default that of OpenStreetMap for its tiles, else the name of the host."""

    n_uploads: int = Field(4, ge=1)
    """Dropped images that are kept; when there are more, the oldest is removed."""
    upload_mib: int = Field(64, ge=1)
    upload_mpx: float = Field(25, gt=0)
    upload_s: float = Field(60, gt=0)
    """Seconds that an upload may take to arrive."""
