"""Doctests of docstrings as code blocks on the API pages: without this, Markdown takes `>>>` for a quotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"(?:^|(?<=\n\n))>>> .*?(?=\n\n|\Z)", re.DOTALL)


class FencedDoctests(griffe.Extension):
    """Puts each doctest that stands by itself in a docstring into a fence."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the text of one docstring."""
        if obj.docstring:
            obj.docstring.value = DOCTEST.sub(lambda test: f"```pycon\n{test[0]}\n```", obj.docstring.value)
