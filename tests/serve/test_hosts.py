"""By which names the server may be called, and whose pages may upload."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from sat2map.serve.hosts import KnownHosts, host_name, is_own_origin

NAMES = {
    "localhost": "localhost", "LOCALHOST:80": "localhost", "localhost:": "localhost", "127.0.0.1:8765": "127.0.0.1",
    "[::1]": "[::1]", "[::1]:8765": "[::1]", "[FD00::5]:1": "[fd00::5]",
}  # fmt: skip
MALFORMED = (
    "localhost:abc", "localhost:8:9", "localhost:99999", "user@localhost", "evil.example:80@localhost", "localhost/x",
    "localhost:80#x", "localhost?x", "[::1", "[::1].evil.example", "[::1]x:80", "[localhost]", "local\thost",
)  # fmt: skip


@pytest.mark.parametrize(("header", "name"), NAMES.items())
def test_name_is_taken_without_its_port(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize("header", MALFORMED)
def test_header_that_is_no_host_has_no_name(header: str) -> None:
    assert host_name(header) is None


@pytest.mark.parametrize(
    ("known", "header", "status"),
    [
        (["fd00::5"], "[fd00::5]:8765", 200),
        (["[fd00::5]"], "[fd00::5]", 200),
        (["MyHost"], "myhost:80", 200),
        (["[::1]"], "[::2]", 400),
        (["localhost"], "localhost.evil.example", 400),
        (["localhost"], "", 400),
        (["localhost", "*"], "anything", 200),
    ],
)
def test_only_known_names_are_answered(known: list[str], header: str, status: int) -> None:
    async def page(_request: Request) -> Response:
        return Response()

    client = TestClient(KnownHosts(Starlette(routes=[Route("/", page)]), known))
    assert client.get("/", headers={"host": header}).status_code == status


@pytest.mark.parametrize(
    ("origin", "is_own"),
    {
        "http://[::1]:8765": True,
        "https://[::1]:8765": True,
        "http://[::1]": False,
        "http://[::1]:8765/page": False,
        "http://user@[::1]:8765": False,
        "http://evil.example": False,
        "http://[::1": False,
        "null": False,
        "": False,
    }.items(),
)
def test_origin_is_own_where_it_is_the_host(origin: str, is_own: bool) -> None:
    assert is_own_origin(origin, "[::1]:8765") is is_own
