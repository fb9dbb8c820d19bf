"""The notebook runs from its first cell to its last, in an empty folder."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from ..need import need

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "first_map.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The code cells, run."""
    found = subprocess.run([sys.executable, "-c", "import nbclient, ipykernel, titiler.core, pyogrio, matplotlib"])
    need("notebook", found.returncode == 0, "make env has it")
    with warnings.catch_warnings():
        # Of event loops and sockets within Jupyter's own packages.
        warnings.simplefilter("ignore")
        import nbformat
        from nbclient import NotebookClient

        folder = tmp_path_factory.mktemp("notebook")
        notebook = nbformat.read(NOTEBOOK, 4)
        nbformat.validate(notebook)
        client = NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": folder}})
        client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def data(cell: Any) -> dict[str, Any]:
    """What a cell shows as its value."""
    (value,) = [output.data for output in cell.outputs if output.output_type == "execute_result"]
    return dict(value)


def one_cell(cells: list[Any], text: str) -> Any:
    (cell,) = [cell for cell in cells if text in cell.source]
    return cell


def test_cells_show_card_maps_vectors_and_the_live_map(cells: list[Any]) -> None:
    assert "Apache-2.0" in data(one_cell(cells, "Translator.load"))["text/html"]
    for name in ("town_map.png", 'road.tif", settings'):
        assert data(one_cell(cells, name))["text/html"].count("data:image/png") == 2
    areas_m2 = ast.literal_eval(data(one_cell(cells, "bincount"))["text/plain"])
    # All of the photograph, and a road through it.
    assert sum(int(text.split()[0]) for text in areas_m2.values()) == pytest.approx(159.56 * 122.11, abs=10)
    assert 1000 < int(areas_m2["major road"].split()[0]) < 4000
    shown = one_cell(cells, "sat2map.show").outputs
    assert ["image/png" in output.get("data", {}) for output in shown] == [True, True]
    n_features = ast.literal_eval(data(one_cell(cells, "vectorize_file"))["text/plain"])
    assert n_features["roads"] > 20
    assert data(one_cell(cells, "LiveMap"))["text/html"].startswith('<iframe src="http://127.0.0.1:')


def test_committed_notebook_holds_no_outputs() -> None:
    assert '"image/png"' not in NOTEBOOK.read_text("utf-8")
    assert '"execution_count": null' in NOTEBOOK.read_text("utf-8")
