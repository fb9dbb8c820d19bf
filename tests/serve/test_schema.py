"""schemathesis against the server's own OpenAPI: whatever it thinks of, no answer is a mistake of the server."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error

from .served import serving, write_scene

N_EXAMPLES = 12
"""For each of the operations."""


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_no_request_is_answered_500(tmp_path: Path) -> None:
    seen = set()

    def check(case: schemathesis.Case) -> None:
        # Else all that is ever met is 404.
        case.path_parameters = {**case.path_parameters, **{k: v for k, v in REAL.items() if k in case.path_parameters}}
        response = case.call()
        seen.add(response.status_code)
        case.validate_response(response, checks=[not_a_server_error])

    with serving(tmp_path / "cache", write_scene(tmp_path / "scene.tif", 100, 120), allow_host=("*",)) as server:
        schema = schemathesis.openapi.from_asgi("/openapi.json", server.client.app)
        operations = [result.ok() for result in schema.get_all_operations()]
        assert len(operations) > 15
        for operation in operations:
            quick = settings(
                max_examples=N_EXAMPLES, suppress_health_check=list(HealthCheck), database=None,
                phases=[Phase.explicit, Phase.generate],
            )  # fmt: skip
            quick(given(case=operation.as_strategy())(check))()
    assert {200, 422} <= seen


REAL = {"scene_id": "scene", "layer_name": "map", "tileMatrixSetId": "WebMercatorQuad"}
