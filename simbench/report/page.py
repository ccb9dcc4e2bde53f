"""The page: one file of HTML that loads nothing, runs no script, and shows what each document holds."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simbench.report.files import Cells, Run, Steering
from simbench.report.sections import cells, steering, stretch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.report.files import Document

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"  # a browser refuses whatever the page does not hold
HOW_TO_READ: Final = (
    "Latencies are of this host and this run: read every tail beside the hiccups of the host, which stand with it. "
    "Times are CLOCK_MONOTONIC; percentiles are at most 0.8 % above the true ones, every value counted."
)


def page(documents: Sequence[Document]) -> str:
    """Return the page of some documents, in their order."""
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    parts = []
    for number, document in enumerate(documents):
        parts.append(f"<section><h2>{escape(document.name)}: {document.kind}</h2>")
        parts.append(_section(document, f"d{number}"))
        parts.append("</section>")
    title = escape(", ".join(document.name for document in documents))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>simbench: {title}</title>",
            f"<style>{style}</style></head><body>",
            "<h1>simbench report</h1>",
            f"<p>{HOW_TO_READ}</p>",
            *parts,
            "</body></html>\n",
        ]
    )


def _section(document: Document, key: str) -> str:
    found = document.found
    if isinstance(found, Run):
        return stretch(found, key)
    if isinstance(found, Steering):
        return steering(found, key)
    assert isinstance(found, Cells)
    return cells(found, document.kind, key)
