"""What can be set about the server, each also by an environment variable `SAT2MAP_SERVE_<NAME>`; it reads no file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sat2map.files import cache_folder


class ServeSettings(BaseSettings):
    """How the server behaves."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SAT2MAP_SERVE_")

    host: str = "127.0.0.1"
    port: int = Field(8765, ge=0, le=65535)
    cache: Path = Field(default_factory=lambda: cache_folder() / "serve")
    cache_gib: float = Field(20, gt=0)
    """Room on the disk for the maps of all scenes."""
    tile_cache_mib: int = Field(256, ge=0)
    """Memory for tiles that are encoded."""
    allow_origin: str | None = None
    """Origin of web pages elsewhere that may read tiles (`https://example.org`, or `*`)."""
    allow_host: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Names by which the server may be called, so that no other name can be made to point here; `*` for any."""

    n_windows_at_once: int = Field(4, ge=1)
    """A request that needs more windows than this is answered with what there is."""
    n_windows_waited_for: int = Field(32, ge=1)
    """When more are waited for, requests are answered 503."""
    wait_s: float = Field(60, gt=0)
    """How long a request waits for its windows; then it is answered with what there is."""
    n_connections: int = Field(512, ge=8)

    n_uploads: int = Field(4, ge=1)
    """Dropped images that are kept; the oldest goes first."""
    upload_mib: int = Field(64, ge=1)
    upload_mpx: float = Field(25, gt=0)
    upload_s: float = Field(60, gt=0)
    """How long an upload may take to arrive."""
