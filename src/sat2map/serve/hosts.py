"""The names by which the server may be called, and the origins that may upload: what keeps pages of others out."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sat2map.serve.errors import answer


class KnownHosts:
    """Middleware that answers only requests whose `Host` header holds a known name.

    Otherwise a page could give this computer a name of its own domain, and read what the server shows (DNS rebinding).
    Starlette's TrustedHostMiddleware does the same, but splits IPv6 addresses wrongly.

    Args:
        app: application that answers requests to known names.
        names: host names and addresses, IPv6 ones with or without brackets; `*` lets every name pass.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app, self._passes_all = app, "*" in names
        self._names = {_bracketed(name.lower()) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] == "http" and not self._passes_all:
            name = host_name(Headers(scope=scope).get("host", ""))
            if name not in self._names:
                refusal = answer(400, "this server does not go by that name", "sat2map serve `allow_host` NAME")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def host_name(header: str) -> str | None:
    """Return the name in a `Host` header, without its port; None where the header is malformed.

    >>> host_name("LocalHost:8765"), host_name("[::1]:8765"), host_name("user@localhost")
    ('localhost', '[::1]', None)
    """
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port  # raises where it is no port
    except ValueError:
        return None
    name = _bracketed(parts.hostname or "")
    # A URL may hold more than a Host header: a user, a path, or text between a bracket and a port.
    port = parts.netloc.lower().removeprefix(name)
    return name if parts.netloc == header and port[:1] in ("", ":") else None


def is_own_origin(origin: str, host: str | None) -> bool:
    """Check whether an `Origin` header names a page of the server that a `Host` header names."""
    try:
        return urlsplit(origin)[1:] == (host, "", "", "")
    except ValueError:
        return False


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name
