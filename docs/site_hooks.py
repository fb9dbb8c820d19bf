"""What MkDocs does not do by itself for the site: pages from outside docs/, an API page for each module, and links.

Pages are written for whoever reads them in the repository. Here their links are turned to the site: one to a module
leads to its API page, and to a class or function of it where the link's text is its name; one to any other file that is
no page leads to the repository.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "sat2map"
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the site that are kept at the top of the repository."""
LINK = re.compile(r"\[(?P<text>(?:`[^`]+`|[^`\[\]])*)\]\((?!\w+:|#)(?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the navigation by what is listed from the tree: decisions and API."""
    decisions = [f"decisions/{file.name}" for file in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    rooms: dict[str, list[str]] = {}
    for module in modules():
        room = module.split(".")[1] if "." in module else module
        rooms.setdefault(room, []).append(api_page(module))
    # The package's own page, then its rooms.
    api = [rooms.pop("sat2map")[0], *({room: pages} if len(pages) > 1 else pages[0] for room, pages in rooms.items())]
    config.nav = [*(config.nav or []), {"Decisions": decisions}, {"API": api}]
    config.repo_url = REPOSITORY
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    for module in modules():
        files.append(File.generated(config, api_page(module), content=api_text(module)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page."""
    uri = page.file.src_uri
    origin = next((name for name, to in PAGES.items() if to == uri), f"docs/{uri}")
    if uri.startswith("api/"):
        return markdown
    return LINK.sub(lambda link: f"[{link['text']}]({site_link(link, origin, uri)})", markdown)


def site_link(link: re.Match[str], origin: str, uri: str) -> str:
    """Where a link of the page `uri`, kept in the repository at `origin`, leads on the site."""
    path = Path(os.path.normpath(ROOT / Path(origin).parent / link["target"]))
    name = path.relative_to(ROOT).as_posix()
    anchor = link["anchor"] or ""
    if path.suffix == ".py" and path.is_relative_to(PACKAGE):
        module, symbol = module_of(path), link["text"].strip("`")
        to, anchor = api_page(module), f"#{module}.{symbol}" if symbol in defined_in(path) else ""
    elif name.startswith("docs/") and path.suffix != ".py" and path.is_file():
        to = name.removeprefix("docs/")
    elif name in PAGES:
        to = PAGES[name]
    else:
        return f"{REPOSITORY}/{'tree' if path.is_dir() else 'blob'}/main/{name}"
    return os.path.relpath(to, PurePosixPath(uri).parent) + anchor


def defined_in(file: Path) -> set[str]:
    """The classes and functions of a module."""
    body = ast.parse(file.read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def modules() -> Iterator[str]:
    """Every public module, the package first."""
    for path in sorted(PACKAGE.rglob("*.py"), key=lambda path: module_of(path)):
        if not path.stem.startswith("_") or path.stem == "__init__":
            yield module_of(path)


def module_of(path: Path) -> str:
    """The name of the module in a file."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def api_page(module: str) -> str:
    """The page of a module."""
    return f"api/{module}.md"


def api_text(module: str) -> str:
    """The page's text: the module by mkdocstrings; before it, for a package, where its public names are explained."""
    lines = [f"# `{module}`", ""]
    file = SOURCE / Path(*module.split("."), "__init__.py")
    names = sorted(public_names(file).items()) if file.is_file() else []
    lines += [f"- [`{name}`][{home}.{name}]" for name, home in names]
    return "\n".join([*lines, "", f"::: {module}", ""])


def public_names(file: Path) -> dict[str, str]:
    """The names of a package's `__all__` that other modules define, with the module of each."""
    tree = ast.parse(file.read_text("utf-8"))
    imports: dict[str, Any] = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sat2map")
        for alias in node.names
    }
    listed = next(
        (n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"), None
    )
    return {name: imports[name] for name in ast.literal_eval(listed) if name in imports} if listed else {}
