"""What the pages say of the code holds: links lead to files that are there, and networks are drawn as they are."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from torch import nn

from sat2map.nn import PatchDiscriminator, UNetGenerator

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


draw_networks = _script("draw_networks")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_link_of_a_page_leads_to_something_that_is_there(page: Path) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text("utf-8"))]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_explanation_links_to_every_file_of_the_papers_method() -> None:
    text = (DOCS / "how-it-works.md").read_text("utf-8")
    linked = {(DOCS / path).resolve().name for path in re.findall(r"\(([^)#\s]+\.py)\)", text)}
    assert {
        "unet.py",
        "patchgan.py",
        "losses.py",
        "initialise.py",
        "normalization.py",
        "step.py",
        "loop.py",
    } <= linked


@pytest.mark.parametrize("name", ["generator.svg", "discriminator.svg"])
def test_drawing_of_a_network_is_of_the_network_as_it_is(name: str) -> None:
    drawn = draw_networks.drawings()[name]
    assert drawn == (DOCS / name).read_text("utf-8"), "run: python docs/draw_networks.py"
    assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_drawing_changes_with_the_network() -> None:
    drawn = draw_networks.draw_generator(UNetGenerator(n_levels=8, width=8, dropout=0.25, skips=False).to("meta"))
    assert "256 × 256 px, 3 channels" in drawn
    assert "dropout 0.25" in drawn
    assert "stroke-dasharray" not in drawn
    pixel = draw_networks.draw_discriminator(PatchDiscriminator(receptive_field_px=16).to("meta"))
    assert ">16 px<" in pixel


def test_every_layer_that_a_drawing_names_is_known() -> None:
    network = nn.ModuleList([UNetGenerator(n_levels=3, width=4), PatchDiscriminator(width=4)])
    layers = [layer for layer in network.modules() if not list(layer.children())]
    words = {draw_networks.in_words(layer) for layer in layers}
    assert {"norm", "dropout 0.5", "conv 4 × 4, down 2", "conv 4 × 4", "transposed conv 4 × 4, up 2", "Tanh"} <= words


def test_citation_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
