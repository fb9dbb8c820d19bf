"""Keeps links from the docs to lines of the code right: `python docs/line_numbers.py` mends their numbers.

A link says what it leads to: [`generator_loss`](../src/sat2map/nn/objectives.py#L31) must lead to the line that defines
generator_loss, [`text`](...) of no definition to the first line that holds that text.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[`(?P<text>[^`]+)`\]\((?P<path>[^)#]+)#L(?P<line>\d+)\)")


class LostLineError(Exception):
    """What a link leads to is not there."""


def line_of(text: str, file: Path) -> int:
    """Number of the line that defines `text`, or else of the first that holds it.

    Raises:
        LostLineError: there is none, or no such file.
    """
    if not file.is_file():
        raise LostLineError(f"no such file: {file}")
    lines = file.read_text("utf-8").splitlines()
    name = re.escape(text.split(".")[-1])
    for pattern in (rf"\s*(async )?(def|class) {name}\b|{name}( =|:)", f".*{re.escape(text)}"):
        for number, line in enumerate(lines, 1):
            if re.match(pattern, line):
                return number
    raise LostLineError(f"{file.relative_to(ROOT)} holds no {text!r}")


def mended(page: Path) -> str:
    """The page's text with the numbers as they should be."""

    def mend(link: re.Match[str]) -> str:
        number = line_of(link["text"], (page.parent / link["path"]).resolve())
        return f"[`{link['text']}`]({link['path']}#L{number})"

    return LINK.sub(mend, page.read_text("utf-8"))


if __name__ == "__main__":
    for page in sorted((ROOT / "docs").rglob("*.md")):
        page.write_text(mended(page), encoding="utf-8")
