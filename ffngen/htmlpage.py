"""One HTML page that needs no other file: text is escaped, pictures are inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from ffngen.tables import Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { padding: 0.15rem 0.8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
figure { margin: 0.5rem 0 1.5rem; }
img { max-width: 100%; }
figcaption, .note { color: #555; }
"""


def html_page(title: str, parts: Sequence[str]) -> str:
    """A whole page.

    :param parts: of its body, as the functions below make them.
    """
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def html_heading(text: str, level: int = 1) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def html_text(text: str, *, note: bool = False) -> str:
    """A paragraph; a ``note`` is less prominent."""
    return f'<p class="note">{escape(text)}</p>' if note else f"<p>{escape(text)}</p>"


def html_figure(png: bytes, caption: str) -> str:
    """A picture (a PNG file) with its caption."""
    data = base64.b64encode(png).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def html_table(table: Table) -> str:
    """A table under its title."""
    header = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<table><caption>{escape(table.title)}</caption><tr>{header}</tr>\n{rows}</table>"
